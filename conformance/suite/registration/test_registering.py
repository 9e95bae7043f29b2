"""The register functions: what register_parameter, register_buffer and add_module add, and what they replace."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, clause, given
from conformance.suite.support.registering import KINDS, only, register, registered
from strategies import names, refused_names
from strategies.pieces import pieces

TRANSIENT = "Module.register_buffer(persistent)"


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
