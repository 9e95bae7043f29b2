"""Assigning: what an assignment files under which name, and what it replaces."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, RECOMMENDED, clause, given
from conformance.suite.support.registering import KINDS, only, put, registered
from strategies import names
from strategies.inputs import values
from strategies.pieces import pieces

MODULES_NOTE = "https://docs.pytorch.org/docs/stable/notes/modules.html"
TRANSIENT = "Module.register_buffer(persistent)"


@clause(
    "registration/parameter-by-assignment",
    "torch.nn.Parameter",
    "assigned as Module attributes they are automatically added to the list of its parameters",
)
@given(pieces=pieces(), name=names())
def test_assigning_a_parameter_registers_it(implementation, device, pieces, name):
    """Assigning a Parameter as an attribute adds it to the module's parameters, and to nothing else, under that name;
    the attribute is that very object."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    setattr(module, name, subject["parameter"])
    assert registered(subject, module) == only(parameter=[(name, "parameter")])
    assert subject.path(getattr(module, name)) == "parameter"
    assert list(module.state_dict()) == [name]


@clause(
    "registration/module-by-assignment",
    "torch.nn.Module",
    "You can assign the submodules as regular attributes",
)
@given(pieces=pieces(), name=names())
def test_assigning_a_module_registers_it_with_all_it_holds(implementation, device, pieces, name):
    """Assigning a Module as an attribute makes it a child under that name; its parameters and buffers appear among the
    parent's, with the name and a dot in front."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    setattr(module, name, subject["module"])
    child = subject.model.at("module")
    assert registered(subject, module) == only(module=[(name, "module")])
    assert subject.path(getattr(module, name)) == "module"
    assert subject.named(module.named_parameters()) == child.named_parameters(prefix=name)
    assert subject.named(module.named_buffers()) == child.named_buffers(prefix=name)


@clause(
    "registration/plain-tensor-is-not-registered",
    "torch.nn.Parameter",
    "Assigning a Tensor doesn't have such effect.",
)
@given(pieces=pieces(), name=names())
def test_assigning_a_plain_tensor_registers_nothing(implementation, device, pieces, name):
    """Assigning a plain tensor makes it an ordinary attribute: it is among neither the parameters nor the buffers nor
    the entries of state_dict()."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    setattr(module, name, subject["tensor"])
    assert subject.path(getattr(module, name)) == "tensor"
    assert registered(subject, module) == only()
    assert list(module.state_dict()) == []


@clause(
    "registration/temporaries-are-not-registered",
    "torch.nn.Parameter",
    "If there was no such class as :class:`Parameter`, these temporaries would get registered too.",
)
@given(pieces=pieces(), name=names())
def test_what_is_computed_from_a_parameter_is_no_parameter(implementation, device, pieces, name):
    """The result of computing with a Parameter is a plain tensor: assigning it to a module registers nothing."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    result = subject["parameter"] + 1.0
    setattr(module, name, result)
    assert implementation.is_tensor(result) and not implementation.is_parameter(result)
    assert registered(subject, module) == only()


@clause(
    "registration/other-values-are-plain-attributes",
    "source:torch.nn.Module.__init__",
    "super().__setattr__ for all other attributes.",
    severity=OBSERVED,
)
@given(value=values(), name=names())
def test_assigning_any_other_value_makes_an_ordinary_attribute(implementation, device, value, name):
    """Assigning a value that is no tensor and no module makes an ordinary attribute, which may be replaced and
    deleted."""
    module = implementation.Module()
    setattr(module, name, "before")
    setattr(module, name, value)
    assert getattr(module, name) is value
    assert [list(module.state_dict()), list(module.children())] == [[], []]
    delattr(module, name)
    assert not hasattr(module, name)


@clause(
    "registration/python-containers-hide-their-items",
    "torch.nn.ModuleList",
    "but modules it contains are properly registered, and will be visible by all",
    severity=RECOMMENDED,
)
@given(
    pieces=pieces(),
    kind=st.sampled_from(("module", "parameter")),
    box=st.sampled_from(("list", "tuple", "dict", "nested")),
)
def test_what_lies_in_a_plain_list_tuple_or_dict_is_not_registered(implementation, device, pieces, kind, box):
    """Modules and Parameters inside a plain Python list, tuple or dict attribute are not registered."""
    subject = implementation.build(pieces, device)
    item = subject[kind]
    module = implementation.Module()
    module.box = {"list": [item], "tuple": (item,), "dict": {"key": item}, "nested": [{"key": (item,)}]}[box]
    assert registered(subject, module) == only()
    assert list(module.parameters()) == []
    assert list(module.state_dict()) == []


@clause(
    "registration/optimizer-says-empty-parameter-list",
    "source:torch.optim.Optimizer.__init__",
    "optimizer got an empty parameter list",
    severity=OBSERVED,
    needs="SGD",
)
@given(pieces=pieces(), kind=st.sampled_from(("list", "tensor")))
def test_an_optimizer_over_a_module_without_parameters_says_so(implementation, device, pieces, kind):
    """An optimizer over the parameters() of a module that keeps its layers in a plain list, or its weight in a plain
    tensor, raises ValueError "optimizer got an empty parameter list"."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    module.held = {"list": [subject["module"], subject["parameter"]], "tensor": subject["tensor"]}[kind]
    with pytest.raises(ValueError, match="^optimizer got an empty parameter list$"):
        implementation.SGD(module.parameters(), lr=0.1)


@clause(
    "registration/buffer-by-assignment",
    "torch.nn.Buffer",
    "assigned as Module attributes they are automatically added to the list of its buffers",
    since="2.5",
    needs="Buffer",
)
@given(pieces=pieces(), name=names())
def test_assigning_a_buffer_registers_it(implementation, device, pieces, name):
    """Assigning a Buffer as an attribute adds it to the module's buffers, and to nothing else, under that name."""
    subject = implementation.build(pieces, device)
    module, buffer = implementation.Module(), implementation.Buffer(subject["buffer"])
    setattr(module, name, buffer)
    assert getattr(module, name) is buffer
    assert [(known, thing is buffer) for known, thing in module.named_buffers()] == [(name, True)]
    assert [list(module.parameters()), list(module.children())] == [[], []]


@clause(
    "registration/buffer-persistent-argument",
    "torch.nn.Buffer",
    "whether the buffer is part of the module's :attr:`state_dict`. Default: ``True``",
    since="2.5",
    needs="Buffer",
)
@given(pieces=pieces(), name=names(), persistent=st.sampled_from((None, True, False)))
def test_buffer_says_whether_it_is_part_of_the_state_dict(implementation, device, pieces, name, persistent):
    """An assigned Buffer is part of the module's state_dict unless it was made with persistent=False."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    options = {} if persistent is None else {"persistent": persistent}
    setattr(module, name, implementation.Buffer(subject["buffer"], **options))
    assert list(module.state_dict()) == ([] if persistent is False else [name])


@clause(
    "registration/assigned-tensor-updates-the-buffer",
    MODULES_NOTE,
    "the current value of the running mean is considered part of the module's state_dict",
    since="1.6",
    needs=TRANSIENT,
)
@given(pieces=pieces(), persistent=st.booleans())
def test_a_tensor_assigned_to_a_buffers_name_is_the_buffer_from_then_on(implementation, device, pieces, persistent):
    """Assigning a tensor to the name of a buffer makes it the buffer, in the same place and as persistent as before."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    implementation.register_buffer(module, "mean", subject["buffer"], persistent)
    implementation.register_buffer(module, "count", subject["other_buffer"], True)
    module.mean = subject["tensor"]
    assert registered(subject, module) == only(buffer=[("mean", "tensor"), ("count", "other_buffer")])
    assert list(module.state_dict()) == (["mean", "count"] if persistent else ["count"])


@clause(
    "registration/parameter-takes-over-the-name",
    "torch.nn.Parameter",
    "assigned as Module attributes they are automatically added to the list of its parameters",
)
@given(pieces=pieces(), old=st.sampled_from((*KINDS, "tensor", "text")), name=names())
def test_a_parameter_takes_over_the_name_of_anything_else(implementation, device, pieces, old, name):
    """A Parameter assigned to the name of a parameter, buffer, child or plain attribute replaces it: the name is then
    registered as a parameter only."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    put(implementation, module, old, name, subject[old])
    setattr(module, name, subject["other_parameter"])
    assert subject.path(getattr(module, name)) == "other_parameter"
    assert registered(subject, module) == only(parameter=[(name, "other_parameter")])
    assert list(module.state_dict()) == [name]


@clause(
    "registration/module-takes-over-the-name",
    "torch.nn.Module",
    "Submodules assigned in this way will be registered",
)
@given(pieces=pieces(), old=st.sampled_from(("buffer", "module", "tensor", "text")), name=names())
def test_a_module_takes_over_the_name_of_a_buffer_a_child_or_an_attribute(implementation, device, pieces, old, name):
    """A Module assigned to the name of a buffer, child or plain attribute replaces it: the name is then a child
    only."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    put(implementation, module, old, name, subject[old])
    setattr(module, name, subject["other_module"])
    assert subject.path(getattr(module, name)) == "other_module"
    assert registered(subject, module) == only(module=[(name, "other_module")])
    assert name not in module.state_dict()


@clause(
    "registration/buffer-over-a-plain-attribute",
    "torch.nn.Buffer",
    "assigned as Module attributes they are automatically added to the list of its buffers",
    since="2.5",
    needs="Buffer",
)
@given(pieces=pieces(), old=values(), name=names())
def test_a_buffer_takes_over_the_name_of_a_plain_attribute(implementation, device, pieces, old, name):
    """A Buffer assigned to the name of a plain attribute is added to the module's buffers in its place."""
    subject = implementation.build(pieces, device)
    module, buffer = implementation.Module(), implementation.Buffer(subject["buffer"])
    setattr(module, name, old)
    setattr(module, name, buffer)
    assert getattr(module, name) is buffer
    assert [known for known, _ in module.named_buffers()] == [name]


@clause(
    "registration/parameter-over-a-class-attribute",
    "torch.nn.Parameter",
    "assigned as Module attributes they are automatically added to the list of its parameters",
    needs="Parameter",
)
@given(pieces=pieces(), default=values(), name=names())
def test_a_parameter_hides_a_class_attribute(implementation, device, pieces, default, name):
    """A Parameter assigned to a name that is an attribute of the module's class is registered, and the attribute of the
    module is then that Parameter."""
    subject = implementation.build(pieces, device)
    module = type("Net", (implementation.Module,), {name: default})()
    setattr(module, name, subject["parameter"])
    assert subject.path(getattr(module, name)) == "parameter"
    assert registered(subject, module) == only(parameter=[(name, "parameter")])


@clause(
    "registration/module-over-a-class-attribute",
    "torch.nn.Module",
    "You can assign the submodules as regular attributes",
)
@given(pieces=pieces(), default=values(), name=names())
def test_a_module_hides_a_class_attribute(implementation, device, pieces, default, name):
    """A Module assigned to a name that is an attribute of the parent's class is registered, and the attribute of the
    parent is then that Module."""
    subject = implementation.build(pieces, device)
    module = type("Net", (implementation.Module,), {name: default})()
    setattr(module, name, subject["module"])
    assert registered(subject, module) == only(module=[(name, "module")])
    assert subject.path(getattr(module, name)) == "module"


@clause(
    "registration/reserved-parameter-takes-parameters-only",
    MODULES_NOTE,
    'Reserves the "param3" attribute as a parameter, preventing it from being set to anything # except a parameter.',
)
@given(pieces=pieces(), other=st.sampled_from(("tensor", "module", "buffer", "text", "number")), name=names())
def test_a_name_reserved_for_a_parameter_takes_nothing_else(implementation, device, pieces, other, name):
    """After register_parameter(name, None) the attribute can be set to a Parameter only: anything else raises
    TypeError."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    module.register_parameter(name, None)
    with pytest.raises(TypeError):
        setattr(module, name, subject[other])
    assert getattr(module, name) is None
    assert registered(subject, module) == only()
    setattr(module, name, subject["parameter"])
    assert registered(subject, module) == only(parameter=[(name, "parameter")])


@clause(
    "registration/reserved-buffer-takes-no-parameter-or-module",
    MODULES_NOTE,
    'Reserves the "buffer3" attribute as a buffer, preventing it from being set to anything # except a buffer.',
    needs="Module.__setattr__",
)
@given(pieces=pieces(), other=st.sampled_from(("parameter", "module")), name=names())
def test_a_name_reserved_for_a_buffer_takes_no_parameter_and_no_module(implementation, device, pieces, other, name):
    """After register_buffer(name, None) the attribute cannot be set to a Parameter or a Module: it raises TypeError."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    implementation.register_buffer(module, name, None, True)
    with pytest.raises(TypeError):
        setattr(module, name, subject[other])
    assert getattr(module, name) is None
    assert registered(subject, module) == only()


@clause(
    "registration/reserved-buffer-takes-tensors",
    MODULES_NOTE,
    'Reserves the "buffer3" attribute as a buffer, preventing it from being set to anything # except a buffer.',
    needs="Module.__setattr__",
)
@given(pieces=pieces(), other=st.sampled_from(("text", "number")), name=names())
def test_a_name_reserved_for_a_buffer_takes_tensors_and_no_plain_values(implementation, device, pieces, other, name):
    """After register_buffer(name, None) the attribute cannot be set to a value that is no tensor, which raises
    TypeError; a tensor set to it is a buffer."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    implementation.register_buffer(module, name, None, True)
    with pytest.raises(TypeError):
        setattr(module, name, subject[other])
    assert getattr(module, name) is None
    setattr(module, name, subject["tensor"])
    assert registered(subject, module) == only(buffer=[(name, "tensor")])
    assert list(module.state_dict()) == [name]
