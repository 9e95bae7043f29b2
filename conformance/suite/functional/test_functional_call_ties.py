"""functional_call on modules in which one parameter, buffer or module has several names."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from conformance import model
from conformance.contract import clause, given
from conformance.language import blueprint as bp
from conformance.language.transform import extended, refilled
from conformance.suite.functional.test_functional_call import DOCS, NEEDS, found, looking, tensor
from conformance.suite.support.members import names, registries, slots
from strategies import blueprints

TIED = "parameters and buffers tied in the original model will be treated as tied in the reparameterized version."


def with_ties(blueprint):
    """The tree with a parameter and a buffer of three names each, and a module of two."""
    return extended(
        blueprint,
        own=bp.Parameter((2,), "float32", 3),
        tied=bp.Shared("own"),
        more=bp.Shared("own"),
        mean=bp.Buffer((1,), "float32", 5),
        average=bp.Shared("mean"),
        middle=bp.Shared("mean"),
        inner=bp.Linear(1, 1),
        again=bp.Shared("inner"),
    )


def groups(described):
    """The names of each object that has several, in order."""
    every = names(described)
    found = {path: [name for name, other in every.items() if other == path] for path in every.values()}
    return {path: group for path, group in found.items() if len(group) > 1}


@clause("functional_call/tied-weights-follow", DOCS, TIED, since="2.0", needs=NEEDS)
@given(blueprint=blueprints(), which=st.integers(0, 63))
def test_a_tensor_for_one_name_is_used_for_all_names_tied_to_it(implementation, device, blueprint, which):
    """A tensor given under any one of the names of a parameter or buffer is found under all of them."""
    after = model.of(refilled(with_ties(blueprint)))
    for path, group in groups(after).items():
        subject = implementation.build(with_ties(blueprint), device)
        module = looking(implementation, subject)
        value = tensor(implementation, after.tensors()[path], device)
        seen = implementation.functional_call(module, {f"tree.{group[which % len(group)]}": value}, ())
        assert seen == found(subject.model, after, [path])


@clause(
    "functional_call/tied-names-given-one-tensor",
    DOCS,
    "If False, it will not respect the originally tied parameters and buffers unless the values passed for both weights "
    "are the same.",
    since="2.0",
    needs=NEEDS,
)
@given(blueprint=blueprints(), tie_weights=st.booleans())
def test_one_tensor_may_be_given_under_all_names_of_a_parameter_or_buffer(
    implementation, device, blueprint, tie_weights
):
    """One tensor given under all names of a parameter or buffer is found under all of them, with and without
    tie_weights."""
    after = model.of(refilled(with_ties(blueprint)))
    for path, group in groups(after).items():
        subject = implementation.build(with_ties(blueprint), device)
        module = looking(implementation, subject)
        value = tensor(implementation, after.tensors()[path], device)
        values = {f"tree.{name}": value for name in group}
        seen = implementation.functional_call(module, values, (), tie_weights=tie_weights)
        assert seen == found(subject.model, after, [path])


@clause(
    "functional_call/names-of-a-shared-module-put-back",
    DOCS,
    "print(mod.weight)  # same as before functional_call",
    since="2.0",
    needs=NEEDS,
)
@given(blueprint=blueprints(), one_name=st.booleans())
def test_tensors_given_for_a_shared_module_leave_it_as_it_was(implementation, device, blueprint, one_name):
    """Where a module has several names, all that is registered in the tree is after functional_call what it was before,
    whether a tensor was given for one of its parameters under one of the names or under all."""
    subject = implementation.build(with_ties(blueprint), device)
    after = model.of(refilled(with_ties(blueprint)))
    before = registries(subject)
    for path in ("inner.weight", "inner.bias"):
        group = groups(subject.model)[path]
        value = tensor(implementation, after.tensors()[path], device)
        values = {f"tree.{name}": value for name in (group[:1] if one_name else group)}
        implementation.functional_call(looking(implementation, subject), values, ())
        assert registries(subject) == before


@clause("functional_call/some-of-the-tied-names-given", DOCS, TIED, since="2.0", needs=NEEDS)
@given(blueprint=blueprints(), left_out=st.integers(0, 63))
def test_one_tensor_may_be_given_under_some_names_of_a_parameter_or_buffer(implementation, device, blueprint, left_out):
    """One tensor given under all but one of three names or more of a parameter or buffer is found under all of them."""
    subject = implementation.build(with_ties(blueprint), device)
    after = model.of(refilled(with_ties(blueprint)))
    for path in ("own", "mean"):
        group = groups(subject.model)[path]
        value = tensor(implementation, after.tensors()[path], device)
        values = {f"tree.{name}": value for i, name in enumerate(group) if i != left_out % len(group)}
        assert len(values) > 1
        seen = implementation.functional_call(looking(implementation, subject), values, ())
        assert seen == found(subject.model, after, [path])


@clause(
    "functional_call/equal-tensors-for-tied-names",
    DOCS,
    "new_a = {'foo': torch.zeros(()), 'foo_tied': torch.zeros(())}",
    since="2.0",
    needs=NEEDS,
)
@given(blueprint=blueprints())
def test_equal_tensors_may_be_given_for_tied_names(implementation, device, blueprint):
    """Equal tensors given for the tied names of a parameter or buffer are found under them, as one tensor would be."""
    subject = implementation.build(with_ties(blueprint), device)
    after = model.of(refilled(with_ties(blueprint)))
    for path in ("own", "mean"):
        group = groups(subject.model)[path]
        values = {f"tree.{name}": tensor(implementation, after.tensors()[path], device) for name in group}
        seen = implementation.functional_call(looking(implementation, subject), values, ())
        assert seen == found(subject.model, after, [path])


@clause(
    "functional_call/different-values-for-tied-names-refused",
    DOCS,
    "if True and different values are passed for the tied parameters and buffers, it will error.",
    since="2.0",
    needs=NEEDS,
)
@given(blueprint=blueprints())
def test_different_values_for_tied_names_are_refused(implementation, device, blueprint):
    """With tie_weights, different values for two names of one parameter or buffer raise an exception, and the module
    stays as it was."""
    subject = implementation.build(with_ties(blueprint), device)
    before = registries(subject)
    for path in ("own", "mean"):
        first, second, *_ = groups(subject.model)[path]
        shape = subject.model.tensors()[path].shape
        one, two = (implementation.make(bp.Tensor(shape, "float32", fill), device) for fill in (1, 2))
        with pytest.raises((ValueError, RuntimeError, KeyError)):
            implementation.functional_call(
                looking(implementation, subject), {f"tree.{first}": one, f"tree.{second}": two}, ()
            )
        assert registries(subject) == before
    assert subject.readings() == subject.expected_readings()


@clause(
    "functional_call/untied-without-tie_weights",
    DOCS,
    "functional_call(mod, a, torch.zeros(()), tie_weights=False)  # tensor(1.)--self.foo_tied is not updated",
    since="2.0",
    needs=NEEDS,
)
@given(blueprint=blueprints(), which=st.integers(0, 63))
def test_without_tie_weights_other_names_keep_their_value(implementation, device, blueprint, which):
    """With tie_weights=False a tensor given under one name of a parameter or buffer is found there, and the other places
    where that parameter or buffer is registered keep theirs."""
    subject = implementation.build(with_ties(blueprint), device)
    after = model.of(refilled(with_ties(blueprint)))
    places = slots(subject.model)
    for path, group in groups(subject.model).items():
        module = looking(implementation, subject)
        chosen = group[which % len(group)]
        value = tensor(implementation, after.tensors()[path], device)
        seen = implementation.functional_call(module, {f"tree.{chosen}": value}, (), tie_weights=False)
        expected = {
            name: model.reading((after if places[name] == places[chosen] else subject.model).tensors()[own])
            for name, own in names(subject.model).items()
        }
        assert seen == expected
