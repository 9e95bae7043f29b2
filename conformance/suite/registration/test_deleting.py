"""Reading and deleting: what an attribute that is absent, deleted or listed looks like."""

from __future__ import annotations

import re

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, clause, for_any_module, given
from conformance.suite.support.registering import KINDS, only, put, register, registered
from strategies import blueprints, names
from strategies.pieces import pieces


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
    assert registered(subject, module) == kept


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
@for_any_module(blueprint=blueprints(kinds=("Module",)))
def test_dir_lists_every_member_but_those_that_begin_with_a_digit(implementation, device, blueprint):
    """dir(module) lists the methods and the names of the parameters, buffers, children and plain attributes, None among
    them, except names that begin with a digit."""
    subject = implementation.build(blueprint, device)
    for module in subject.model.modules():
        listed = dir(subject[module.path])
        members = {*module.parameters_, *module.buffers_, *module.modules_, *module.attributes}
        assert {name for name in members if not name[0].isdigit()} | {"forward", "training"} <= set(listed)
        assert [name for name in listed if name[0].isdigit()] == []
