"""functional_call: a module called with other tensors in the place of its own, and left as it was."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from conformance import model
from conformance.contract import RECOMMENDED, clause, given
from conformance.language import blueprint as bp
from conformance.language.transform import extended, refilled
from conformance.model.state import chosen
from conformance.suite.support import echo
from conformance.suite.support.members import names, reach, registries
from conformance.suite.support.numbers import approximately
from strategies import blueprints, callables
from strategies.inputs import keywords, rows, single_values
from strategies.state import picks

DOCS = "torch.func.functional_call"
NEEDS = ("functional_call", "construction")
#: A module with several names is spoken of in the clauses about ties.
TREES = blueprints(shared=False)


def with_members(blueprint):
    """The tree with a parameter of two names and a buffer, so that there is something to replace."""
    own, mean = bp.Parameter((2,), "float32", 3), bp.Buffer((1,), "float32", 5)
    return extended(blueprint, own=own, tied=bp.Shared("own"), mean=mean)


def looking(implementation, subject):
    """A module round the tree, whose forward tells what it finds under each name in it."""

    class Looking(implementation.Module):
        def __init__(self):
            super().__init__()
            self.tree = subject.module

        def forward(self):
            return {name: implementation.read(reach(self.tree, name)) for name in names(subject.model)}

    return Looking()


def tensor(implementation, described, device):
    """A plain tensor as the model describes it."""
    return implementation.tensor(described.values(), described.dtype, device, described.shape)


def found(before, after, paths):
    """What is found under each name where the objects at these paths have other values."""
    old, new = before.tensors(), after.tensors()
    return {
        name: model.reading(new[path] if path in paths else old[path]) for name, path in names(before).items()
    }  # fmt: skip


@clause(
    "functional_call/replaced-values",
    DOCS,
    "Performs a functional call on the module by replacing the module parameters and buffers with the provided ones.",
    since="2.0",
    needs=(*NEEDS, "Linear"),
)
@given(blueprint=callables(), rows=rows(), some=picks(min_size=0))
def test_functional_call_computes_with_the_given_tensors(implementation, device, blueprint, rows, some):
    """functional_call(module, tensors, x) returns what the module computes with the given parameters and buffers in the
    place of its own, under one name of each, and with its own where none is given."""
    blueprint = extended(blueprint, last=bp.Linear(2, 2))
    subject = implementation.build(blueprint, device)
    subject.module.eval()
    after = model.of(refilled(blueprint)).tensors()
    computing = model.of(blueprint)
    values = {}
    for path in chosen(list(after), some):
        computing.tensors()[path].flat = after[path].flat
        values[path] = tensor(implementation, after[path], device)
    output = implementation.functional_call(subject.module, values, implementation.tensor(rows, device=device))
    assert implementation.read(output).flat == approximately(model.forward(computing, rows))


@clause(
    "functional_call/module-stays-as-it-was",
    DOCS,
    "print(mod.weight)  # same as before functional_call",
    since="2.0",
    needs=NEEDS,
)
@given(blueprint=TREES, some=picks(min_size=0), tied=st.booleans(), every_name=st.booleans())
def test_functional_call_leaves_the_module_as_it_was(implementation, device, blueprint, some, tied, every_name):
    """After functional_call all that is registered in the tree is the same objects under the same names in the same
    order, with the values that they had."""
    subject = implementation.build(with_members(blueprint), device)
    after = model.of(refilled(with_members(blueprint))).tensors()
    values = {f"tree.{path}": tensor(implementation, after[path], device) for path in chosen(list(after), some)}
    if "tree.own" in values and every_name:
        values["tree.tied"] = values["tree.own"]
    before = registries(subject)
    implementation.functional_call(looking(implementation, subject), values, (), tie_weights=tied)
    assert registries(subject) == before
    assert subject.readings() == subject.expected_readings()


@clause(
    "functional_call/module-stays-as-it-was-after-an-exception",
    DOCS,
    "print(mod.weight)  # same as before functional_call",
    severity=RECOMMENDED,
    since="2.0",
    needs=NEEDS,
)
@given(blueprint=TREES, some=picks())
def test_functional_call_leaves_the_module_as_it_was_where_forward_raises(implementation, device, blueprint, some):
    """Where the module's forward raises an exception, functional_call passes it on and all that is registered in the tree
    is what it was before."""

    subject = implementation.build(with_members(blueprint), device)

    class Raising(implementation.Module):
        def __init__(self):
            super().__init__()
            self.tree = subject.module

        def forward(self):
            raise ArithmeticError("raised by forward")

    after = model.of(refilled(with_members(blueprint))).tensors()
    values = {f"tree.{path}": tensor(implementation, after[path], device) for path in chosen(list(after), some)}
    before = registries(subject)
    with pytest.raises(ArithmeticError, match="raised by forward"):
        implementation.functional_call(Raising(), values, ())
    assert registries(subject) == before
    assert subject.readings() == subject.expected_readings()


@clause(
    "functional_call/arguments-are-passed-on",
    DOCS,
    "arguments to be passed to the module call. If not a tuple, considered a single argument.",
    since="2.0",
    needs=NEEDS,
)
@given(single=single_values(), rest=st.lists(single_values(), max_size=2), keywords=keywords())
def test_functional_call_passes_arguments_on(implementation, device, single, rest, keywords):
    """A tuple of arguments is passed to the module one by one, anything else as its only argument; keyword arguments are
    passed under their names."""
    module = echo.define(implementation.Module)()
    assert implementation.functional_call(module, {}, (single, *rest), keywords) == ((single, *rest), keywords)
    assert implementation.functional_call(module, {}, single, keywords) == ((single,), keywords)
    assert implementation.functional_call(module, {}, kwargs=keywords, args=()) == ((), keywords)


@clause(
    "functional_call/tuple-of-dictionaries",
    DOCS,
    "If given a tuple of dictionaries, they must have distinct keys so that all dictionaries can be used together",
    since="2.0",
    needs=NEEDS,
)
@given(blueprint=TREES, some=picks(), cut=st.integers(0, 4))
def test_a_tuple_of_dictionaries_is_used_together(implementation, device, blueprint, some, cut):
    """Tensors may be given in a tuple of dictionaries: all of them take the place of the module's own."""
    subject = implementation.build(with_members(blueprint), device)
    after = model.of(refilled(with_members(blueprint)))
    paths = chosen(list(after.tensors()), some)
    given = [
        {f"tree.{path}": tensor(implementation, after.tensors()[path], device) for path in part}
        for part in (paths[:cut], paths[cut:])
    ]
    seen = implementation.functional_call(looking(implementation, subject), tuple(given), ())
    assert seen == found(subject.model, after, paths)


@clause(
    "functional_call/repeated-keys-are-refused",
    DOCS,
    "If given a tuple of dictionaries, they must have distinct keys",
    since="2.0",
    needs=NEEDS,
)
@given(blueprint=TREES, some=picks())
def test_dictionaries_with_a_key_in_common_are_refused(implementation, device, blueprint, some):
    """A tuple of dictionaries that have a key in common raises an exception, the module is not called, and nothing is
    changed."""
    subject = implementation.build(with_members(blueprint), device)
    after = model.of(refilled(with_members(blueprint))).tensors()
    paths = chosen(list(after), some)
    calls = []

    class Calling(implementation.Module):
        def __init__(self):
            super().__init__()
            self.tree = subject.module

        def forward(self):
            calls.append("called")

    for path in paths:
        values = {f"tree.{path}": tensor(implementation, after[path], device)}
        with pytest.raises((ValueError, TypeError, KeyError, RuntimeError)):
            implementation.functional_call(Calling(), (values, dict(values)), ())
    assert calls == []
    assert subject.readings() == subject.expected_readings()


@clause(
    "functional_call/strict-wants-every-name",
    DOCS,
    "If True, then the parameters and buffers passed in must match the parameters and buffers in the original module. "
    "Therefore, if True and there are any missing or unexpected keys, it will error.",
    since="2.0",
    needs=NEEDS,
)
@given(blueprint=TREES, dropped=picks(min_size=0), stranger=st.booleans())
def test_strict_functional_call_wants_every_name_and_no_other(implementation, device, blueprint, dropped, stranger):
    """With strict=True functional_call takes a tensor for each parameter and buffer; where one is missing, or a name is
    unknown, it raises an exception and leaves the module as it was."""
    subject = implementation.build(with_members(blueprint), device)
    after = model.of(refilled(with_members(blueprint)))
    module = looking(implementation, subject)
    values = {f"tree.{path}": tensor(implementation, each, device) for path, each in after.tensors().items()}
    seen = implementation.functional_call(module, values, (), strict=True)
    assert seen == found(subject.model, after, list(after.tensors()))
    before = registries(subject)
    wrong = dict(values)
    if stranger or not dropped:
        wrong["stranger"] = implementation.tensor([0.0], device=device)
    for key in chosen(list(values), dropped):
        del wrong[key]
    with pytest.raises((RuntimeError, KeyError, ValueError, TypeError, AttributeError)):
        implementation.functional_call(module, wrong, (), strict=True)
    assert registries(subject) == before
    assert subject.readings() == subject.expected_readings()


@clause(
    "functional_call/gradients-reach-the-given-tensors",
    DOCS,
    "an example of applying the grad transform over the parameters of a model.",
    severity=RECOMMENDED,
    since="2.0",
    needs=(*NEEDS, "autograd"),
)
@given(rows=rows(), fill=st.integers(0, 30))
def test_gradients_reach_the_given_tensors_and_not_those_of_the_module(implementation, device, rows, fill):
    """The backward pass of a functional call leaves gradients on the given tensors, and none on the module's own."""
    module = implementation.Linear(2, 2)
    weight = bp.Parameter((2, 2), "float32", fill)
    values = {
        "weight": implementation.parameter(implementation.make(weight, device)),
        "bias": implementation.parameter(implementation.tensor([0.0, 0.0], device=device)),
    }
    module = implementation.move(module, device)
    output = implementation.functional_call(module, values, implementation.tensor(rows, device=device))
    implementation.backward(output)
    sums = [sum(row[i] for row in rows) for i in (0, 1)]
    assert implementation.read(implementation.grad(values["weight"])).flat == pytest.approx([*sums, *sums])
    assert implementation.read(implementation.grad(values["bias"])).flat == pytest.approx([len(rows)] * 2)
    assert [name for name, own in module.named_parameters() if implementation.grad(own) is not None] == []


def counting(implementation, device, change):
    """A module whose forward changes its buffer ``count``, which is 1."""

    class Counting(implementation.Module):
        def __init__(self):
            super().__init__()
            implementation.register_buffer(self, "count", implementation.tensor([1.0], device=device), True)

        def forward(self):
            change(self)

    return Counting()


def added(module):
    """Add 2 to the buffer in place."""
    module.count.add_(2.0)


def assigned(module):
    """Assign another buffer, greater by 2."""
    module.count = module.count + 2.0


IN_PLACE = (
    "If the module performs in-place operations on parameters/buffers, these will be reflected in the "
    "``parameter_and_buffer_dicts`` input."
)


@clause("functional_call/in-place-changes-reach-the-dictionary", DOCS, IN_PLACE, since="2.0", needs=NEEDS)
@given(start=st.integers(-4, 4))
def test_what_the_module_does_to_a_buffer_is_seen_in_the_dictionary(implementation, device, start):
    """What a forward adds to a buffer in place, or assigns to its name, is found in the dictionary that was given; the
    module's own buffer keeps its value."""
    for change in (added, assigned):
        module = counting(implementation, device, change)
        values = {"count": implementation.tensor([float(start)], device=device)}
        implementation.functional_call(module, values, ())
        assert implementation.read(values["count"]).flat == (start + 2.0,)
        assert implementation.read(module.count).flat == (1.0,)


@clause("functional_call/in-place-changes-reach-each-dictionary", DOCS, IN_PLACE, since="2.0", needs=NEEDS)
@given(start=st.integers(-4, 4))
def test_what_the_module_does_to_a_buffer_is_seen_in_the_dictionaries_of_a_tuple(implementation, device, start):
    """What a forward adds to a buffer in place, or assigns to its name, is found in the dictionary that was given for it
    in a tuple of dictionaries."""
    for change in (added, assigned):
        values = {"count": implementation.tensor([float(start)], device=device)}
        implementation.functional_call(counting(implementation, device, change), ({}, values), ())
        assert implementation.read(values["count"]).flat == (start + 2.0,)
