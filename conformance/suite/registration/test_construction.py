"""Constructing modules: what Module.__init__ has to have done, and what a new module and a new layer hold."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, clause, given
from conformance.language import blueprint as bp
from conformance.suite.support.registering import KINDS, register
from strategies import names
from strategies.inputs import keywords, values
from strategies.pieces import pieces

MODULES_NOTE = "https://docs.pytorch.org/docs/stable/notes/modules.html"
FLOATING = ("float32", "float64", "float16")
#: Which error refuses an assignment is not documented.
REFUSED = (AttributeError, RuntimeError, TypeError, ValueError)


def subclass(implementation, before=None, after=None):
    """A subclass of Module whose constructor acts on the module before and after Module.__init__() has run."""

    class Net(implementation.Module):
        def __init__(self):
            if before:
                before(self)
            super().__init__()
            if after:
                after(self)

    return Net


@clause(
    "construction/assignment-before-init-raises",
    "torch.nn.Module",
    "an ``__init__()`` call to the parent class must be made before assignment on the child.",
    since="1.4",
    needs="Module.__init__",
)
@given(pieces=pieces(), kind=st.sampled_from(("module", "parameter")), name=names())
def test_assigning_a_module_or_parameter_before_init_raises(implementation, device, pieces, kind, name):
    """Assigning a Module or a Parameter to a module before Module.__init__() has run raises an error; afterwards it is
    taken."""
    subject = implementation.build(pieces, device)

    def assign(module):
        setattr(module, name, subject[kind])

    with pytest.raises(REFUSED):
        subclass(implementation, before=assign)()
    assert getattr(subclass(implementation, after=assign)(), name) is subject[kind]


@clause(
    "construction/buffer-before-init-raises",
    "torch.nn.Module",
    "an ``__init__()`` call to the parent class must be made before assignment on the child.",
    since="2.5",
    needs=("Buffer", "Module.__init__"),
)
@given(pieces=pieces(), name=names())
def test_assigning_a_buffer_before_init_raises(implementation, device, pieces, name):
    """Assigning a Buffer to a module before Module.__init__() has run raises an error; afterwards it is taken."""
    subject = implementation.build(pieces, device)
    buffer = implementation.Buffer(subject["buffer"])

    def assign(module):
        setattr(module, name, buffer)

    with pytest.raises(REFUSED):
        subclass(implementation, before=assign)()
    assert getattr(subclass(implementation, after=assign)(), name) is buffer


@clause(
    "construction/message-says-before-init",
    "source:torch.nn.Module.__setattr__",
    "cannot assign module before Module.__init__() call",
    severity=OBSERVED,
    since="1.4",
    needs="Module.__init__",
)
@given(pieces=pieces(), kind=st.sampled_from(("module", "parameter")), name=names())
def test_the_error_says_that_something_was_assigned_before_init(implementation, device, pieces, kind, name):
    """The error of an early assignment reads "cannot assign module (or parameters) before Module.__init__() call"."""
    subject = implementation.build(pieces, device)
    Net = subclass(implementation, before=lambda module: setattr(module, name, subject[kind]))
    with pytest.raises(AttributeError, match=rf"^cannot assign {kind}s? before Module\.__init__\(\) call$"):
        Net()


@clause(
    "construction/register-before-init-raises",
    "source:torch.nn.Module.register_parameter",
    "cannot assign parameter before Module.__init__() call",
    severity=OBSERVED,
    since="1.4",
    needs="Module.__init__",
)
@given(pieces=pieces(), kind=st.sampled_from(KINDS), name=names())
def test_registering_before_init_raises_attribute_error(implementation, device, pieces, kind, name):
    """register_parameter, register_buffer and add_module raise AttributeError before Module.__init__() has run, and work
    afterwards."""
    subject = implementation.build(pieces, device)

    def enter(module):
        register(implementation, module, kind, name, subject[kind])

    with pytest.raises(AttributeError):
        subclass(implementation, before=enter)()
    assert getattr(subclass(implementation, after=enter)(), name) is subject[kind]


@clause(
    "construction/plain-values-before-init-survive",
    "source:torch.nn.Module.__setattr__",
    "super().__setattr__(name, value)",
    severity=OBSERVED,
    needs="Module.__init__",
)
@given(pieces=pieces(), name=names(), value=values())
def test_plain_values_assigned_before_init_are_kept(implementation, device, pieces, name, value):
    """Values that are no Parameter, Buffer or Module, plain tensors among them, may be assigned before
    Module.__init__() and are kept by it."""
    subject = implementation.build(pieces, device)
    for given_value in (value, subject["tensor"]):
        module = subclass(implementation, before=lambda module, kept=given_value: setattr(module, name, kept))()
        assert getattr(module, name) is given_value
        assert list(module.state_dict()) == []


@clause(
    "construction/subclass-without-init-works",
    "torch.nn.Module",
    "Your models should also subclass this class.",
)
@given(pieces=pieces(), levels=st.integers(1, 3))
def test_a_subclass_without_its_own_init_is_a_complete_module(implementation, device, pieces, levels):
    """A subclass that defines no __init__ of its own registers parameters, buffers and modules as any module does."""
    subject = implementation.build(pieces, device)
    Net = implementation.Module
    for _ in range(levels):
        Net = type("Net", (Net,), {})
    module = Net()
    module.weight = subject["parameter"]
    module.layer = subject["module"]
    implementation.register_buffer(module, "mean", subject["buffer"], True)
    below = subject.model.at("module").named_parameters(prefix="layer")
    assert subject.named(module.named_parameters()) == [("weight", "parameter"), *below]
    assert subject.named(module.named_buffers(recurse=False)) == [("mean", "buffer")]
    assert subject.named(module.named_children()) == [("layer", "module")]


@clause(
    "construction/members-after-super-init-are-registered",
    "torch.nn.Module",
    "Submodules assigned in this way will be registered, and will also have their parameters converted",
)
@given(pieces=pieces())
def test_what_constructors_assign_after_super_init_is_registered_base_class_first(implementation, device, pieces):
    """What each constructor of a class hierarchy assigns after its super().__init__() is registered, in the order in
    which the constructors run."""
    subject = implementation.build(pieces, device)

    class Base(implementation.Module):
        def __init__(self):
            super().__init__()
            self.z = subject["parameter"]
            self.y = subject["module"]

    class Net(Base):
        def __init__(self):
            super().__init__()
            self.b = subject["other_parameter"]
            self.a = subject["other_module"]

    module = Net()
    assert subject.named(module.named_children()) == [("y", "module"), ("a", "other_module")]
    own = subject.named(module.named_parameters(recurse=False))
    assert own == [("z", "parameter"), ("b", "other_parameter")]


@clause(
    "construction/new-module-is-empty",
    "torch.nn.Module.modules",
    "Return an iterator over all modules in the network.",
)
def test_a_new_module_holds_nothing_and_is_its_only_module(implementation, device):
    """A new Module has no parameters, buffers, children and state_dict entries, and modules() yields only itself."""
    for module in (implementation.Module(), subclass(implementation)()):
        for collection in ("parameters", "buffers", "children", "state_dict"):
            assert list(getattr(module, collection)()) == [], collection
        assert [name for name, _ in module.named_modules()] == [""]
        assert next(iter(module.modules())) is module


@clause(
    "construction/new-modules-do-not-share-members",
    "torch.nn.Module",
    "Submodules assigned in this way will be registered",
)
@given(pieces=pieces(), name=names())
def test_what_is_registered_on_one_module_is_not_on_another_of_its_class(implementation, device, pieces, name):
    """What is registered on one module does not appear on another module of the same class."""
    subject = implementation.build(pieces, device)
    Net = subclass(implementation)
    one, other = Net(), Net()
    for kind in KINDS:
        register(implementation, one, kind, f"{name}_{kind}", subject[kind])
    assert subject.named(one.named_children()) == [(f"{name}_module", "module")]
    assert [list(other.parameters()), list(other.buffers()), list(other.children())] == [[], [], []]
    assert not any(hasattr(other, f"{name}_{kind}") for kind in KINDS)


@clause(
    "construction/new-modules-are-in-training-mode",
    MODULES_NOTE,
    "Modules default to training mode and can be switched between training and evaluation modes",
    needs="Module.train",
)
@given(kind=st.sampled_from(("Module", "Sequential", "ModuleList", "ModuleDict", "Linear", "Dropout")))
def test_every_new_module_is_in_training_mode(implementation, device, kind):
    """A new module, container or layer is in training mode."""
    arguments = {"Linear": (2, 3), "Dropout": (0.5,)}.get(kind, ())
    module = getattr(implementation, kind)(*arguments)
    assert module.training is True


@clause(
    "construction/init-takes-no-arguments",
    "source:torch.nn.Module.__init__",
    "got an unexpected keyword argument",
    severity=OBSERVED,
)
@given(value=values(), keyword=st.sampled_from(("a", "key", "name")))
def test_module_init_refuses_arguments(implementation, device, value, keyword):
    """Module() takes neither positional nor keyword arguments: it raises TypeError."""
    implementation.Module()
    with pytest.raises(TypeError):
        implementation.Module(value)
    with pytest.raises(TypeError, match=keyword):
        implementation.Module(**{keyword: value})


@clause(
    "construction/call_super_init-passes-arguments-on",
    "source:torch.nn.Module.__init__",
    "super().__init__(*args, **kwargs)",
    severity=OBSERVED,
    since="2.0",
    needs="Module.call_super_init",
)
@given(value=values(), kwargs=keywords())
def test_with_call_super_init_arguments_go_to_the_next_class(implementation, device, value, kwargs):
    """With the class attribute call_super_init = True, Module.__init__ passes its arguments to the next class's
    __init__."""

    class Mixin:
        def __init__(self, *args, **kwargs):
            self.received = (args, kwargs)

    class Net(implementation.Module, Mixin):
        call_super_init = True

    module = Net(value, **kwargs)
    assert module.received == ((value,), kwargs)
    assert module.training is True


@clause(
    "construction/linear-weight-and-bias",
    "torch.nn.Linear",
    "If set to ``False``, the layer will not learn an additive bias.",
    needs="Linear",
)
@given(inputs=st.integers(1, 4), outputs=st.integers(1, 4), bias=st.booleans())
def test_linear_registers_a_weight_and_unless_bias_is_false_a_bias(implementation, device, inputs, outputs, bias):
    """Linear(i, o) registers a parameter weight of shape (o, i) and a parameter bias of shape (o,); with bias=False
    there is no bias parameter and the attribute is None."""
    layer = implementation.Linear(inputs, outputs, bias=bias)
    observed = {name: implementation.read(parameter).shape for name, parameter in layer.named_parameters()}
    assert list(observed.items()) == [("weight", (outputs, inputs)), ("bias", (outputs,))][: 2 if bias else 1]
    assert (layer.bias is None) is not bias
    assert list(layer.buffers()) == []


@clause(
    "construction/batch_norm-statistics-are-buffers",
    "torch.nn.Module.register_buffer",
    "BatchNorm's ``running_mean`` is not a parameter, but is part of the module's state.",
    needs="BatchNorm1d",
)
@given(features=st.integers(1, 4))
def test_batch_norm_registers_its_statistics_as_persistent_buffers(implementation, device, features):
    """BatchNorm1d registers weight and bias as parameters and running_mean and running_var as buffers that are part of
    the state_dict."""
    layer = implementation.BatchNorm1d(features)
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    shapes = {name: implementation.read(buffer).shape for name, buffer in layer.named_buffers()}
    assert (shapes["running_mean"], shapes["running_var"]) == ((features,), (features,))
    assert {"weight", "bias", "running_mean", "running_var"} <= set(layer.state_dict())


@clause(
    "construction/layers-default-to-float32-on-the-cpu",
    MODULES_NOTE,
    "are initialized during module instantiation as 32-bit floating point values on the CPU",
    needs=("Linear", "BatchNorm1d", "Conv2d"),
)
@given(kind=st.sampled_from(("Linear", "BatchNorm1d", "Conv2d")), size=st.integers(1, 3))
def test_layers_hold_32_bit_floats_on_the_cpu_by_default(implementation, device, kind, size):
    """The parameters and floating-point buffers of a new layer are float32 and live on the CPU."""
    arguments = {"Linear": (size, size), "BatchNorm1d": (size,), "Conv2d": (size, size, 1)}[kind]
    layer = getattr(implementation, kind)(*arguments)
    tensors = dict((*layer.named_parameters(), *layer.named_buffers()))
    members = dict(bp.layer_members(kind, arguments, 0))
    assert set(tensors) == set(members)
    assert {name: implementation.read(t).dtype for name, t in tensors.items()} == {
        n: m.dtype for n, m in members.items()
    }
    assert {implementation.device(tensor) for tensor in tensors.values()} == {"cpu"}


@clause(
    "construction/device-and-dtype-arguments",
    MODULES_NOTE,
    "the device and dtype options demonstrated above also apply to any floating-point buffers registered",
    since="1.10",
    needs=("Linear(device)", "Linear(dtype)", "BatchNorm1d(device)", "BatchNorm1d(dtype)", *FLOATING),
)
@given(kind=st.sampled_from(("Linear", "BatchNorm1d")), dtype=st.sampled_from(FLOATING))
def test_layers_make_their_tensors_on_the_device_and_of_the_dtype_asked_for(implementation, device, kind, dtype):
    """A layer made with device= and dtype= holds all its parameters and buffers on that device, the floating-point ones
    in that dtype."""
    arguments = {"Linear": (2, 3), "BatchNorm1d": (2,)}[kind]
    layer = getattr(implementation, kind)(*arguments, device=device, dtype=getattr(implementation, dtype))
    tensors = dict((*layer.named_parameters(), *layer.named_buffers()))
    expected = {
        name: dtype if member.dtype == "float32" else member.dtype
        for name, member in bp.layer_members(kind, arguments, 0)
    }
    assert {name: implementation.read(tensor).dtype for name, tensor in tensors.items()} == expected
    assert {implementation.device(tensor) for tensor in tensors.values()} == {device}
