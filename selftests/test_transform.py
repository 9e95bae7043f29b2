"""Blueprints made from blueprints: what an adapter has built in place of trees that its framework refuses."""

from __future__ import annotations

from hypothesis import given

from conformance import model
from conformance.language import blueprint as bp
from conformance.language.transform import chained, refilled, respelled, without_empty
from strategies import blueprints
from strategies.names import NAMES

NEW = {name: f"new{i}" for i, name in enumerate(NAMES)}
REFUSED = {"ModuleDict": ("Sequential", "module"), "ModuleList": ("ModuleDict",)}


def refuses(kind, held):
    return not set(held).isdisjoint(REFUSED.get(kind, ()))


@given(blueprint=blueprints())
def test_a_respelled_tree_is_the_same_but_for_names_of_modules(blueprint):
    old, new = model.of(blueprint), model.of(respelled(blueprint, NEW))
    assert [module.kind for module in new.modules()] == [module.kind for module in old.modules()]
    assert [tensor.flat for tensor in new.tensors().values()] == [tensor.flat for tensor in old.tensors().values()]
    for (before, _), (after, _) in zip(old.walk(), new.walk(), strict=True):
        assert after == ".".join(NEW.get(part, part) for part in before.split("."))
    for mine, yours in zip(new.modules(), old.modules(), strict=True):
        assert (list(mine.parameters_), list(mine.buffers_)) == (list(yours.parameters_), list(yours.buffers_))


def test_a_parameter_keeps_its_name_where_a_module_has_the_same():
    tree = bp.Module({"é": bp.Module({"é": bp.Parameter((1,))}), "a": bp.Shared("é.é"), "b": bp.Shared("é")})
    expected = bp.Module({"e": bp.Module({"é": bp.Parameter((1,))}), "a": bp.Shared("e.é"), "b": bp.Shared("e")})
    assert respelled(tree, {"é": "e"}) == expected


@given(blueprint=blueprints())
def test_a_chained_tree_holds_the_same_and_nothing_that_is_refused(blueprint):
    old, new = model.of(blueprint), model.of(chained(blueprint, refuses))
    assert new.named_modules() == old.named_modules()
    assert new.state_dict() == old.state_dict()
    for mine, yours in zip(new.modules(), old.modules(), strict=True):
        assert mine.kind in (yours.kind, "Chain")
        assert not refuses(mine.kind, [getattr(child, "kind", "module") for child in mine.modules_.values()])


def test_a_refusal_counts_through_a_second_name():
    tree = bp.Module({"a": bp.Sequential(), "b": bp.ModuleDict({"c": bp.Shared("a")})})
    assert chained(tree, refuses).at("b").kind == "Chain"
    assert chained(tree, lambda kind, held: False) == tree


def test_an_empty_container_may_be_refused():
    tree = bp.Module({"a": bp.ModuleList(), "b": bp.ModuleList([bp.Empty("module")]), "c": bp.Identity()})
    changed = chained(tree, lambda kind, held: kind == "ModuleList" and not held)
    assert [node.kind for node in changed.nodes()] == ["Module", "Chain", "ModuleList", "Identity"]


def test_what_was_found_of_another_dtype_is_refilled_and_given_elements():
    found = bp.Module({"a": bp.Buffer((2,), "int8", held=(7, 1)), "b": bp.Buffer((0, 2), "int8", held=())})
    assert refilled(found).at("a") == bp.Buffer((2,), "int8", held=(1, 0))
    assert without_empty(found).at("b") == bp.Buffer((1, 2), "int8", held=(0, 0))
    assert without_empty(found).at("a") == found.at("a")
