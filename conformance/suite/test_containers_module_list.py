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
NO_MODULE = st.sampled_from((3, "text", (), [], {}, True))


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
