"""Sequential: modules that run one after another."""

from __future__ import annotations

from collections import OrderedDict

import pytest
from hypothesis import strategies as st

from conformance import model
from conformance.contract import OBSERVED, clause, for_any_module, given
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
from strategies.edits import LABELS, edited_list, entries, label, labels, list_edits, triples
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
    assert subject.paths(implementation.Sequential(*pick(subject, items))) == items
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
    needs=("computation", "Sequential"),
)
@for_any_module(blueprint=callables(), rows=rows())
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
    "torch.nn.Sequential.insert",
    "Inserts a module into the Sequential container at the specified index.",
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
