"""Refusing: which values a registered name does not take, and which names nothing takes."""

from __future__ import annotations

import re

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, clause, given
from conformance.suite.support.registering import KINDS, only, register, registered
from strategies import names, refused_names, taken_names
from strategies.pieces import pieces

TRANSIENT = "Module.register_buffer(persistent)"


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
    register(implementation, module, kind, name, subject[kind])
    assert registered(subject, module) == only(**{kind: [(name, kind)]})


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
