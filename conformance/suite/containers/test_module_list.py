"""ModuleList: a Python list of modules that are registered under their positions."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, RECOMMENDED, clause, given
from conformance.suite.support.containers import (
    MODULES,
    Index,
    held,
    holding,
    pick,
    state_of,
    state_of_model,
    tree_of,
)
from strategies.edits import LABELS, edited_list, label, labels, list_edits, triples

AS_A_LIST = "can be indexed like a regular Python list"
NO_INDEX = st.sampled_from(("0", 1.0, None, (0,), "a"))


@clause(
    "module_list/constructor-keeps-the-order",
    "torch.nn.ModuleList",
    "modules (iterable, optional): an iterable of modules to add",
    needs="ModuleList",
)
@given(items=labels())
def test_module_list_holds_the_modules_of_any_iterable_in_order(implementation, device, items):
    """ModuleList(modules) holds the modules of any iterable in their order, under the names "0", "1", ...; ModuleList()
    holds none."""
    subject = implementation.build(MODULES, device)
    for iterable in (list, tuple, iter):
        assert held(subject, implementation.ModuleList(iterable(pick(subject, items)))) == holding(items)
    assert held(subject, implementation.ModuleList()) == holding([])


@clause(
    "module_list/any-edits-leave-what-a-list-would-hold", "torch.nn.ModuleList", AS_A_LIST, needs="ModuleList.insert"
)
@given(history=list_edits("append", "extend", "insert", "set", "delete", "delete slice"))
def test_after_any_edits_a_module_list_holds_what_a_python_list_would(implementation, device, history):
    """After any sequence of append, extend, insert, item assignment and deletion, a ModuleList holds what a Python list
    would hold, the same module several times included, renumbered from "0"."""
    items, edits = list(history[0]), history[1]
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleList(pick(subject, items))
    for edit in edits:
        modules = edited_list(modules, edit, subject.__getitem__)
        items = edited_list(items, edit)
        assert held(subject, modules) == holding(items)


@clause(
    "module_list/visible-to-all-module-methods",
    "torch.nn.ModuleList",
    "modules it contains are properly registered, and will be visible by all :class:`~torch.nn.Module` methods.",
    needs="ModuleList.insert",
)
@given(history=list_edits("append", "extend", "insert", "set", "delete", min_size=0))
def test_the_modules_of_a_module_list_are_registered_under_their_positions(implementation, device, history):
    """named_parameters(), named_buffers(), named_modules(), state_dict() and train() of a ModuleList see the modules
    that it holds after any edits, under their positions."""
    items, edits = list(history[0]), history[1]
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleList(pick(subject, items))
    for edit in edits:
        modules, items = edited_list(modules, edit, subject.__getitem__), edited_list(items, edit)
    expected = tree_of("ModuleList", {str(i): letter for i, letter in enumerate(items)})
    for collect in ("named_parameters", "named_buffers", "named_modules"):
        assert [name for name, _ in getattr(modules, collect)()] == [name for name, _ in getattr(expected, collect)()]
    assert state_of(subject, modules) == state_of_model(expected)
    modules.eval()
    assert {letter: subject[letter].training for letter in LABELS} == {letter: letter not in items for letter in LABELS}


@clause("module_list/index-as-a-list", "torch.nn.ModuleList", AS_A_LIST, needs="ModuleList")
@given(items=labels(min_size=1))
def test_an_index_gives_the_module_at_that_position(implementation, device, items):
    """modules[i] is the i-th module for 0 <= i < len and counts from the end for -len <= i < 0; any object with
    __index__ is an index."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleList(pick(subject, items))
    for i in range(-len(items), len(items)):
        assert subject.path(modules[i]) == items[i]
        assert subject.path(modules[Index(i)]) == items[i]


@clause("module_list/index-out-of-range-raises-index_error", "torch.nn.ModuleList", AS_A_LIST, needs="ModuleList")
@given(items=labels(), beyond=st.integers(0, 3), new=label())
def test_an_index_out_of_range_raises_index_error_and_changes_nothing(implementation, device, items, beyond, new):
    """Getting, setting and deleting an item at an index outside -len <= i < len raises IndexError and leaves the
    ModuleList unchanged."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleList(pick(subject, items))
    for index in (len(items) + beyond, -len(items) - 1 - beyond):
        with pytest.raises(IndexError):
            modules[index]
        with pytest.raises(IndexError):
            modules[index] = subject[new]
        with pytest.raises(IndexError):
            del modules[index]
    assert held(subject, modules) == holding(items)


@clause("module_list/wrong-index-type-raises-type_error", "torch.nn.ModuleList", AS_A_LIST, needs="ModuleList")
@given(items=labels(), index=NO_INDEX, new=label())
def test_an_index_that_is_no_integer_raises_type_error(implementation, device, items, index, new):
    """Getting, setting and deleting an item at an index that is neither an integer nor a slice, the name "0" included,
    raises TypeError and leaves the ModuleList unchanged."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleList(pick(subject, items))
    with pytest.raises(TypeError):
        modules[index]
    with pytest.raises(TypeError):
        modules[index] = subject[new]
    with pytest.raises(TypeError):
        del modules[index]
    assert held(subject, modules) == holding(items)


@clause("module_list/slice-as-a-list", "torch.nn.ModuleList", AS_A_LIST, needs="ModuleList")
@given(items=labels(max_size=6), triple=triples(), new=label())
def test_a_slice_is_a_new_list_of_the_same_modules(implementation, device, items, triple, new):
    """modules[i:j:k] is a new ModuleList of the same module objects that the slice of a Python list has, numbered from
    "0"; editing it leaves the first one unchanged."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleList(pick(subject, items))
    part = modules[slice(*triple)]
    assert isinstance(part, implementation.ModuleList)
    assert held(subject, part) == holding(items[slice(*triple)])
    part.append(subject[new])
    assert held(subject, modules) == holding(items)


@clause(
    "module_list/plus-makes-a-new-list",
    "source:torch.nn.ModuleList.__add__",
    "combined = ModuleList()",
    severity=OBSERVED,
    since="1.12",
    needs="ModuleList.__add__",
)
@given(items=labels(), more=labels())
def test_plus_makes_a_new_list_of_the_modules_of_both(implementation, device, items, more):
    """modules + iterable is a new ModuleList of the modules of both; neither of them changes."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleList(pick(subject, items))
    for other in (pick(subject, more), implementation.ModuleList(pick(subject, more))):
        both = modules + other
        assert isinstance(both, implementation.ModuleList)
        assert both is not modules
        assert held(subject, both) == holding(items + more)
        assert subject.paths(other) == more
    assert held(subject, modules) == holding(items)


@clause(
    "module_list/acts-as-an-iterable",
    "torch.nn.ModuleList",
    "ModuleList can act as an iterable, or be indexed using ints",
    severity=RECOMMENDED,
    needs="ModuleList",
)
@given(items=labels())
def test_iteration_and_membership_follow_the_list(implementation, device, items):
    """Iterating over a ModuleList, forwards or by reversed(), gives its modules in order, and `in` says whether it
    holds a module."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleList(pick(subject, items))
    assert subject.paths(iter(modules)) == items
    assert subject.paths(reversed(modules)) == items[::-1]
    assert {letter: subject[letter] in modules for letter in LABELS} == {letter: letter in items for letter in LABELS}


@clause(
    "module_list/dir-hides-positions",
    "source:torch.nn.ModuleList.__dir__",
    "keys = [key for key in keys if not key.isdigit()]",
    severity=OBSERVED,
    needs="ModuleList",
)
@given(items=labels(min_size=1))
def test_dir_of_a_module_list_shows_no_positions(implementation, device, items):
    """dir(modules) lists the methods, and none of the names "0", "1", ... under which the modules are registered."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleList(pick(subject, items))
    assert [name for name in dir(modules) if name.isdigit()] == []
    assert {"append", "named_parameters", "training"} <= set(dir(modules))


@clause(
    "module_list/slice-keeps-the-class",
    "source:torch.nn.ModuleList.__getitem__",
    "return self.__class__(list(self._modules.values())[idx])",
    severity=OBSERVED,
    needs="ModuleList",
)
@given(items=labels(), triple=triples())
def test_a_slice_of_a_subclass_is_of_that_subclass(implementation, device, items, triple):
    """A slice of a subclass of ModuleList that takes the same constructor argument is an instance of that subclass."""

    class Layers(implementation.ModuleList):
        pass

    subject = implementation.build(MODULES, device)
    part = Layers(pick(subject, items))[slice(*triple)]
    assert type(part) is Layers
    assert held(subject, part) == holding(items[slice(*triple)])
