"""Adapters: what they lack is kept out of what is built, and what they do their own way is done so."""

from __future__ import annotations

import pytest

from conformance import model
from conformance.contract import CLAUSES, load
from conformance.implementations.reference import Reference
from conformance.language import blueprint as bp

TREE = bp.Module(
    {
        "thin": bp.Parameter((2,), "bfloat16", 3, requires_grad=False),
        "inner": bp.Module({"count": bp.Buffer((), "bfloat16", persistent=False)}),
        "note": bp.Attribute("text"),
    }
)


class Lacking(Reference):
    """The reference without what a test names, and with attributes, and layers' texts, of its own."""

    def __init__(self, **lacking):
        super().__init__()
        self.lacking = lacking
        self.attributes = []

    def set_attribute(self, module, name, value):
        self.attributes.append((name, value))

    def extra_repr(self, module):
        return "of its own"


@pytest.mark.parametrize("capability", ["dtype.bfloat16", "tree.bfloat16"])
def test_a_dtype_that_is_lacking_is_kept_out_of_trees(capability):
    tree = Lacking(**{capability: "not here"}).restrict(TREE)
    assert tree.at("thin") == bp.Parameter((2,), "float32", 3, requires_grad=False)
    assert tree.at("inner.count") == bp.Buffer((), "float32", persistent=False)
    assert Lacking().restrict(TREE) == TREE


def test_a_dtype_that_only_trees_lack_is_asked_about_alone():
    alone = bp.Tensor((2,), "bfloat16", 3)
    assert Lacking(**{"tree.bfloat16": "not here"}).restrict(alone) == alone
    assert Lacking(**{"dtype.bfloat16": "not here"}).restrict(alone) == bp.Tensor((2,), "float32", 3)


def test_a_dtype_that_is_lacking_is_kept_out_of_plain_attributes():
    tree = bp.Module({"kept": bp.Attribute(bp.Tensor((2,), "bfloat16", 3)), "note": bp.Attribute("text")})
    restricted = Lacking(**{"dtype.bfloat16": "not here"}).restrict(tree)
    assert restricted.at("kept") == bp.Attribute(bp.Tensor((2,), "float32", 3))
    assert restricted.at("note") == bp.Attribute("text")


def test_plain_attributes_of_a_tree_are_given_as_the_adapter_says():
    implementation = Lacking()
    implementation.build(TREE)
    assert implementation.attributes == [("note", "text")]


def test_the_text_of_a_layer_is_the_adapters():
    tree = model.of(bp.Sequential([bp.Dropout(0.5)]))
    assert model.representation(tree, None, Lacking().extra_repr) == "Sequential(\n  (0): Dropout(of its own)\n)"


def test_every_capability_that_a_clause_needs_is_one():
    load()
    implementation = Lacking()
    for clause in CLAUSES.values():
        for capability in clause.needs:
            assert "is no capability" not in (implementation.lacks(capability) or ""), clause.id


def test_what_is_drawn_is_narrowed_and_a_witness_is_not():
    built = []

    class Watched(Reference):
        def narrowed(self, clause, name, value):
            return bp.Module() if name == "blueprint" else value

        def build(self, blueprint, device="cpu"):
            built.append(blueprint)
            return super().build(blueprint, device)

    clause = load()["traversal/named_parameters-own-then-children"]
    clause.test()(implementation=Watched(), device="cpu")
    assert set(built) == {bp.Module()}
    clause.function(implementation=Watched(), device="cpu", blueprint=TREE)
    assert built[-1] == TREE
