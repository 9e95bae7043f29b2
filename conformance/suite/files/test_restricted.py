"""Restricted loads: which classes they refuse, and how one is allowed."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import strategies as st

from conformance.contract import RECOMMENDED, clause, for_any_module, given
from conformance.model import reading
from conformance.suite.support.files import loaded, saved
from strategies import blueprints

FILE = ("save", "load")


class Opaque:
    """A class of the user's own, which a restricted load does not know."""

    def __init__(self, value):
        self.value = value


@clause(
    "serialization/weights_only-refuses-other-classes",
    "torch.load",
    "restricted to loading only tensors, primitive types, dictionaries and any types added via",
    since="1.13",
    needs=(*FILE, "load(weights_only)"),
)
@given(value=st.integers())
def test_a_restricted_load_refuses_an_object_of_another_class(implementation, device, value):
    """load(weights_only=True) raises pickle.UnpicklingError where the file holds an object of a class of the user's
    own, which load(weights_only=False) returns."""
    content = saved(implementation.save, [Opaque(value)])
    with pytest.raises(pickle.UnpicklingError):
        loaded(implementation.load, content, weights_only=True)
    (back,) = loaded(implementation.load, content, weights_only=False)
    assert isinstance(back, Opaque)
    assert back.value == value


@clause(
    "serialization/restricted-by-default",
    "torch.load",
    "weights_only=True, mmap=None",
    since="2.6",
    needs=(*FILE, "load(weights_only)"),
)
@given(value=st.integers())
def test_a_load_is_restricted_unless_told_otherwise(implementation, device, value):
    """load(file) is load(file, weights_only=True): it raises pickle.UnpicklingError for an object of a class of the
    user's own."""
    content = saved(implementation.save, {"epoch": 1, "net": Opaque(value)})
    with pytest.raises(pickle.UnpicklingError):
        loaded(implementation.load, content)
    assert loaded(implementation.load, content, weights_only=False)["net"].value == value


@clause(
    "serialization/whole-module-loads-unrestricted",
    "torch.load",
    "Loading from a module setting weights_only=False",
    severity=RECOMMENDED,
    since="1.13",
    needs=(*FILE, "pickle.module", "load(weights_only)"),
)
@for_any_module(blueprint=blueprints())
def test_a_whole_module_loads_with_weights_only_false(implementation, device, blueprint):
    """load(file, weights_only=False) returns a whole module that was saved: same class, names, values, requires_grad
    and modes."""
    subject = implementation.build(blueprint, device)
    back = loaded(implementation.load, saved(implementation.save, subject.module), weights_only=False)
    assert type(back) is type(subject.module)
    names = [(name, subject.model.at(name).training) for name, _ in subject.model.named_modules()]
    assert [(name, module.training) for name, module in back.named_modules()] == names
    tensors = subject.model.tensors()
    for observed, expected in (
        (back.named_parameters(), subject.model.named_parameters()),
        (back.named_buffers(), subject.model.named_buffers()),
    ):
        assert [(name, implementation.read(t), implementation.requires_grad(t)) for name, t in observed] == [
            (name, reading(tensors[path]), tensors[path].requires_grad) for name, path in expected
        ]


@clause(
    "serialization/whole-module-refused-by-default",
    "torch.load",
    "weights_only=True, mmap=None",
    since="2.6",
    needs=(*FILE, "pickle.module", "load(weights_only)"),
)
@for_any_module(blueprint=blueprints(max_nodes=6))
def test_a_whole_module_is_refused_by_default(implementation, device, blueprint):
    """load(file) raises pickle.UnpicklingError for a file that holds a whole module."""
    content = saved(implementation.save, implementation.build(blueprint, device).module)
    with pytest.raises(pickle.UnpicklingError):
        loaded(implementation.load, content)
    assert isinstance(loaded(implementation.load, content, weights_only=False), implementation.Module)


@clause(
    "serialization/safe_globals-allow-a-class",
    "torch.serialization.safe_globals",
    "Context-manager that adds certain globals as safe for ``weights_only`` load.",
    since="2.5",
    needs=(*FILE, "load(weights_only)", "serialization.safe_globals"),
)
@given(value=st.integers())
def test_a_class_is_allowed_inside_safe_globals_and_refused_after_it(implementation, device, value):
    """Inside safe_globals([C]) a restricted load returns objects of class C; after it, it refuses them again."""
    content = saved(implementation.save, {"net": Opaque(value)})
    with implementation.serialization.safe_globals([Opaque]):
        back = loaded(implementation.load, content, weights_only=True)
    assert isinstance(back["net"], Opaque)
    assert back["net"].value == value
    with pytest.raises(pickle.UnpicklingError):
        loaded(implementation.load, content, weights_only=True)


@clause(
    "serialization/safe_globals-leave-nothing-behind",
    "torch.serialization.safe_globals",
    "assert torch.serialization.get_safe_globals() == []",
    severity=RECOMMENDED,
    since="2.5",
    needs=("serialization.safe_globals", "serialization.get_safe_globals"),
)
def test_get_safe_globals_is_empty_where_the_user_added_none(implementation, device):
    """get_safe_globals() lists what the user has added: it is [] after a safe_globals context where nothing else was
    added."""
    with implementation.serialization.safe_globals([Opaque]):
        assert Opaque in implementation.serialization.get_safe_globals()
    assert implementation.serialization.get_safe_globals() == []


@clause(
    "serialization/added-safe-globals-outlive-a-context",
    "torch.serialization.add_safe_globals",
    "Marks the given globals as safe for ``weights_only`` load.",
    since="2.5",
    needs=(*FILE, "load(weights_only)", "serialization.add_safe_globals", "serialization.safe_globals"),
)
@given(value=st.integers())
def test_a_class_added_before_a_context_stays_allowed_after_it(implementation, device, value):
    """A class that add_safe_globals allowed stays allowed after a safe_globals context that names it too."""
    content = saved(implementation.save, {"net": Opaque(value)})
    before = implementation.serialization.get_safe_globals()
    try:
        implementation.serialization.add_safe_globals([Opaque])
        with implementation.serialization.safe_globals([Opaque]):
            loaded(implementation.load, content, weights_only=True)
        back = loaded(implementation.load, content, weights_only=True)
    finally:
        implementation.serialization.clear_safe_globals()
        implementation.serialization.add_safe_globals(before)
    assert isinstance(back["net"], Opaque)


@clause(
    "serialization/unsafe-globals-are-listed",
    "torch.serialization.get_unsafe_globals_in_checkpoint",
    "This function will return any GLOBALs in the checkpoint that are not in the set marked safe",
    since="2.6",
    needs=(*FILE, "serialization.get_unsafe_globals_in_checkpoint"),
)
@for_any_module(blueprint=blueprints(max_nodes=6))
def test_the_globals_that_a_restricted_load_would_refuse_are_listed(implementation, device, blueprint):
    """get_unsafe_globals_in_checkpoint(file) lists "module.name" of the classes that a restricted load would refuse:
    none for a state_dict, one for a class of the user's own."""
    state = implementation.build(blueprint, device).module.state_dict()
    listed = implementation.serialization.get_unsafe_globals_in_checkpoint
    assert loaded(listed, saved(implementation.save, state)) == []
    content = saved(implementation.save, {"state": state, "net": Opaque(0)})
    assert loaded(listed, content) == [f"{Opaque.__module__}.{Opaque.__name__}"]
