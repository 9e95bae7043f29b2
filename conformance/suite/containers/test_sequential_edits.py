"""Edits of a Sequential: appending, extending, inserting, popping, adding, multiplying and deleting."""

from __future__ import annotations

from collections import OrderedDict

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, RECOMMENDED, clause, given
from conformance.suite.support.containers import (
    MODULES,
    held,
    holding,
    pick,
)
from strategies.edits import NUMBERED, entries, label, labels, list_edits, triples


@clause(
    "sequential/append-at-the-end",
    "torch.nn.Sequential.append",
    "Append a given module to the end.",
    since="1.11",
    needs="Sequential.append",
)
@given(history=list_edits("append"))
def test_append_adds_a_module_at_the_end_of_a_sequential(implementation, device, history):
    """append(module) adds the module at the end of a Sequential made from modules, also one that it already holds."""
    items, edits = list(history[0]), history[1]
    subject = implementation.build(MODULES, device)
    modules = implementation.Sequential(*pick(subject, items))
    for _, new in edits:
        modules.append(subject[new])
    assert held(subject, modules) == holding(items + [new for _, new in edits])


@clause(
    "sequential/append-keeps-the-names",
    "torch.nn.Sequential.append",
    "Append a given module to the end.",
    since="1.11",
    needs="Sequential.append",
)
@given(members=entries(names=("a", "layer", "weight", "module", "名前")), new=label())
def test_append_adds_a_module_behind_those_with_names(implementation, device, members, new):
    """append(module) adds the module behind those of a Sequential made from an OrderedDict, which keep their names."""
    subject = implementation.build(MODULES, device)
    modules = implementation.Sequential(OrderedDict((name, subject[letter]) for name, letter in members.items()))
    modules.append(subject[new])
    assert subject.paths(modules) == [*members.values(), new]
    assert {name: subject.path(getattr(modules, name)) for name in members} == members


@clause(
    "sequential/append-to-a-slice-loses-no-module",
    "torch.nn.Sequential.append",
    "Append a given module to the end.",
    since="1.11",
    needs="Sequential.append",
)
@given(items=labels(max_size=6), triple=triples(), new=label())
def test_append_to_a_slice_of_a_sequential_loses_no_module(implementation, device, items, triple, new):
    """append(module) adds the module at the end also of a Sequential that is a slice of another one."""
    subject = implementation.build(MODULES, device)
    part = implementation.Sequential(*pick(subject, items))[slice(*triple)]
    part.append(subject[new])
    assert subject.paths(part) == [*items[slice(*triple)], new]


@clause(
    "sequential/extend-at-the-end",
    "torch.nn.Sequential.extend",
    "Extends the current Sequential container with layers from another Sequential container.",
    since="1.13",
    needs="Sequential.extend",
)
@given(items=labels(), more=labels())
def test_extend_adds_the_modules_of_another_sequential_at_the_end(implementation, device, items, more):
    """extend(other) adds the modules of the other Sequential at the end, in order, and leaves the other unchanged."""
    subject = implementation.build(MODULES, device)
    modules = implementation.Sequential(*pick(subject, items))
    other = implementation.Sequential(*pick(subject, more))
    modules.extend(other)
    assert held(subject, modules) == holding(items + more)
    assert held(subject, other) == holding(more)


@clause(
    "sequential/extend-of-a-named-one-loses-no-module",
    "torch.nn.Sequential.extend",
    "Extends the current Sequential container with layers from another Sequential container.",
    since="1.13",
    needs="Sequential.extend",
)
@given(members=entries(names=NUMBERED), more=labels())
def test_extend_of_a_sequential_with_names_loses_no_module(implementation, device, members, more):
    """extend(other) adds the modules of the other at the end also of a Sequential made from an OrderedDict, whatever
    its names."""
    subject = implementation.build(MODULES, device)
    modules = implementation.Sequential(OrderedDict((name, subject[letter]) for name, letter in members.items()))
    modules.extend(implementation.Sequential(*pick(subject, more)))
    assert subject.paths(modules) == [*members.values(), *more]


@clause(
    "sequential/insert-at-an-index",
    "torch.nn.Sequential.insert",
    "Inserts a module into the Sequential container at the specified index.",
    since="1.13",
    needs="Sequential.insert",
)
@given(history=list_edits("insert"))
def test_insert_puts_a_module_at_the_index_of_a_sequential(implementation, device, history):
    """insert(i, module) puts the module at index i, 0 <= i <= len; those from there on move down by one."""
    items, edits = list(history[0]), history[1]
    subject = implementation.build(MODULES, device)
    modules = implementation.Sequential(*pick(subject, items))
    for _, index, new in edits:
        modules.insert(index, subject[new])
        items.insert(index, new)
        assert held(subject, modules) == holding(items)


@clause(
    "sequential/insert-into-a-named-one",
    "torch.nn.Sequential.insert",
    "Inserts a module into the Sequential container at the specified index.",
    since="1.13",
    needs="Sequential.insert",
)
@given(members=entries(names=NUMBERED), position=st.integers(0, 7), new=label())
def test_insert_works_on_a_sequential_with_names(implementation, device, members, position, new):
    """insert(i, module) puts the module at index i also of a Sequential made from an OrderedDict, whatever its
    names."""
    subject = implementation.build(MODULES, device)
    modules = implementation.Sequential(OrderedDict((name, subject[letter]) for name, letter in members.items()))
    index = position % (len(members) + 1)
    modules.insert(index, subject[new])
    after = list(members.values())
    after.insert(index, new)
    assert subject.paths(modules) == after


@clause(
    "sequential/insert-counts-from-the-end-or-refuses",
    "source:torch.nn.Sequential.insert",
    "if not (-n <= index <= n):",
    severity=OBSERVED,
    since="1.13",
    needs="Sequential.insert",
)
@given(items=labels(min_size=1), position=st.integers(0, 7), beyond=st.integers(1, 3), new=label())
def test_insert_takes_negative_indices_and_refuses_those_out_of_range(
    implementation, device, items, position, beyond, new
):
    """insert(i, module) counts -len <= i < 0 from the end; it raises IndexError outside -len <= i <= len, an error for
    what is no module, and leaves the Sequential unchanged."""
    subject = implementation.build(MODULES, device)
    modules = implementation.Sequential(*pick(subject, items))
    for index in (len(items) + beyond, -len(items) - beyond):
        with pytest.raises(IndexError):
            modules.insert(index, subject[new])
    with pytest.raises((AssertionError, TypeError)):
        modules.insert(0, "text")
    assert held(subject, modules) == holding(items)
    after = list(items)
    after.insert(-1 - position % len(items), new)
    modules.insert(-1 - position % len(items), subject[new])
    assert held(subject, modules) == holding(after)


@clause(
    "sequential/append-extend-and-insert-return-it",
    "torch.nn.Sequential.append",
    ">>> n.append(nn.Linear(3, 4)) Sequential(",
    severity=RECOMMENDED,
    since="1.13",
    needs=("Sequential.append", "Sequential.extend", "Sequential.insert"),
)
@given(items=labels(), more=labels(), new=label())
def test_append_extend_and_insert_return_the_sequential_itself(implementation, device, items, more, new):
    """append(module), extend(other) and insert(i, module) return the Sequential itself, so that calls can be
    chained."""
    subject = implementation.build(MODULES, device)
    modules = implementation.Sequential(*pick(subject, items))
    assert modules.append(subject[new]) is modules
    assert modules.extend(implementation.Sequential(*pick(subject, more))) is modules
    assert modules.insert(0, subject[new]) is modules
    assert held(subject, modules) == holding([new, *items, new, *more])


@clause(
    "sequential/pop-removes-and-returns",
    "torch.nn.Sequential.pop",
    "Pop ``key`` from self.",
    since="1.13",
    needs="Sequential.pop",
)
@given(items=labels(min_size=1, max_size=6), position=st.integers(0, 11), triple=triples())
def test_pop_removes_and_returns_modules_of_a_sequential(implementation, device, items, position, triple):
    """pop(i) removes the i-th module and returns it, pop(slice) removes a slice and returns a Sequential of it; the
    rest of a Sequential made from modules is renumbered."""
    index = position % (2 * len(items)) - len(items)
    subject = implementation.build(MODULES, device)
    modules = implementation.Sequential(*pick(subject, items))
    after = list(items)
    assert subject.path(modules.pop(index)) == after.pop(index)
    assert held(subject, modules) == holding(after)
    popped = modules.pop(slice(*triple))
    assert isinstance(popped, implementation.Sequential)
    assert subject.paths(popped) == after[slice(*triple)]
    del after[slice(*triple)]
    assert held(subject, modules) == holding(after)


@clause(
    "sequential/plus-joins-two",
    "torch.nn.Sequential.extend",
    ">>> n.extend(other) # or `n + other`",
    severity=RECOMMENDED,
    since="1.13",
    needs="Sequential.__add__",
)
@given(items=labels(), more=labels())
def test_plus_makes_a_new_sequential_of_the_modules_of_both(implementation, device, items, more):
    """a + b is a new Sequential of the modules of both, numbered from "0"; neither a nor b changes."""
    subject = implementation.build(MODULES, device)
    one, other = (implementation.Sequential(*pick(subject, letters)) for letters in (items, more))
    both = one + other
    assert isinstance(both, implementation.Sequential)
    assert held(subject, both) == holding(items + more)
    both.append(subject["a"])
    assert held(subject, one) == holding(items)
    assert held(subject, other) == holding(more)


@clause(
    "sequential/plus-assignment-extends-in-place",
    "source:torch.nn.Sequential.__iadd__",
    "self.add_module(str(i + offset), module) return self",
    severity=OBSERVED,
    since="1.13",
    needs="Sequential.__iadd__",
)
@given(items=labels(), more=labels())
def test_plus_assignment_extends_the_sequential_in_place(implementation, device, items, more):
    """a += b appends the modules of the Sequential b to the very same a; b does not change."""
    subject = implementation.build(MODULES, device)
    modules = before = implementation.Sequential(*pick(subject, items))
    other = implementation.Sequential(*pick(subject, more))
    modules += other
    assert modules is before
    assert held(subject, modules) == holding(items + more)
    assert held(subject, other) == holding(more)


@clause(
    "sequential/plus-refuses-what-is-no-sequential",
    "source:torch.nn.Sequential.__add__",
    "add operator supports only objects of Sequential class, but",
    severity=OBSERVED,
    since="1.13",
    needs="Sequential.__add__",
)
@given(items=labels(), more=labels())
def test_plus_and_plus_assignment_raise_value_error_for_other_types(implementation, device, items, more):
    """a + b and a += b raise ValueError where b is no Sequential, a list or a ModuleList included, and leave a
    unchanged."""
    subject = implementation.build(MODULES, device)
    modules = implementation.Sequential(*pick(subject, items))
    for other in (pick(subject, more), implementation.ModuleList(pick(subject, more)), subject["a"], 1):
        with pytest.raises(ValueError):
            modules + other
        with pytest.raises(ValueError):
            modules += other
    assert held(subject, modules) == holding(items)


@clause(
    "sequential/times-repeats-the-modules",
    "source:torch.nn.Sequential.__mul__",
    "for _ in range(other): for module in self: combined.add_module(str(offset), module)",
    severity=OBSERVED,
    since="1.13",
    needs=("Sequential.__mul__", "Sequential.__rmul__", "Sequential.__imul__"),
)
@given(items=labels(), factor=st.integers(1, 3))
def test_times_repeats_the_same_modules(implementation, device, items, factor):
    """modules * n and n * modules are a new Sequential of n times the same module objects; modules *= n makes it of the
    very same Sequential."""
    subject = implementation.build(MODULES, device)
    modules = before = implementation.Sequential(*pick(subject, items))
    for product in (modules * factor, factor * modules):
        assert product is not modules
        assert held(subject, product) == holding(items * factor)
    assert held(subject, modules) == holding(items)
    modules *= factor
    assert modules is before
    assert held(subject, modules) == holding(items * factor)


@clause(
    "sequential/times-refuses-other-factors",
    "source:torch.nn.Sequential.__mul__",
    "Non-positive multiplication factor",
    severity=OBSERVED,
    since="1.13",
    needs=("Sequential.__mul__", "Sequential.__rmul__", "Sequential.__imul__"),
)
@given(items=labels(), factor=st.integers(-2, 0), wrong=st.sampled_from((1.5, "2", None, [2])))
def test_times_raises_for_what_is_no_positive_integer(implementation, device, items, factor, wrong):
    """Multiplying a Sequential raises ValueError for a factor of 0 or less and TypeError for what is no integer, and
    leaves it unchanged."""
    subject = implementation.build(MODULES, device)
    modules = implementation.Sequential(*pick(subject, items))
    for error, other in ((ValueError, factor), (TypeError, wrong)):
        with pytest.raises(error):
            modules * other
        with pytest.raises(error):
            other * modules
        with pytest.raises(error):
            modules *= other
    assert held(subject, modules) == holding(items)


@clause(
    "sequential/assignment-keeps-the-name",
    "source:torch.nn.Sequential.__setitem__",
    "key: str = self._get_item_by_idx(self._modules.keys(), idx)",
    severity=OBSERVED,
    needs="Sequential",
)
@given(members=entries(min_size=1), position=st.integers(0, 7), new=label())
def test_assigning_to_an_index_keeps_name_and_place(implementation, device, members, position, new):
    """modules[i] = module replaces the i-th module, counted from the end for i < 0, under the name and in the place
    that it had."""
    index = position % (2 * len(members)) - len(members)
    subject = implementation.build(MODULES, device)
    modules = implementation.Sequential(OrderedDict((name, subject[letter]) for name, letter in members.items()))
    modules[index] = subject[new]
    after = list(members.values())
    after[index] = new
    assert held(subject, modules) == holding(after, members)


@clause(
    "sequential/deletion-renumbers",
    "source:torch.nn.Sequential.__delitem__",
    "# To preserve numbering",
    severity=OBSERVED,
    since="1.13",
    needs="Sequential",
)
@given(items=labels(min_size=1, max_size=6), position=st.integers(0, 11), triple=triples())
def test_deleting_from_a_sequential_renumbers_the_rest(implementation, device, items, position, triple):
    """del modules[i] and del modules[i:j:k] remove what a Python list would lose; the rest of a Sequential made from
    modules is renumbered from "0"."""
    index = position % (2 * len(items)) - len(items)
    subject = implementation.build(MODULES, device)
    modules = implementation.Sequential(*pick(subject, items))
    after = list(items)
    del modules[index], after[index]
    assert held(subject, modules) == holding(after)
    del modules[slice(*triple)], after[slice(*triple)]
    assert held(subject, modules) == holding(after)


@clause(
    "sequential/refuses-what-is-no-module",
    "source:torch.nn.Module.add_module",
    "is not a Module subclass",
    severity=OBSERVED,
    since="1.13",
    needs=("Sequential.append", "Sequential.extend"),
)
@given(items=labels(min_size=1), wrong=st.sampled_from((3, "text", (), [], {}, True)))
def test_what_is_no_module_is_refused_and_the_sequential_unchanged(implementation, device, items, wrong):
    """append, extend and item assignment raise TypeError for an object that is no module, and leave the Sequential
    unchanged."""
    subject = implementation.build(MODULES, device)
    modules = implementation.Sequential(*pick(subject, items))
    with pytest.raises(TypeError):
        modules.append(wrong)
    with pytest.raises(TypeError):
        modules.extend([wrong])
    with pytest.raises(TypeError):
        modules[-1] = wrong
    assert held(subject, modules) == holding(items)
