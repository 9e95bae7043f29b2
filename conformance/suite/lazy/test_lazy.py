"""Lazy modules: layers that learn the shapes of their parameters from their first input."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
from hypothesis import strategies as st

from conformance.contract import clause, given
from conformance.suite.support.nesting import nest
from strategies.state import name_paths

MIXIN = "torch.nn.modules.lazy.LazyModuleMixin"
LINEAR = "torch.nn.LazyLinear"
UNINITIALIZED = "torch.nn.parameter.UninitializedParameter"
NEEDS = ("LazyLinear", "is_lazy", "construction")
COPIES = ("deepcopy", "pickle.module")
BECOMES = "Lazy modules can be serialized with a state dict like other modules."


def sizes():
    """A number of features."""
    return st.integers(1, 4)


def ones(implementation, device, features, dtype="float32"):
    """An input of two rows."""
    return implementation.tensor([[1.0] * features] * 2, dtype, device)


def uninitialised(implementation, module):
    """Which parameters and buffers of the tree are not initialised, by name."""
    members = [*module.named_parameters(), *module.named_buffers()]
    return [name for name, tensor in members if implementation.is_lazy(tensor)]


def shapes(implementation, layer):
    """The shape of each parameter of a layer."""
    return {name: implementation.read(parameter).shape for name, parameter in layer.named_parameters()}


def filled(implementation, device, inputs, outputs):
    """A Linear with numbers of its own."""
    layer = implementation.move(implementation.Linear(inputs, outputs), device)
    implementation.write(layer.weight, [[float(i + j) for j in range(inputs)] for i in range(outputs)])
    implementation.write(layer.bias, [float(i) for i in range(outputs)])
    return layer


def numbers(implementation, state):
    """What each entry of a state_dict holds."""
    return {key: implementation.read(value) for key, value in state.items()}


@clause(
    "lazy/parameters-appear-in-the-first-call",
    LINEAR,
    "They will be initialized after the first call to ``forward`` is done and the module will become a regular "
    ":class:`torch.nn.Linear` module. The ``in_features`` argument of the :class:`Linear` is inferred from the "
    "``input.shape[-1]``.",
    since="1.9",
    needs=NEEDS,
)
@given(names=name_paths(), inputs=sizes(), outputs=sizes())
def test_a_lazy_module_gets_its_parameters_from_its_first_input(implementation, device, names, inputs, outputs):
    """Before its first call a lazy layer has uninitialised parameters; the call makes it the regular layer, with the same
    parameter objects, now of the shapes that the input implies."""
    layer = implementation.move(implementation.LazyLinear(outputs), device)
    root = nest(implementation.Module, names, layer)
    assert uninitialised(implementation, root) == [".".join([*names, name]) for name in ("weight", "bias")]
    weight, bias = layer.weight, layer.bias
    layer(ones(implementation, device, inputs))
    assert uninitialised(implementation, root) == []
    assert (type(layer), layer.in_features) == (implementation.Linear, inputs)
    assert (layer.weight is weight, layer.bias is bias) == (True, True)
    assert shapes(implementation, layer) == {"weight": (outputs, inputs), "bias": (outputs,)}


@clause(
    "lazy/keeps-its-dtype",
    MIXIN,
    "lazy modules only perform shape inference so the usual dtype and device placement behavior applies.",
    since="1.9",
    needs=(*NEEDS, "Module.double"),
)
@given(names=name_paths(), inputs=sizes(), converted=st.booleans())
def test_a_lazy_module_is_initialised_in_its_dtype(implementation, device, names, inputs, converted):
    """A lazy layer that was made in float64, or converted to it before its first call, is initialised in float64."""
    dtype = implementation.tensor([0.0], "float64").dtype
    made = implementation.LazyLinear(2) if converted else implementation.LazyLinear(2, dtype=dtype)
    root = nest(implementation.Module, names, implementation.move(made, device))
    if converted:
        root.double()
    assert uninitialised(implementation, made) == ["weight", "bias"]
    made(ones(implementation, device, inputs, "float64"))
    assert [implementation.read(parameter).dtype for parameter in made.parameters()] == ["float64"] * 2


@clause(
    "lazy/stays-lazy-on-another-device",
    UNINITIALIZED,
    "The only operations that can be performed on an uninitialized parameter are changing its datatype, moving it to a "
    "different device and converting it to a regular :class:`torch.nn.Parameter`.",
    since="1.9",
    needs=(*NEEDS, "device.meta"),
)
@given(names=name_paths(), inputs=sizes())
def test_a_lazy_module_that_is_moved_stays_lazy(implementation, device, names, inputs):
    """A lazy layer that was moved to another device is not initialised, and is by its first call."""
    layer = implementation.LazyLinear(2)
    nest(implementation.Module, names, layer).to("meta")
    assert uninitialised(implementation, layer) == ["weight", "bias"]
    layer(ones(implementation, "meta", inputs))
    assert [tuple(parameter.shape) for parameter in layer.parameters()] == [(2, inputs), (2,)]


@clause("lazy/state-initialises", MIXIN, "Load an initialized state into a lazy module", since="1.9", needs=NEEDS)
@given(names=name_paths(), inputs=sizes(), outputs=sizes())
def test_an_initialised_state_initialises_a_lazy_module(implementation, device, names, inputs, outputs):
    """An initialised state_dict loads into a lazy module and gives it its values, which the first call keeps; the layer
    then is the regular one."""
    state = nest(implementation.Module, names, filled(implementation, device, inputs, outputs)).state_dict()
    layer = implementation.move(implementation.LazyLinear(outputs), device)
    root = nest(implementation.Module, names, layer)
    root.load_state_dict(state)
    for _ in range(2):
        assert uninitialised(implementation, root) == []
        assert numbers(implementation, root.state_dict()) == numbers(implementation, state)
        layer(ones(implementation, device, inputs))
    assert (type(layer), layer.in_features) == (implementation.Linear, inputs)


@clause(
    "lazy/part-of-a-state-initialises-that-part",
    MIXIN,
    'the loaded parameters will not be replaced when doing a "dry run" if they are initialized when the state is loaded.',
    since="1.9",
    needs=NEEDS,
)
@given(inputs=sizes(), outputs=sizes(), given=st.sampled_from(("weight", "bias")))
def test_part_of_a_state_initialises_that_part(implementation, device, inputs, outputs, given):
    """A lazy layer into which one parameter was loaded, not strictly, keeps it in the first call and gets the other."""
    state = filled(implementation, device, inputs, outputs).state_dict()
    layer = implementation.move(implementation.LazyLinear(outputs), device)
    layer.load_state_dict({given: state[given]}, strict=False)
    layer(ones(implementation, device, inputs))
    assert implementation.read(getattr(layer, given)) == implementation.read(state[given])
    assert shapes(implementation, layer) == {"weight": (outputs, inputs), "bias": (outputs,)}


@clause(
    "lazy/uninitialised-state-is-shown",
    MIXIN,
    "The state dict shows the uninitialized parameters",
    since="1.9",
    needs=NEEDS,
)
@given(names=name_paths(), outputs=sizes())
def test_the_state_dict_shows_uninitialised_parameters(implementation, device, names, outputs):
    """The state_dict of a lazy module has its uninitialised parameters under the usual keys, and loads into another lazy
    module, which stays lazy."""
    root = nest(implementation.Module, names, implementation.LazyLinear(outputs))
    other = nest(implementation.Module, names, implementation.LazyLinear(outputs))
    state = root.state_dict()
    assert list(state) == [".".join([*names, name]) for name in ("weight", "bias")]
    assert [implementation.is_lazy(value) for value in state.values()] == [True, True]
    other.load_state_dict(state)
    assert uninitialised(implementation, other) == list(state)


@clause("lazy/uninitialised-state-in-a-file", MIXIN, BECOMES, since="2.6", needs=(*NEEDS, "save", "load"))
@given(names=name_paths(), outputs=sizes(), inputs=sizes())
def test_the_state_of_a_lazy_module_is_saved_and_loaded(implementation, device, names, outputs, inputs):
    """The state_dict of an uninitialised lazy module can be saved, loaded with the defaults, and loaded into another lazy
    module, which stays lazy."""
    root = nest(implementation.Module, names, implementation.LazyLinear(outputs))
    file = io.BytesIO()
    implementation.save(root.state_dict(), file)
    file.seek(0)
    state = implementation.load(file)
    other = nest(implementation.Module, names, implementation.LazyLinear(outputs))
    other.load_state_dict(state)
    assert uninitialised(implementation, other) == list(state)


@clause(
    "lazy/uninitialised-state-is-refused",
    UNINITIALIZED,
    "hold no data and attempting to access some properties, like their shape, will throw a runtime error.",
    since="1.9",
    needs=NEEDS,
)
@given(names=name_paths(), inputs=sizes(), outputs=sizes(), strict=st.booleans())
def test_an_uninitialised_state_does_not_load_into_an_initialised_module(
    implementation, device, names, inputs, outputs, strict
):
    """Loading an uninitialised state_dict into an initialised module raises RuntimeError and leaves its values alone."""
    root = nest(implementation.Module, names, filled(implementation, device, inputs, outputs))
    before = numbers(implementation, root.state_dict())
    state = nest(implementation.Module, names, implementation.LazyLinear(outputs)).state_dict()
    with pytest.raises(RuntimeError):
        root.load_state_dict(state, strict=strict)
    assert numbers(implementation, root.state_dict()) == before


@clause(
    "lazy/has_uninitialized_params-tells",
    f"{MIXIN}.has_uninitialized_params",
    "Check if a module has parameters that are not initialized.",
    since="1.9",
    needs=NEEDS,
)
@given(inputs=sizes(), outputs=sizes())
def test_has_uninitialized_params_tells_whether_a_module_is_initialised(implementation, device, inputs, outputs):
    """has_uninitialized_params() is True for a lazy module until a state is loaded into it."""
    layer = implementation.move(implementation.LazyLinear(outputs), device)
    assert layer.has_uninitialized_params() is True
    layer.load_state_dict(filled(implementation, device, inputs, outputs).state_dict())
    assert layer.has_uninitialized_params() is False


def doubles(copied, layer):
    """The copies of a layer: by deepcopy, or by pickle."""
    return copy.deepcopy(layer) if copied else pickle.loads(pickle.dumps(layer))


@clause("lazy/copies-stay-lazy", MIXIN, BECOMES, since="1.13", needs=(*NEEDS, *COPIES))
@given(names=name_paths(), inputs=sizes(), outputs=sizes(), copied=st.booleans(), called=st.booleans())
def test_copies_of_lazy_modules_are_lazy_and_of_initialised_ones_initialised(
    implementation, device, names, inputs, outputs, copied, called
):
    """A deep copy or pickle of an uninitialised lazy module is one too, and is initialised by its own first call, which
    leaves the module alone; one of a module that was called is initialised, with its values."""
    layer = implementation.move(implementation.LazyLinear(outputs), device)
    root = nest(implementation.Module, names, layer)
    if called:
        layer(ones(implementation, device, inputs))
    double = doubles(copied, root)
    assert uninitialised(implementation, double) == uninitialised(implementation, root)
    if called:
        assert numbers(implementation, double.state_dict()) == numbers(implementation, root.state_dict())
    inner = double
    for name in names:
        inner = getattr(inner, name)
    inner(ones(implementation, device, inputs))
    assert type(inner) is implementation.Linear
    assert shapes(implementation, inner) == {"weight": (outputs, inputs), "bias": (outputs,)}
    assert uninitialised(implementation, layer) == ([] if called else ["weight", "bias"])


@clause(
    "lazy/copies-keep-the-dtype",
    UNINITIALIZED,
    "The default device or dtype to use when the parameter is materialized can be set during construction",
    since="1.13",
    needs=(*NEEDS, *COPIES),
)
@given(inputs=sizes(), copied=st.booleans())
def test_copies_of_lazy_modules_keep_the_dtype(implementation, device, inputs, copied):
    """A deep copy or pickle of a lazy module is initialised in the dtype that the module was made in."""
    dtype = implementation.tensor([0.0], "float64").dtype
    layer = doubles(copied, implementation.LazyLinear(2, dtype=dtype))
    layer = implementation.move(layer, device)
    layer(ones(implementation, device, inputs, "float64"))
    assert [implementation.read(parameter).dtype for parameter in layer.parameters()] == ["float64"] * 2


@clause("lazy/buffers-are-copied", MIXIN, BECOMES, since="1.13", needs=(*NEEDS, *COPIES, "LazyBatchNorm1d"))
@given(features=sizes(), copied=st.booleans())
def test_copies_of_lazy_modules_with_buffers_are_lazy(implementation, device, features, copied):
    """A deep copy or pickle of a lazy layer with uninitialised buffers is one too, and is initialised by its first
    call."""
    layer = implementation.move(implementation.LazyBatchNorm1d(), device)
    double = doubles(copied, layer)
    assert uninitialised(implementation, double) == uninitialised(implementation, layer)
    double(ones(implementation, device, features))
    assert implementation.read(double.running_mean).shape == (features,)


@clause(
    "lazy/functional_call-leaves-it-usable",
    "torch.func.functional_call",
    "print(mod.weight)  # same as before functional_call",
    since="2.0",
    needs=(*NEEDS, "functional_call"),
)
@given(inputs=sizes(), outputs=sizes())
def test_functional_call_leaves_a_lazy_module_lazy(implementation, device, inputs, outputs):
    """A lazy layer that was called with given parameters by functional_call is not initialised, and is by its first
    call."""
    layer = implementation.move(implementation.LazyLinear(outputs), device)
    values = dict(filled(implementation, device, inputs, outputs).named_parameters())
    implementation.functional_call(layer, values, ones(implementation, device, inputs))
    layer(ones(implementation, device, inputs))
    assert shapes(implementation, layer) == {"weight": (outputs, inputs), "bias": (outputs,)}


@clause(
    "lazy/optimizer-made-before-the-first-call",
    MIXIN,
    "afterward they contain regular :class:`torch.nn.Parameter` s.",
    since="1.9",
    needs=(*NEEDS, "autograd", "SGD"),
)
@given(inputs=sizes(), outputs=sizes())
def test_an_optimizer_made_before_the_first_call_trains_the_parameters(implementation, device, inputs, outputs):
    """An optimizer that was given a lazy module's parameters before its first call trains them after it."""
    layer = implementation.move(implementation.LazyLinear(outputs), device)
    optimizer = implementation.SGD(layer.parameters(), lr=1.0)
    output = layer(ones(implementation, device, inputs))
    before = implementation.read(layer.bias).flat
    implementation.backward(output)
    optimizer.step()
    assert implementation.read(layer.bias).flat == pytest.approx([x - 2.0 for x in before], abs=1e-5)
