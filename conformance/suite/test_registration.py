"""Registration: what assignment, the register functions and deletion file under which name, and what they refuse."""

from __future__ import annotations

import copy
import pickle
import re

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, RECOMMENDED, clause, given, untested
from conformance.language import blueprint as bp
from conformance.model import Reading
from conformance.suite.support.registering import KINDS, only, put, register, registered
from strategies import blueprints, names, parameters, refused_names, taken_names, tensors
from strategies.inputs import values
from strategies.pieces import pieces

MODULES_NOTE = "https://docs.pytorch.org/docs/stable/notes/modules.html"
FLOATING = ("float32", "float64")
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


@clause(
    "registration/parameter-name-refuses-other-values",
    "source:torch.nn.Module.__setattr__",
    "as parameter '{name}' (torch.nn.Parameter or None expected)",
    severity=OBSERVED,
)
@given(pieces=pieces(), other=st.sampled_from(("tensor", "module", "buffer", "text", "number")), name=names())
def test_a_parameters_name_refuses_anything_but_a_parameter_or_none(implementation, device, pieces, other, name):
    """Assigning anything but a Parameter or None to the name of a parameter raises TypeError "cannot assign ... as
    parameter ..." and leaves the parameter in place."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    setattr(module, name, subject["parameter"])
    with pytest.raises(TypeError, match=f"^cannot assign .* as parameter '{re.escape(name)}'"):
        setattr(module, name, subject[other])
    assert registered(subject, module) == only(parameter=[(name, "parameter")])
    assert subject.path(getattr(module, name)) == "parameter"


@clause(
    "registration/child-name-refuses-other-values",
    "source:torch.nn.Module.__setattr__",
    "as child module '{name}' (torch.nn.Module or None expected)",
    severity=OBSERVED,
)
@given(
    pieces=pieces(),
    held=st.booleans(),
    other=st.sampled_from(("tensor", "buffer", "text", "number")),
    name=names(),
)
def test_a_childs_name_refuses_tensors_and_plain_values(implementation, device, pieces, held, other, name):
    """Assigning a plain tensor or any other value to the name of a child, also one that is None, raises TypeError
    "cannot assign ... as child module ..." and leaves the child in place."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    module.add_module(name, subject["module"] if held else None)
    with pytest.raises(TypeError, match=f"^cannot assign .* as child module '{re.escape(name)}'"):
        setattr(module, name, subject[other])
    assert registered(subject, module) == only(module=[(name, "module")] if held else [])
    assert getattr(module, name) is (subject["module"] if held else None)


@clause(
    "registration/buffer-name-refuses-non-tensors",
    "source:torch.nn.Module.__setattr__",
    "as buffer '{name}'",
    severity=OBSERVED,
)
@given(pieces=pieces(), other=st.sampled_from(("text", "number")), name=names())
def test_a_buffers_name_refuses_what_is_no_tensor(implementation, device, pieces, other, name):
    """Assigning a value that is neither a tensor nor None to the name of a buffer raises TypeError "cannot assign ...
    as buffer ..." and leaves the buffer in place."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    implementation.register_buffer(module, name, subject["buffer"], True)
    with pytest.raises(TypeError, match=f"^cannot assign .* as buffer '{re.escape(name)}'"):
        setattr(module, name, subject[other])
    assert registered(subject, module) == only(buffer=[(name, "buffer")])
    assert subject.path(getattr(module, name)) == "buffer"


@clause(
    "registration/none-is-not-in-the-state_dict",
    "torch.nn.Module.register_parameter",
    "If ``None``, the parameter is **not** included in the module's :attr:`state_dict`.",
)
@given(kind=st.sampled_from(("parameter", "buffer")), name=names())
def test_a_name_registered_as_none_reads_none_and_is_in_no_collection(implementation, device, kind, name):
    """A parameter or buffer registered as None can be read as an attribute, which is None, and is in neither
    parameters() nor buffers() nor state_dict()."""
    module = implementation.Module()
    register(implementation, module, kind, name, None)
    assert getattr(module, name) is None
    assert [list(module.parameters()), list(module.buffers()), list(module.state_dict())] == [[], [], []]


@clause(
    "registration/child-none-is-an-empty-place",
    "source:torch.nn.Module.add_module",
    "if not isinstance(module, Module) and module is not None:",
    severity=OBSERVED,
)
@given(pieces=pieces(), name=names())
def test_add_module_takes_none(implementation, device, pieces, name):
    """add_module(name, None) makes an attribute that is None and in neither children() nor modules(); a Module assigned
    to it is a child."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    module.add_module(name, None)
    assert getattr(module, name) is None
    assert registered(subject, module) == only()
    assert [known for known, _ in module.named_modules()] == [""]
    setattr(module, name, subject["module"])
    assert registered(subject, module) == only(module=[(name, "module")])


@clause(
    "registration/none-keeps-the-place",
    "source:torch.nn.Module.__setattr__",
    "(torch.nn.Module or None expected)",
    severity=OBSERVED,
)
@given(pieces=pieces(), kind=st.sampled_from(KINDS))
def test_assigning_none_empties_the_place_and_keeps_it(implementation, device, pieces, kind):
    """Assigning None to a registered name empties it (the attribute is None, no collection has it); a value of its kind
    assigned later is back in the old place."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    put(implementation, module, kind, "first", subject[kind])
    put(implementation, module, kind, "second", subject[f"other_{kind}"])
    module.first = None
    assert module.first is None
    assert registered(subject, module) == only(**{kind: [("second", f"other_{kind}")]})
    module.first = subject[kind]
    assert registered(subject, module) == only(**{kind: [("first", kind), ("second", f"other_{kind}")]})


@clause(
    "registration/order-is-that-of-a-dict",
    "source:torch.nn.Module.__init__",
    'super().__setattr__("_parameters", {})',
    severity=OBSERVED,
)
@given(
    kind=st.sampled_from(KINDS),
    edits=st.lists(
        st.tuples(st.sampled_from(("assign", "delete")), st.sampled_from(("a", "b", "c", "layer"))),
        min_size=3,
        max_size=10,
    ),
)
def test_replacing_keeps_the_place_and_adding_again_goes_to_the_end(implementation, device, kind, edits):
    """Parameters, buffers and children come in the order in which they were first registered: replacing one keeps its
    place, deleting it and registering it again puts it at the end."""
    make = {"parameter": bp.Parameter((1,)), "buffer": bp.Buffer((1,)), "module": bp.Identity()}[kind]
    subject = implementation.build(bp.Module({f"m{i}": make for i in range(len(edits))}), device)
    module, expected = implementation.Module(), {}
    for i, (edit, name) in enumerate(edits):
        if edit == "delete" and name in expected:
            delattr(module, name)
            del expected[name]
        elif edit == "assign":
            put(implementation, module, kind, name, subject[f"m{i}"])
            expected[name] = f"m{i}"
    assert registered(subject, module)[kind] == list(expected.items())


@clause(
    "registration/one-object-under-two-names",
    "torch.nn.Module.named_parameters",
    "whether to remove the duplicated parameters in the result.",
)
@given(pieces=pieces(), kind=st.sampled_from(KINDS))
def test_one_object_may_have_two_names_and_keeps_the_one_that_is_not_deleted(implementation, device, pieces, kind):
    """One Parameter, buffer or Module may be registered under two names of a module; deleting one name leaves the
    other."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    put(implementation, module, kind, "first", subject[kind])
    put(implementation, module, kind, "second", subject[kind])
    assert module.first is module.second
    assert registered(subject, module) == only(**{kind: [("first", kind)]})
    del module.first
    assert registered(subject, module) == only(**{kind: [("second", kind)]})


@clause(
    "registration/register_parameter-adds-an-attribute",
    "torch.nn.Module.register_parameter",
    "The parameter can be accessed as an attribute using given name.",
)
@given(pieces=pieces(), name=names())
def test_register_parameter_adds_a_parameter_that_is_an_attribute(implementation, device, pieces, name):
    """register_parameter(name, parameter) adds the parameter under that name, and the attribute of that name is it."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    module.register_parameter(name, subject["parameter"])
    assert registered(subject, module) == only(parameter=[(name, "parameter")])
    assert subject.path(getattr(module, name)) == "parameter"


@clause(
    "registration/register_buffer-adds-an-attribute",
    "torch.nn.Module.register_buffer",
    "Buffers can be accessed as attributes using given names.",
)
@given(pieces=pieces(), name=names())
def test_register_buffer_adds_a_persistent_buffer_that_is_an_attribute(implementation, device, pieces, name):
    """register_buffer(name, tensor) adds the tensor to the buffers and to the state_dict under that name, and the
    attribute of that name is it."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    module.register_buffer(name, subject["tensor"])
    assert registered(subject, module) == only(buffer=[(name, "tensor")])
    assert subject.path(getattr(module, name)) == "tensor"
    assert list(module.state_dict()) == [name]


@clause(
    "registration/non-persistent-buffer-differs-in-the-state_dict",
    "torch.nn.Module.register_buffer",
    "The only difference between a persistent buffer and a non-persistent buffer is that the latter will not be a part "
    "of this module's :attr:`state_dict`.",
    since="1.6",
    needs=TRANSIENT,
)
@given(pieces=pieces(), persistent=st.tuples(st.booleans(), st.booleans()))
def test_a_non_persistent_buffer_is_missing_from_the_state_dict_only(implementation, device, pieces, persistent):
    """Buffers are in buffers() and readable as attributes in order of registration, persistent or not; only the
    persistent ones are in state_dict()."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    kept_by_name = {"buffer": persistent[0], "other_buffer": persistent[1]}
    for name, kept in kept_by_name.items():
        implementation.register_buffer(module, name, subject[name], kept)
        assert subject.path(getattr(module, name)) == name
    assert registered(subject, module) == only(buffer=[("buffer", "buffer"), ("other_buffer", "other_buffer")])
    assert list(module.state_dict()) == [name for name, kept in kept_by_name.items() if kept]


@clause(
    "registration/add_module-adds-an-attribute",
    "torch.nn.Module.add_module",
    "The module can be accessed as an attribute using the given name.",
)
@given(pieces=pieces(), name=names())
def test_add_module_adds_a_child_that_is_an_attribute(implementation, device, pieces, name):
    """add_module(name, module) adds the module as a child under that name, and the attribute of that name is it."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    module.add_module(name, subject["module"])
    assert registered(subject, module) == only(module=[(name, "module")])
    assert subject.path(getattr(module, name)) == "module"
    assert subject.named(module.named_modules())[1:] == subject.model.at("module").named_modules(prefix=name)


@clause(
    "registration/register_module-is-add_module",
    "torch.nn.Module.register_module",
    "Alias for :func:`add_module`.",
    since="1.11",
    needs="Module.register_module",
)
@given(pieces=pieces(), name=names(), refused=refused_names())
def test_register_module_does_what_add_module_does(implementation, device, pieces, name, refused):
    """register_module(name, module) is add_module(name, module), also in what it replaces and refuses."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    module.add_module(name, subject["module"])
    module.register_module(name, subject["other_module"])
    with pytest.raises(KeyError):
        module.register_module(refused, subject["module"])
    assert registered(subject, module) == only(module=[(name, "other_module")])
    assert subject.path(getattr(module, name)) == "other_module"


@clause(
    "registration/registering-again-replaces",
    "source:torch.nn.Module.register_parameter",
    "hasattr(self, name) and name not in self._parameters",
    severity=OBSERVED,
)
@given(pieces=pieces(), kind=st.sampled_from(KINDS))
def test_registering_the_same_kind_again_replaces_it_in_place(implementation, device, pieces, kind):
    """Registering a parameter, buffer or module under a name that already has one replaces it, in the same place."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    for name, old in (("first", None), ("second", subject[kind])):
        register(implementation, module, kind, name, old)
    register(implementation, module, kind, "first", subject[f"other_{kind}"])
    assert registered(subject, module) == only(**{kind: [("first", f"other_{kind}"), ("second", kind)]})
    assert subject.path(module.first) == f"other_{kind}"


@clause(
    "registration/registering-a-buffer-again-sets-persistence",
    "torch.nn.Module.register_buffer",
    "persistent (bool): whether the buffer is part of this module's :attr:`state_dict`.",
    since="1.6",
    needs=TRANSIENT,
)
@given(pieces=pieces(), name=names(), before=st.booleans(), after=st.booleans())
def test_registering_a_buffer_again_decides_anew_whether_it_is_persistent(
    implementation, device, pieces, name, before, after
):
    """Registering a buffer again under the same name decides anew whether it is part of the state_dict."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    implementation.register_buffer(module, name, subject["buffer"], before)
    implementation.register_buffer(module, name, subject["other_buffer"], after)
    assert registered(subject, module) == only(buffer=[(name, "other_buffer")])
    assert list(module.state_dict()) == ([name] if after else [])


@clause(
    "registration/deleted-buffer-leaves-no-persistence-behind",
    "torch.nn.Module.register_buffer",
    "Buffers, by default, are persistent and will be saved alongside parameters.",
    since="1.6",
    needs=TRANSIENT,
)
@given(pieces=pieces(), name=names(), over=st.sampled_from(("parameter", "nothing")))
def test_a_name_that_was_a_non_persistent_buffer_is_like_any_other_once_it_is_free(
    implementation, device, pieces, name, over
):
    """After a non-persistent buffer is deleted, or replaced by a Parameter that is deleted, a buffer registered under
    its name without saying so is persistent, and so is a tensor assigned to it."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    implementation.register_buffer(module, name, subject["buffer"], False)
    if over == "parameter":
        setattr(module, name, subject["parameter"])
        assert list(module.state_dict()) == [name]
    delattr(module, name)
    module.register_buffer(name, subject["other_buffer"])
    setattr(module, name, subject["tensor"])
    assert registered(subject, module) == only(buffer=[(name, "tensor")])
    assert list(module.state_dict()) == [name]


@clause(
    "registration/name-must-be-a-string",
    "source:torch.nn.Module.register_buffer",
    "buffer name should be a string. Got",
    severity=OBSERVED,
)
@given(pieces=pieces(), kind=st.sampled_from(KINDS), name=st.sampled_from((7, None, b"a", ("a",), 0.5)))
def test_a_name_that_is_no_string_is_refused(implementation, device, pieces, kind, name):
    """register_parameter, register_buffer and add_module raise TypeError for a name that is no string, and register
    nothing."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    with pytest.raises(TypeError):
        register(implementation, module, kind, name, subject[kind])
    assert registered(subject, module) == only()


@clause(
    "registration/empty-and-dotted-names-are-refused",
    "source:torch.nn.Module.register_parameter",
    'parameter name can\\\'t contain "."',
    severity=OBSERVED,
)
@given(pieces=pieces(), kind=st.sampled_from(KINDS), name=refused_names(), held=st.booleans())
def test_an_empty_name_and_a_name_with_a_dot_are_refused(implementation, device, pieces, kind, name, held):
    """register_parameter, register_buffer and add_module raise KeyError for the empty name and for a name with a dot,
    also for None, and register nothing."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    with pytest.raises(KeyError, match="name can"):
        register(implementation, module, kind, name, subject[kind] if held else None)
    assert registered(subject, module) == only()
    assert list(module.state_dict()) == []


@clause(
    "registration/attribute-names-are-refused",
    "source:torch.nn.Module.register_buffer",
    "attribute '{name}' already exists",
    severity=OBSERVED,
)
@given(pieces=pieces(), kind=st.sampled_from(KINDS), name=taken_names())
def test_a_name_that_every_module_has_is_refused(implementation, device, pieces, kind, name):
    """register_parameter, register_buffer and add_module raise KeyError for the name of a method or of training, and
    leave the attribute as it is."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    before = getattr(module, name)
    with pytest.raises(KeyError, match=f"attribute '{name}' already exists"):
        register(implementation, module, kind, name, subject[kind])
    assert registered(subject, module) == only()
    assert getattr(module, name) == before


@clause(
    "registration/names-of-another-kind-are-refused",
    "source:torch.nn.Module.add_module",
    "attribute '{name}' already exists",
    severity=OBSERVED,
)
@given(
    pieces=pieces(),
    kinds=st.sampled_from([(old, new) for old in (*KINDS, "tensor", "text") for new in KINDS if old != new]),
    held=st.booleans(),
    name=names(),
)
def test_a_name_that_is_registered_as_another_kind_is_refused(implementation, device, pieces, kinds, held, name):
    """register_parameter, register_buffer and add_module raise KeyError for a name that is a plain attribute or
    registered as another kind, also as None, and leave it as it is."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    old, new = kinds
    if old in KINDS:
        register(implementation, module, old, name, subject[old] if held else None)
    else:
        setattr(module, name, subject[old])
    before = registered(subject, module)
    with pytest.raises(KeyError, match="already exists"):
        register(implementation, module, new, name, subject[new])
    assert registered(subject, module) == before
    assert getattr(module, name) is (subject[old] if held or old not in KINDS else None)


@clause(
    "registration/assigned-parameter-names-are-checked",
    "source:torch.nn.Module.__setattr__",
    "self.register_parameter(name, value)",
    severity=OBSERVED,
)
@given(pieces=pieces(), name=refused_names())
def test_assigning_a_parameter_to_an_empty_or_dotted_name_is_refused(implementation, device, pieces, name):
    """setattr of a Parameter under the empty name, or a name with a dot, raises KeyError and registers nothing."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    with pytest.raises(KeyError, match="name can"):
        setattr(module, name, subject["parameter"])
    assert registered(subject, module) == only()


@clause(
    "registration/assigned-buffer-names-are-checked",
    "source:torch.nn.Module.__setattr__",
    "self.register_buffer(name, value, persistent)",
    severity=OBSERVED,
    since="2.5",
    needs="Buffer",
)
@given(pieces=pieces(), name=refused_names())
def test_assigning_a_buffer_to_an_empty_or_dotted_name_is_refused(implementation, device, pieces, name):
    """setattr of a Buffer under the empty name, or a name with a dot, raises KeyError and registers nothing."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    with pytest.raises(KeyError, match="name can"):
        setattr(module, name, implementation.Buffer(subject["buffer"]))
    assert registered(subject, module) == only()


@clause(
    "registration/every-child-name-is-a-path",
    "torch.nn.Module.get_submodule",
    "A query against ``named_modules`` achieves the same result",
    since="1.9",
    needs="Module.get_submodule",
)
@given(pieces=pieces(), name=st.one_of(names(), refused_names()))
def test_a_child_is_found_under_its_name_or_the_name_is_refused(implementation, device, pieces, name):
    """setattr of a Module under any name either raises KeyError, as add_module does, and registers nothing, or
    registers a child that get_submodule finds under that name."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    try:
        setattr(module, name, subject["module"])
    except KeyError:
        assert registered(subject, module) == only()
    else:
        assert registered(subject, module) == only(module=[(name, "module")])
        assert subject.path(module.get_submodule(name)) == "module"


@clause(
    "registration/values-of-another-type-are-refused",
    "source:torch.nn.Module.register_parameter",
    "(torch.nn.Parameter or None required)",
    severity=OBSERVED,
)
@given(
    pieces=pieces(),
    kinds=st.sampled_from(
        [("parameter", other) for other in ("tensor", "module", "text", "number")]
        + [("buffer", other) for other in ("module", "text", "number")]
        + [("module", other) for other in ("parameter", "tensor", "text", "number")]
    ),
    name=names(),
)
def test_a_value_of_another_type_is_refused(implementation, device, pieces, kinds, name):
    """register_parameter takes a Parameter or None, register_buffer a tensor or None, add_module a Module or None;
    anything else raises TypeError and registers nothing."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    kind, other = kinds
    with pytest.raises(TypeError):
        register(implementation, module, kind, name, subject[other])
    assert registered(subject, module) == only()
    assert not hasattr(module, name)


@clause(
    "registration/register_buffer-overridden-without-persistent",
    "source:torch.nn.Module.__setattr__",
    "Registering a non-persistent buffer on a Module subclass that implements register_buffer() without the persistent "
    "argument is not allowed.",
    severity=OBSERVED,
    since="2.5",
    needs=("Buffer", TRANSIENT),
)
@given(pieces=pieces(), persistent=st.booleans(), name=names())
def test_a_subclass_with_the_old_register_buffer_takes_persistent_buffers_only(
    implementation, device, pieces, persistent, name
):
    """Where a subclass overrides register_buffer without the argument persistent, assigning a persistent Buffer calls
    the override and a non-persistent one raises RuntimeError."""

    class Net(implementation.Module):
        def register_buffer(self, name, tensor):
            calls.append(name)
            super().register_buffer(name, tensor)

    calls = []
    subject = implementation.build(pieces, device)
    module, buffer = Net(), implementation.Buffer(subject["buffer"], persistent=persistent)
    if persistent:
        setattr(module, name, buffer)
    else:
        with pytest.raises(RuntimeError, match="non-persistent"):
            setattr(module, name, buffer)
    assert calls == [known for known, _ in module.named_buffers()] == [name] * persistent


untested(
    "registration/non-leaf-parameter-is-refused",
    "Registering a Parameter that was computed from other tensors raises ValueError.",
    "source:torch.nn.Module.register_parameter",
)


@clause(
    "registration/absent-attribute-raises",
    "source:torch.nn.Module.__getattr__",
    "object has no attribute '{name}'",
    severity=OBSERVED,
)
@given(pieces=pieces(), name=names())
def test_reading_an_absent_name_raises_attribute_error(implementation, device, pieces, name):
    """Reading a name that is no attribute raises AttributeError "'Net' object has no attribute 'name'", also where a
    child has that attribute."""
    subject = implementation.build(pieces, device)
    module = type("Net", (implementation.Module,), {})()
    module.child = implementation.Module()
    setattr(module.child, name, subject["parameter"])
    with pytest.raises(AttributeError, match=f"^'Net' object has no attribute '{re.escape(name)}'"):
        getattr(module, name)
    assert not hasattr(module, name)


@clause(
    "registration/deletion-removes-the-name",
    "source:torch.nn.Module.__delattr__",
    "del self._parameters[name]",
    severity=OBSERVED,
)
@given(
    pieces=pieces(),
    kind=st.sampled_from((*KINDS, "tensor", "text")),
    emptied=st.booleans(),
)
def test_deleting_an_attribute_unregisters_it_and_nothing_else(implementation, device, pieces, kind, emptied):
    """del module.name removes a parameter, buffer, child or plain attribute, also one that is None, and leaves the
    others; deleting it again raises AttributeError."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    for other in KINDS:
        put(implementation, module, other, f"kept_{other}", subject[f"other_{other}"])
    kept = registered(subject, module)
    put(implementation, module, kind, "gone", subject[kind])
    if emptied:
        module.gone = None
    del module.gone
    assert not hasattr(module, "gone")
    assert registered(subject, module) == kept
    with pytest.raises(AttributeError):
        del module.gone


@clause(
    "registration/deleted-names-are-free",
    "source:torch.nn.Module.__delattr__",
    "self._non_persistent_buffers_set.discard(name)",
    severity=OBSERVED,
)
@given(pieces=pieces(), old=st.sampled_from((*KINDS, "tensor")), new=st.sampled_from(KINDS), name=names())
def test_a_deleted_name_can_be_registered_as_any_kind(implementation, device, pieces, old, new, name):
    """After del module.name the name is free: it can be registered again as a parameter, a buffer or a child."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    put(implementation, module, old, name, subject[old])
    delattr(module, name)
    register(implementation, module, new, name, subject[f"other_{new}"])
    assert registered(subject, module) == only(**{new: [(name, f"other_{new}")]})
    assert subject.path(getattr(module, name)) == f"other_{new}"


@clause(
    "registration/dir-lists-members",
    "source:torch.nn.Module.__dir__",
    "keys = module_attrs + attrs + parameters + modules + buffers",
    severity=OBSERVED,
)
@given(blueprint=blueprints(kinds=("Module",)))
def test_dir_lists_every_member_but_those_that_begin_with_a_digit(implementation, device, blueprint):
    """dir(module) lists the methods and the names of the parameters, buffers, children and plain attributes, None among
    them, except names that begin with a digit."""
    subject = implementation.build(blueprint, device)
    for module in subject.model.modules():
        listed = dir(subject[module.path])
        members = {*module.parameters_, *module.buffers_, *module.modules_, *module.attributes}
        assert {name for name in members if not name[0].isdigit()} | {"forward", "training"} <= set(listed)
        assert [name for name in listed if name[0].isdigit()] == []


@clause(
    "registration/parameter-is-a-tensor",
    "torch.nn.Parameter",
    "Parameters are :class:`~torch.Tensor` subclasses",
)
@given(tensor=tensors(FLOATING))
def test_a_parameter_is_a_tensor_with_the_data_it_was_made_from(implementation, device, tensor):
    """Parameter(data) is a tensor and a Parameter, of the shape, dtype and values of data, which stays a plain
    tensor."""
    data = implementation.make(tensor, device)
    parameter = implementation.Parameter(data)
    assert implementation.is_tensor(parameter) and isinstance(parameter, implementation.Parameter)
    assert not isinstance(data, implementation.Parameter)
    assert implementation.read(parameter) == Reading(tensor.shape, tensor.dtype, tensor.flat)
    assert implementation.device(parameter) == device


@clause(
    "registration/parameter-shares-memory-with-its-data",
    "source:torch.nn.parameter.Parameter.__new__",
    "torch.Tensor._make_subclass(cls, data, requires_grad)",
    severity=OBSERVED,
)
@given(
    shape=st.sampled_from(((2,), (), (2, 3))), fills=st.lists(st.integers(0, 30), min_size=2, max_size=2, unique=True)
)
def test_a_write_into_a_parameter_is_seen_in_its_data(implementation, device, shape, fills):
    """Parameter(data) shares its memory with data: a write into one is seen in the other."""
    old, new = (bp.Tensor(shape, "float32", fill) for fill in fills)
    data = implementation.make(old, device)
    parameter = implementation.Parameter(data)
    implementation.write(parameter, new.values())
    assert implementation.read(data).flat == new.flat


@clause(
    "registration/parameter-requires-grad-by-default",
    "torch.nn.Parameter",
    "requires_grad (bool, optional): if the parameter requires gradient.",
)
@given(parameter=parameters(FLOATING), asked=st.sampled_from((None, True, False)), name=names())
def test_a_parameter_requires_gradients_unless_told_not_to(implementation, device, parameter, asked, name):
    """Parameter(data) requires gradients unless requires_grad=False is given; it is registered either way."""
    options = {} if asked is None else {"requires_grad": asked}
    made = implementation.Parameter(implementation.make(parameter, device), **options)
    module = implementation.Module()
    setattr(module, name, made)
    assert implementation.requires_grad(made) is (asked is not False)
    assert [(known, thing is made) for known, thing in module.named_parameters()] == [(name, True)]


@clause(
    "registration/parameter-requires-grad-under-no_grad",
    "torch.nn.Parameter",
    "the Parameter will still have `requires_grad=True` in :class:`~no_grad` mode.",
    needs=("autograd", "no_grad"),
)
@given(tensor=tensors(FLOATING), asked=st.sampled_from((None, True, False)))
def test_a_parameter_made_under_no_grad_requires_gradients(implementation, device, tensor, asked):
    """no_grad() does not change whether a new Parameter requires gradients: it does unless requires_grad=False is
    given."""
    data = implementation.make(tensor, device)
    options = {} if asked is None else {"requires_grad": asked}
    with implementation.no_grad():
        parameter = implementation.Parameter(data, **options)
    assert implementation.requires_grad(parameter) is (asked is not False)


@clause(
    "registration/parameter-without-data-is-empty",
    "source:torch.nn.parameter.Parameter.__new__",
    "data = torch.empty(0)",
    severity=OBSERVED,
)
def test_a_parameter_without_data_is_an_empty_tensor(implementation, device):
    """Parameter() is a float32 parameter of shape (0,)."""
    parameter = implementation.Parameter()
    assert isinstance(parameter, implementation.Parameter)
    assert implementation.read(parameter) == Reading((0,), "float32", ())


@clause(
    "registration/buffer-is-a-tensor",
    "torch.nn.Buffer",
    "Buffers are :class:`~torch.Tensor` subclasses",
    since="2.5",
    needs="Buffer",
)
@given(pieces=pieces())
def test_a_buffer_is_a_tensor_and_no_parameter(implementation, device, pieces):
    """Buffer(data) is a tensor and a Buffer but no Parameter, of the shape, dtype and values of data, which stays a
    plain tensor."""
    subject = implementation.build(pieces, device)
    data = subject["tensor"]
    buffer = implementation.Buffer(data)
    assert implementation.is_tensor(buffer) and isinstance(buffer, implementation.Buffer)
    assert not implementation.is_parameter(buffer)
    assert not isinstance(data, implementation.Buffer) and not isinstance(subject["parameter"], implementation.Buffer)
    assert implementation.read(buffer) == implementation.read(data)


@clause(
    "registration/parameter-repr-says-so",
    MODULES_NOTE,
    "Parameter containing: tensor(",
    severity=RECOMMENDED,
    needs="Parameter",
)
@given(parameter=parameters())
def test_the_text_of_a_parameter_begins_with_parameter_containing(implementation, device, parameter):
    """repr of a Parameter is "Parameter containing:" on a line of its own, then the text of the tensor."""
    subject = implementation.build(bp.Module({"parameter": parameter}), device)
    first, *rest = repr(subject["parameter"]).splitlines()
    assert first == "Parameter containing:"
    assert "".join(rest).strip()


@clause(
    "registration/integer-parameter-cannot-require-grad",
    "torch.autograd",
    "As of now, we only support autograd for floating point",
    severity=RECOMMENDED,
    needs="autograd",
)
@given(tensor=tensors(("int64", "bool")))
def test_a_parameter_of_integers_needs_requires_grad_false(implementation, device, tensor):
    """Parameter(data) of an integer or bool tensor raises RuntimeError unless requires_grad=False is given."""
    data = implementation.make(tensor, device)
    with pytest.raises(RuntimeError):
        implementation.Parameter(data)
    parameter = implementation.Parameter(data, requires_grad=False)
    assert implementation.read(parameter) == Reading(tensor.shape, tensor.dtype, tensor.flat)
    assert implementation.requires_grad(parameter) is False


@clause(
    "registration/copied-parameter-is-independent",
    "source:torch.nn.Parameter.__deepcopy__",
    "self.data.clone(memory_format=torch.preserve_format), self.requires_grad",
    severity=OBSERVED,
)
@given(parameter=parameters(("float32", "float64", "int64")), fill=st.integers(0, 30))
def test_a_deep_copy_of_a_parameter_is_an_equal_and_independent_parameter(implementation, device, parameter, fill):
    """deepcopy of a Parameter is a Parameter of the same values, dtype and requires_grad; a write into one is not seen
    in the other."""
    subject = implementation.build(bp.Module({"p": parameter}), device)
    original, built = subject["p"], subject.blueprint.at("p")
    made = implementation.read(original)
    copied = copy.deepcopy(original)
    assert isinstance(copied, implementation.Parameter) and copied is not original
    assert implementation.read(copied) == made
    assert implementation.requires_grad(copied) is implementation.requires_grad(original)
    implementation.write(copied, bp.Tensor(built.shape, built.dtype, fill).values())
    assert implementation.read(original) == made


@clause(
    "registration/copied-parameter-keeps-attributes",
    "torch.nn.Parameter",
    "Parameters are :class:`~torch.Tensor` subclasses",
    severity=RECOMMENDED,
    needs=("Parameter", "deepcopy"),
)
@given(pieces=pieces(), kind=st.sampled_from(("tensor", "parameter")), value=values())
def test_a_deep_copy_of_a_parameter_keeps_its_attributes_as_that_of_a_tensor(
    implementation, device, pieces, kind, value
):
    """deepcopy of a Parameter keeps the Python attributes that were set on it, as deepcopy of a plain tensor does."""
    original = implementation.build(pieces, device)[kind]
    original.tag = value
    assert copy.deepcopy(original).tag == value


@clause(
    "registration/copied-parameter-keeps-its-gradient",
    "torch.nn.Parameter",
    "Parameters are :class:`~torch.Tensor` subclasses",
    severity=RECOMMENDED,
    since="1.13",
    needs=("autograd", "deepcopy"),
)
@given(parameter=parameters(FLOATING), fill=st.integers(0, 30))
def test_a_deep_copy_of_a_parameter_keeps_its_gradient_as_that_of_a_tensor(implementation, device, parameter, fill):
    """deepcopy of a Parameter keeps its gradient, as deepcopy of a plain tensor does."""
    original = implementation.build(bp.Module({"p": parameter}), device)["p"]
    gradient = bp.Tensor(parameter.shape, parameter.dtype, fill)
    original.grad = implementation.make(gradient, device)
    kept = implementation.grad(copy.deepcopy(original))
    assert kept is not None and kept is not original.grad
    assert implementation.read(kept) == Reading(gradient.shape, gradient.dtype, gradient.flat)


@clause(
    "registration/pickled-parameter-keeps-attributes",
    "source:torch.nn.Parameter.__reduce_ex__",
    "torch._utils._rebuild_parameter_with_state",
    severity=OBSERVED,
    since="2.0",
    needs="pickle.module",
)
@given(parameter=parameters(("float32", "float64", "int64")), value=values())
def test_a_pickled_parameter_keeps_values_flag_and_attributes(implementation, device, parameter, value):
    """Pickling a Parameter keeps its values, its requires_grad and the Python attributes that were set on it."""
    original = implementation.build(bp.Module({"p": parameter}), device)["p"]
    original.tag = value
    loaded = pickle.loads(pickle.dumps(original))
    assert isinstance(loaded, implementation.Parameter)
    assert implementation.read(loaded) == implementation.read(original)
    assert implementation.requires_grad(loaded) is implementation.requires_grad(original)
    assert loaded.tag == value


@clause(
    "registration/copied-buffer-stays-a-buffer",
    "torch.nn.Buffer",
    "Buffers are :class:`~torch.Tensor` subclasses",
    severity=RECOMMENDED,
    since="2.5",
    needs=("Buffer", "pickle.module"),
)
@given(pieces=pieces(), persistent=st.booleans(), way=st.sampled_from(("deepcopy", "pickle")))
def test_a_copied_buffer_is_a_buffer_as_persistent_as_before(implementation, device, pieces, persistent, way):
    """deepcopy and pickle of a Buffer give a Buffer of the same values, which registers itself as persistent or not as
    the original."""
    original = implementation.Buffer(implementation.build(pieces, device)["buffer"], persistent=persistent)
    copied = copy.deepcopy(original) if way == "deepcopy" else pickle.loads(pickle.dumps(original))
    module = implementation.Module()
    module.mean = copied
    assert isinstance(copied, implementation.Buffer) and copied is not original
    assert implementation.read(copied) == implementation.read(original)
    assert [name for name, _ in module.named_buffers()] == ["mean"]
    assert list(module.state_dict()) == ["mean"] * persistent


@clause(
    "registration/converted-buffer-stays-a-buffer",
    "torch.nn.Buffer",
    "Buffers are :class:`~torch.Tensor` subclasses",
    severity=RECOMMENDED,
    since="2.5",
    needs=("Buffer", "Module.double"),
)
@given(tensor=tensors(FLOATING), persistent=st.booleans())
def test_a_buffer_is_a_buffer_after_the_module_is_converted(implementation, device, tensor, persistent):
    """A Buffer is still a Buffer after double() of its module: assigned to another module, it is registered there."""
    module, other = implementation.Module(), implementation.Module()
    module.mean = implementation.Buffer(implementation.make(tensor, device), persistent=persistent)
    other.mean = module.double().mean
    assert isinstance(module.mean, implementation.Buffer)
    assert [name for name, _ in other.named_buffers()] == ["mean"]


untested(
    "registration/parameter-of-a-custom-tensor-class",
    "Parameter(data) of a custom class of tensors is a Parameter that keeps that class.",
    "source:torch.nn.parameter.Parameter.__new__",
)
