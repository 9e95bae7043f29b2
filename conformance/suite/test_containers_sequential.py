"""Sequential: modules that run one after another."""

from __future__ import annotations

from collections import OrderedDict

import pytest
from hypothesis import strategies as st

from conformance import model
from conformance.contract import OBSERVED, RECOMMENDED, clause, given
from conformance.suite.support.containers import (
    MODULES,
    Index,
    cascade,
    define_step,
    held,
    holding,
    pick,
    state_of,
    state_of_model,
    tree_of,
)
from conformance.suite.support.numbers import approximately
from strategies import callables
from strategies.edits import LABELS, NUMBERED, edited_list, entries, label, labels, list_edits, triples
from strategies.inputs import rows, values

LATER_METHODS = ("Sequential.append", "Sequential.extend", "Sequential.insert", "Sequential.pop")


@clause(
    "sequential/constructor-keeps-the-order",
    "torch.nn.Sequential",
    "Modules will be added to it in the order they are passed in the constructor.",
    needs="Sequential",
)
@given(items=labels())
def test_sequential_holds_the_modules_passed_in_order(implementation, device, items):
    """Sequential(*modules) holds the modules in the order passed, under the names "0", "1", ..."""
    subject = implementation.build(MODULES, device)
    assert held(subject, implementation.Sequential(*pick(subject, items))) == holding(items)


@clause(
    "sequential/ordered_dict-gives-the-names",
    "torch.nn.Sequential",
    "Alternatively, an ``OrderedDict`` of modules can be passed in.",
    needs="Sequential",
)
@given(members=entries())
def test_sequential_takes_names_and_order_from_an_ordered_dict(implementation, device, members):
    """Sequential(OrderedDict) holds its modules in order, each under its key, by which it is an attribute too."""
    subject = implementation.build(MODULES, device)
    modules = implementation.Sequential(OrderedDict((name, subject[letter]) for name, letter in members.items()))
    assert held(subject, modules) == holding(members.values(), members)
    assert {name: subject.path(getattr(modules, name)) for name in members} == members


@clause(
    "sequential/constructor-refuses-what-is-no-module",
    "source:torch.nn.Module.add_module",
    "is not a Module subclass",
    severity=OBSERVED,
    needs="Sequential",
)
@given(items=labels(min_size=1))
def test_sequential_of_a_list_or_a_plain_dict_raises_type_error(implementation, device, items):
    """Sequential(list) and Sequential(dict) raise TypeError: modules are passed one by one, names in an OrderedDict."""
    subject = implementation.build(MODULES, device)
    with pytest.raises(TypeError):
        implementation.Sequential(pick(subject, items))
    with pytest.raises(TypeError):
        implementation.Sequential(dict(zip("abcd", pick(subject, items), strict=False)))


@clause(
    "sequential/forward-chains-outputs-to-inputs",
    "torch.nn.Sequential",
    'It then "chains" outputs to inputs sequentially for each subsequent module, finally returning the output of',
    needs="Sequential",
)
@given(items=labels(min_size=1, max_size=6), value=values())
def test_calling_a_sequential_passes_each_output_to_the_next_module(implementation, device, items, value):
    """Calling a Sequential gives its input, of any type, to the first module and each output to the next, every module
    as often as it is held, and returns the last output."""
    steps = {letter: define_step(implementation)(letter) for letter in LABELS}
    modules = implementation.Sequential(*[steps[letter] for letter in items])
    assert modules(value) == cascade(items, value)


@clause(
    "sequential/computes-the-composition-of-its-members",
    "torch.nn.Sequential",
    "the layers in a ``Sequential`` are connected in a cascading way.",
    needs="Sequential",
)
@given(blueprint=callables(), rows=rows())
def test_a_sequential_computes_what_its_members_compute_one_after_another(implementation, device, blueprint, rows):
    """A Sequential of layers, nested, shared and named ones included, computes the composition of their functions."""
    blueprint = blueprint.map(as_sequential).replace(kind="Sequential")
    subject = implementation.build(blueprint, device)
    subject.module.eval()
    output = subject.module(implementation.tensor(rows, device=device))
    assert implementation.read(output).flat == approximately(model.forward(subject.model, rows))


def as_sequential(member):
    """Lists and dicts of modules, which a Sequential cannot run, become Sequentials."""
    kind = getattr(member, "kind", "")
    return member.replace(kind="Sequential") if kind in ("ModuleList", "ModuleDict") else member


@clause(
    "sequential/empty-returns-its-input",
    "source:torch.nn.Sequential.forward",
    "for module in self: input = module(input) return input",
    severity=OBSERVED,
    needs="Sequential",
)
@given(value=values())
def test_an_empty_sequential_returns_its_input(implementation, device, value):
    """A Sequential without modules returns the very object that it is called with."""
    assert implementation.Sequential()(value) is value


@clause(
    "sequential/runs-in-the-order-left-by-edits",
    "torch.nn.Sequential",
    "the layers in a ``Sequential`` are connected in a cascading way.",
    since="1.13",
    needs=LATER_METHODS,
)
@given(history=list_edits("append", "extend", "insert", "pop"), value=values())
def test_a_sequential_runs_the_modules_that_edits_have_left_in_order(implementation, device, history, value):
    """After append, extend, insert and pop, calling a Sequential runs the modules that it then holds, in their
    order."""
    items, edits = list(history[0]), history[1]
    steps = {letter: define_step(implementation)(letter) for letter in LABELS}
    modules = implementation.Sequential(*[steps[letter] for letter in items])
    for edit in edits:
        modules, items = edited_list(modules, edit, steps.__getitem__), edited_list(items, edit)
        assert modules(value) == cascade(items, value)


@clause(
    "sequential/runs-what-replaced-a-member",
    "torch.nn.Sequential",
    "the layers in a ``Sequential`` are connected in a cascading way.",
    needs="Sequential",
)
@given(items=labels(min_size=1), position=st.integers(0, 7), new=label(), value=values())
def test_a_sequential_runs_a_module_that_was_assigned_to_the_name_of_a_member(
    implementation, device, items, position, new, value
):
    """After a module is assigned to the attribute that is a member of a Sequential, calling the Sequential runs that
    module in the member's place."""
    steps = {letter: define_step(implementation)(letter) for letter in LABELS}
    modules = implementation.Sequential(*[steps[letter] for letter in items])
    index = position % len(items)
    setattr(modules, str(index), steps[new])
    assert modules(value) == cascade([*items[:index], new, *items[index + 1 :]], value)


@clause(
    "sequential/members-are-registered",
    "torch.nn.Sequential",
    "performing a transformation on the ``Sequential`` applies to each of the modules it stores",
    needs=("Sequential", "Module.requires_grad_"),
)
@given(members=entries())
def test_what_is_done_to_a_sequential_is_done_to_each_of_its_modules(implementation, device, members):
    """The modules of a Sequential are registered: state_dict() has their entries under their names, and eval(),
    requires_grad_(False) and apply() reach them and no others."""
    subject = implementation.build(MODULES, device)
    modules = implementation.Sequential(OrderedDict((name, subject[letter]) for name, letter in members.items()))
    assert state_of(subject, modules) == state_of_model(tree_of("Sequential", members))
    modules.eval()
    modules.requires_grad_(False)
    visited = []
    modules.apply(lambda module: visited.append(subject.path(module)))
    for letter in LABELS:
        inside = letter in members.values()
        assert subject[letter].training is not inside
        assert {implementation.requires_grad(p) for p in subject[letter].parameters()} <= {not inside}
        assert (letter in visited) is inside


@clause(
    "sequential/any-edits-leave-what-a-list-would-hold",
    "torch.nn.Sequential",
    "A sequential container.",
    since="1.13",
    needs=LATER_METHODS,
)
@given(history=list_edits("append", "extend", "insert", "pop"))
def test_after_any_edits_a_sequential_holds_what_a_python_list_would(implementation, device, history):
    """After any sequence of append, extend, insert and pop on a Sequential made from modules, it holds what a Python
    list would hold, the same module several times included, renumbered from "0"."""
    items, edits = list(history[0]), history[1]
    subject = implementation.build(MODULES, device)
    modules = implementation.Sequential(*pick(subject, items))
    for edit in edits:
        modules, items = edited_list(modules, edit, subject.__getitem__), edited_list(items, edit)
        assert held(subject, modules) == holding(items)


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
    "sequential/index-as-a-list",
    "source:torch.nn.Sequential._get_item_by_idx",
    "Get the idx-th item of the iterator.",
    severity=OBSERVED,
    needs="Sequential",
)
@given(members=entries(min_size=1), beyond=st.integers(0, 3), new=label())
def test_an_index_gives_the_module_at_that_position_or_raises(implementation, device, members, beyond, new):
    """modules[i] is the i-th module, counted from the end for i < 0, whatever its name; getting, setting and deleting
    out of range raises IndexError and leaves the Sequential unchanged."""
    subject = implementation.build(MODULES, device)
    modules = implementation.Sequential(OrderedDict((name, subject[letter]) for name, letter in members.items()))
    letters = list(members.values())
    for i in range(-len(letters), len(letters)):
        assert subject.path(modules[i]) == subject.path(modules[Index(i)]) == letters[i]
    for index in (len(letters) + beyond, -len(letters) - 1 - beyond):
        with pytest.raises(IndexError):
            modules[index]
        with pytest.raises(IndexError):
            modules[index] = subject[new]
        with pytest.raises(IndexError):
            del modules[index]
    assert held(subject, modules) == holding(letters, members)


@clause(
    "sequential/slice-keeps-the-names",
    "source:torch.nn.Sequential.__getitem__",
    "return self.__class__(OrderedDict(list(self._modules.items())[idx]))",
    severity=OBSERVED,
    needs="Sequential",
)
@given(members=entries(max_size=6), triple=triples())
def test_a_slice_of_a_sequential_keeps_modules_and_names(implementation, device, members, triple):
    """modules[i:j:k] is a new Sequential, of a subclass's own class, of the same module objects under the names that
    they had; the first one stays unchanged."""

    class Layers(implementation.Sequential):
        pass

    subject = implementation.build(MODULES, device)
    modules = Layers(OrderedDict((name, subject[letter]) for name, letter in members.items()))
    part = modules[slice(*triple)]
    kept = dict(list(members.items())[slice(*triple)])
    assert type(part) is Layers
    assert held(subject, part) == holding(kept.values(), kept)
    assert held(subject, modules) == holding(members.values(), members)


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
    "sequential/acts-as-an-iterable",
    "source:torch.nn.Sequential.__iter__",
    "return iter(self._modules.values())",
    severity=OBSERVED,
    needs="Sequential",
)
@given(items=labels())
def test_iteration_membership_and_dir_follow_a_sequential(implementation, device, items):
    """Iterating over a Sequential, forwards or by reversed(), gives its modules in order, `in` says whether it holds a
    module, and dir() shows none of the names "0", "1", ..."""
    subject = implementation.build(MODULES, device)
    modules = implementation.Sequential(*pick(subject, items))
    assert subject.paths(iter(modules)) == items
    assert subject.paths(reversed(modules)) == items[::-1]
    assert {letter: subject[letter] in modules for letter in LABELS} == {letter: letter in items for letter in LABELS}
    assert [name for name in dir(modules) if name.isdigit()] == []


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
