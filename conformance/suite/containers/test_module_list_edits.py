"""Edits of a ModuleList: assigning, deleting, appending, extending, inserting and popping."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, RECOMMENDED, clause, given
from conformance.suite.support.containers import (
    MODULES,
    held,
    holding,
    pick,
)
from strategies.edits import label, labels, list_edits, triples

AS_A_LIST = "can be indexed like a regular Python list"
NO_MODULE = st.sampled_from((3, "text", (), [], {}, True))


@clause("module_list/assignment-replaces-one-item", "torch.nn.ModuleList", AS_A_LIST, needs="ModuleList")
@given(items=labels(min_size=1), position=st.integers(0, 7), new=label())
def test_assigning_to_an_index_replaces_that_module_only(implementation, device, items, position, new):
    """modules[i] = module puts the module in the place of the i-th, i counting from the end if negative, and leaves the
    others where they are."""
    index = position % (2 * len(items)) - len(items)
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleList(pick(subject, items))
    modules[index] = subject[new]
    after = list(items)
    after[index] = new
    assert held(subject, modules) == holding(after)


@clause(
    "module_list/slice-assignment-as-a-list",
    "torch.nn.ModuleList",
    AS_A_LIST,
    severity=RECOMMENDED,
    needs="ModuleList",
)
@given(items=labels(max_size=6), start=st.integers(-3, 3), stop=st.integers(-3, 3), new=labels())
def test_assigning_to_a_slice_replaces_those_modules(implementation, device, items, start, stop, new):
    """modules[i:j] = iterable replaces the modules of the slice by those of the iterable, as for a Python list."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleList(pick(subject, items))
    modules[start:stop] = pick(subject, new)
    after = list(items)
    after[start:stop] = new
    assert held(subject, modules) == holding(after)


@clause("module_list/deletion-renumbers", "torch.nn.ModuleList", AS_A_LIST, needs="ModuleList")
@given(items=labels(min_size=1), position=st.integers(0, 7))
def test_deleting_an_item_renumbers_those_behind_it(implementation, device, items, position):
    """del modules[i] removes the i-th module, that place only if it is held twice, and those behind it move up."""
    index = position % (2 * len(items)) - len(items)
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleList(pick(subject, items))
    del modules[index]
    after = list(items)
    del after[index]
    assert held(subject, modules) == holding(after)


@clause("module_list/slice-deletion-renumbers", "torch.nn.ModuleList", AS_A_LIST, needs="ModuleList")
@given(items=labels(max_size=6), triple=triples())
def test_deleting_a_slice_removes_its_modules_and_renumbers_the_rest(implementation, device, items, triple):
    """del modules[i:j:k] removes the modules that a Python list would lose and renumbers the rest from "0"."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleList(pick(subject, items))
    del modules[slice(*triple)]
    after = list(items)
    del after[slice(*triple)]
    assert held(subject, modules) == holding(after)


@clause(
    "module_list/append-at-the-end",
    "torch.nn.ModuleList.append",
    "Append a given module to the end of the list.",
    needs="ModuleList.append",
)
@given(history=list_edits("append"))
def test_append_adds_a_module_at_the_end(implementation, device, history):
    """append(module) adds the module at the end, also one that the list already holds."""
    items, edits = list(history[0]), history[1]
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleList(pick(subject, items))
    for _, new in edits:
        modules.append(subject[new])
    assert held(subject, modules) == holding(items + [new for _, new in edits])


@clause(
    "module_list/extend-at-the-end",
    "torch.nn.ModuleList.extend",
    "Append modules from a Python iterable to the end of the list.",
    needs="ModuleList.extend",
)
@given(items=labels(), more=labels())
def test_extend_appends_the_modules_of_any_iterable(implementation, device, items, more):
    """extend(iterable) adds the modules of a list, a tuple, an iterator or another ModuleList at the end, in order."""
    subject = implementation.build(MODULES, device)
    for iterable in (list, tuple, iter, implementation.ModuleList):
        modules = implementation.ModuleList(pick(subject, items))
        modules.extend(iterable(pick(subject, more)))
        assert held(subject, modules) == holding(items + more)


@clause(
    "module_list/extend-by-itself-doubles",
    "torch.nn.ModuleList.extend",
    "Append modules from a Python iterable to the end of the list.",
    needs="ModuleList.extend",
)
@given(items=labels())
def test_extending_a_list_by_itself_doubles_it(implementation, device, items):
    """modules.extend(modules) appends what the list held before, as for a Python list."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleList(pick(subject, items))
    modules.extend(modules)
    assert held(subject, modules) == holding(items + items)


@clause(
    "module_list/append-and-extend-return-the-list",
    "source:torch.nn.ModuleList.append",
    "return self",
    severity=OBSERVED,
    needs=("ModuleList.append", "ModuleList.extend"),
)
@given(items=labels(), more=labels(), new=label())
def test_append_and_extend_return_the_list_itself(implementation, device, items, more, new):
    """append(module) and extend(iterable) return the ModuleList itself, so that calls can be chained."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleList(pick(subject, items))
    assert modules.append(subject[new]) is modules
    assert modules.extend(pick(subject, more)) is modules
    assert held(subject, modules) == holding([*items, new, *more])


@clause(
    "module_list/insert-before-an-index",
    "torch.nn.ModuleList.insert",
    "Insert a given module before a given index in the list.",
    needs="ModuleList.insert",
)
@given(history=list_edits("insert"))
def test_insert_puts_a_module_before_the_index(implementation, device, history):
    """insert(i, module) puts the module before the i-th for 0 <= i <= len; those from there on move down by one."""
    items, edits = list(history[0]), history[1]
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleList(pick(subject, items))
    for _, index, new in edits:
        modules.insert(index, subject[new])
        items.insert(index, new)
        assert held(subject, modules) == holding(items)


@clause(
    "module_list/insert-before-a-negative-index",
    "torch.nn.ModuleList.insert",
    "Insert a given module before a given index in the list.",
    needs="ModuleList.insert",
)
@given(items=labels(min_size=1), position=st.integers(0, 7), new=label())
def test_insert_counts_a_negative_index_from_the_end(implementation, device, items, position, new):
    """insert(i, module) with -len <= i < 0 puts the module before the one that modules[i] is, as for a Python list."""
    index = -1 - position % len(items)
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleList(pick(subject, items))
    modules.insert(index, subject[new])
    after = list(items)
    after.insert(index, new)
    assert held(subject, modules) == holding(after)


@clause(
    "module_list/insert-beyond-the-ends-as-a-list",
    "torch.nn.ModuleList.insert",
    "Insert a given module before a given index in the list.",
    severity=RECOMMENDED,
    needs="ModuleList.insert",
)
@given(items=labels(), beyond=st.integers(1, 3), before=st.booleans(), new=label())
def test_insert_beyond_an_end_inserts_there_or_refuses(implementation, device, items, beyond, before, new):
    """insert(i, module) with i > len or i < -len inserts at that end, as for a Python list, or raises IndexError and
    leaves the ModuleList unchanged."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleList(pick(subject, items))
    index = -len(items) - beyond if before else len(items) + beyond
    try:
        modules.insert(index, subject[new])
    except IndexError:
        assert held(subject, modules) == holding(items)
    else:
        assert held(subject, modules) == holding([new, *items] if before else [*items, new])


@clause(
    "module_list/refuses-what-is-no-module",
    "source:torch.nn.Module.add_module",
    "is not a Module subclass",
    severity=OBSERVED,
    needs=("ModuleList.append", "ModuleList.extend"),
)
@given(items=labels(min_size=1), wrong=NO_MODULE)
def test_what_is_no_module_is_refused_and_the_list_unchanged(implementation, device, items, wrong):
    """append, extend and item assignment raise TypeError for an object that is no module, and leave the ModuleList
    unchanged."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleList(pick(subject, items))
    with pytest.raises(TypeError):
        modules.append(wrong)
    with pytest.raises(TypeError):
        modules.extend([wrong])
    with pytest.raises(TypeError):
        modules[-1] = wrong
    assert held(subject, modules) == holding(items)


@clause(
    "module_list/extend-refuses-what-is-no-iterable",
    "source:torch.nn.ModuleList.extend",
    "ModuleList.extend should be called with an iterable, but got",
    severity=OBSERVED,
    needs="ModuleList.extend",
)
@given(items=labels(), wrong=st.sampled_from((3, None, 1.5, True)))
def test_extend_raises_type_error_for_what_is_no_iterable(implementation, device, items, wrong):
    """extend(x) and += x raise TypeError where x is no iterable, a single module included, and leave the ModuleList
    unchanged."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleList(pick(subject, items))
    with pytest.raises(TypeError):
        modules.extend(wrong)
    with pytest.raises(TypeError):
        modules += wrong
    with pytest.raises(TypeError):
        modules.extend(subject["b"])
    assert held(subject, modules) == holding(items)


@clause(
    "module_list/pop-removes-and-returns",
    "source:torch.nn.ModuleList.pop",
    "v = self[key]",
    severity=OBSERVED,
    since="1.13",
    needs="ModuleList.pop",
)
@given(items=labels(min_size=1, max_size=6), position=st.integers(0, 11), triple=triples())
def test_pop_removes_and_returns_a_module_or_a_slice(implementation, device, items, position, triple):
    """pop(i) removes the i-th module and returns it, pop(slice) removes a slice and returns it as a ModuleList; the
    rest is renumbered."""
    index = position % (2 * len(items)) - len(items)
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleList(pick(subject, items))
    after = list(items)
    assert subject.path(modules.pop(index)) == after.pop(index)
    assert held(subject, modules) == holding(after)
    assert held(subject, modules.pop(slice(*triple))) == holding(after[slice(*triple)])
    del after[slice(*triple)]
    assert held(subject, modules) == holding(after)


@clause(
    "module_list/plus-assignment-extends-in-place",
    "source:torch.nn.ModuleList.__iadd__",
    "return self.extend(modules)",
    severity=OBSERVED,
    needs="ModuleList.__iadd__",
)
@given(items=labels(), more=labels())
def test_plus_assignment_extends_the_list_in_place(implementation, device, items, more):
    """modules += iterable appends the modules of the iterable to the very same ModuleList."""
    subject = implementation.build(MODULES, device)
    modules = before = implementation.ModuleList(pick(subject, items))
    modules += iter(pick(subject, more))
    assert modules is before
    assert held(subject, modules) == holding(items + more)
