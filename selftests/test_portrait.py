"""The portrait of a tree: what it shows, that both sides leave out the same, and that it costs little."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import Phase

from conformance.adapter import finding
from conformance.adapter.given import given as one_module
from conformance.adapter.lens import seen
from conformance.implementations.reference import Reference, implementation
from conformance.language import blueprint as bp
from conformance.model import Reading
from conformance.run.judge import reason
from conformance.run.reason import differing
from strategies import blueprints

SETTINGS = hypothesis.settings(
    max_examples=60, database=None, derandomize=True, deadline=None, phases=[Phase.explicit, Phase.generate]
)
TREE = bp.Module(
    {
        "own": bp.Parameter((2,), fill=1, requires_grad=False),
        "again": bp.Shared("own"),
        "kept": bp.Buffer((), "int64", persistent=False),
        "none": bp.Empty("module"),
        "child": bp.Module({"note": bp.Attribute("text"), "_kept": bp.Attribute(1)}, training=False),
    }
)


def test_a_portrait_says_what_is_registered_once_for_each_object():
    subject = seen(implementation).build(TREE)
    assert subject.portrait() == {
        "": {
            "members": [
                ("own", "parameter", "own"),
                ("again", "parameter", "own"),
                ("kept", "transient", "kept"),
                ("none", "module", None),
                ("child", "module", "child"),
            ],
            "training": True,
        },
        "child": {"members": [], "training": False, "attributes": {"note": "text", "_kept": 1}},
        "own": {"kind": "parameter", "holds": Reading((2,), "float32", subject.readings()["own"].flat),
                "requires_grad": False},
        "kept": {"kind": "buffer", "holds": Reading((), "int64", (-15,)), "requires_grad": False},
    }  # fmt: skip
    assert subject.portrait() == subject.expected_portrait()


@pytest.mark.parametrize("name", ["reference", "torch", "data_parallel", "averaged_model"])
def test_the_model_knows_the_portrait_of_every_tree_that_was_just_built(name):
    if name != "reference":
        pytest.importorskip("torch")
    subject = seen(finding.find(name))

    @SETTINGS
    @hypothesis.given(blueprints())
    def same(blueprint):
        built = subject.build(blueprint)
        assert built.portrait() == built.expected_portrait()

    same()


def test_what_an_implementation_cannot_say_is_left_out_of_both_sides():
    class Elsewhere(Reference):
        lacking = {"registries": "kept elsewhere"}

    class Bare(Reference):
        lacking = {"portrait.tensors": "", "portrait.attributes": "", "autograd": "", "tree.mode": ""}

    built = seen(Elsewhere()).build(TREE)
    assert built.portrait() == built.expected_portrait() == {key: {"holds": r} for key, r in built.readings().items()}
    built = seen(Bare()).build(TREE)
    built["own"].grad = built["own"].clone()
    built["child"].more = 1
    assert built.portrait() == built.expected_portrait()
    assert set(built.portrait()["own"]) == {"kind", "holds"} and set(built.portrait()["child"]) == {"members"}


def test_somebodys_own_module_has_a_portrait_too():
    def factory():
        module = implementation.Linear(2, 1)
        module.weight.mark = module.more = 1
        return module

    built = one_module(implementation, factory).build(bp.Module())
    assert built.portrait() == built.expected_portrait()


def test_tensors_that_share_memory_show_it():
    built = seen(implementation).build(bp.Module({"a": bp.Parameter((2,)), "b": bp.Parameter((2,), fill=1)}))
    built["b"].data = built["a"].data
    assert built.portrait()["b"]["shares memory with"] == ["a"]


def test_a_failing_comparison_of_two_dicts_shows_the_entries_that_differ():
    observed, expected = {"a": 1, "b": {"x": 1, "y": 2}}, {"a": 1, "b": {"x": 1}, "c": 3}
    with pytest.raises(AssertionError) as raised:
        assert observed == expected
    assert reason(raised.value) == "observed {'b': {'y': 2}}, expected {'b': {}, 'c': 3}"


@pytest.mark.parametrize(
    "sides", [("{1, 2}", "{1: 2}"), ("{'a': <thing>}", "{}"), ("{1: 2, 3: 4}", "{3: 4, 1: 2}"), ("[1]", "{1: 2}")]
)
def test_other_sides_stay_as_they_are(sides):
    assert differing(*sides) == sides
