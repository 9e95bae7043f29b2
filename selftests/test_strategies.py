"""What the strategies generate, with figures, and what they find and shrink to."""

from __future__ import annotations

from functools import lru_cache

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from conformance import model
from conformance.language import blueprint as bp
from conformance.language.text import parse
from strategies import blueprints, callables
from strategies.names import NAMES

QUIET = {"database": None, "deadline": None, "suppress_health_check": list(HealthCheck)}


def sample(strategy, count=1000):
    drawn = []

    @settings(max_examples=count, phases=[Phase.generate], derandomize=True, **QUIET)
    @given(strategy)
    def collect(value):
        drawn.append(value)

    collect()
    return drawn


@lru_cache
def trees():
    return sample(blueprints())


def share(trees, predicate):
    return sum(map(predicate, trees)) / len(trees)


def members(tree):
    return [member for node in tree.nodes() for _, member in node.members]


def holds(kind):
    return lambda tree: any(isinstance(member, kind) for member in members(tree))


def own_dtypes(tree):
    return {m.dtype for n in tree.nodes() if n.kind not in bp.LAYERS for _, m in n.members if isinstance(m, bp.Tensor)}


def below_root(kind):
    return lambda tree: any(node.kind == kind for path, node in tree.walk() if path)


@pytest.mark.parametrize(
    "what, predicate, at_least",
    [
        ("nest three levels or deeper", lambda tree: tree.depth >= 3, 0.30),
        ("share a module or parameter", holds(bp.Shared), 0.25),
        ("hold a None entry", holds(bp.Empty), 0.20),
        ("hold a plain attribute", holds(bp.Attribute), 0.20),
        ("hold a non-persistent buffer", lambda t: any(not getattr(m, "persistent", True) for m in members(t)), 0.20),
        *[(f"hold a {kind}", below_root(kind), 0.40) for kind in bp.CONTAINERS if kind != "Chain"],
    ],
)
def test_share_of_trees_that(what, predicate, at_least):
    assert share(trees(), predicate) >= at_least, what


def test_trees_have_eight_nodes_or_more_on_average_and_hardly_repeat():
    assert sum(len(list(tree.nodes())) for tree in trees()) / len(trees()) >= 8
    assert len(set(trees())) > 0.95 * len(trees())


def test_every_dtype_shape_name_and_layer_occurs():
    tensors = [member for tree in trees() for member in members(tree) if isinstance(member, bp.Tensor)]
    assert {tensor.dtype for tensor in tensors} == set(bp.DTYPES)
    assert {len(tensor.shape) for tensor in tensors} == {0, 1, 2, 3}
    assert {name for tree in trees() for node in tree.nodes() for name, _ in node.members} >= set(NAMES)
    kinds = {node.kind for tree in trees() for node in tree.nodes()}
    assert kinds >= {"Linear", "Dropout", "BatchNorm1d", "ReLU", "Identity"}
    assert any(tensor.requires_grad is False for tensor in tensors if isinstance(tensor, bp.Parameter))
    assert {node.training for tree in trees() for node in tree.nodes()} == {True, False}


def test_every_tree_has_a_model_and_reads_back_from_its_repr():
    for tree in trees():
        model.of(tree)
        assert parse(repr(tree)) == tree
        assert hash(parse(repr(tree))) == hash(tree)


def test_callable_trees_carry_hooks_of_both_kinds_that_the_model_calls():
    drawn = sample(callables(hooks=True), 300)
    logs = []
    for tree in drawn:
        model.forward(model.of(tree), [[1.0, 2.0]], log := [])
        logs.append(log)
    assert share(logs, bool) >= 0.4
    hooks = {hook.kind for tree in drawn for node in tree.nodes() for hook in node.hooks}
    assert hooks == {"forward_pre", "forward"}
    assert {h.prepend for t in drawn for n in t.nodes() for h in n.hooks} == {True, False}


def test_without_hooks_no_node_has_one():
    assert not any(node.hooks for tree in sample(callables(), 200) for node in tree.nodes())


@pytest.mark.parametrize(
    "options, absent",
    [
        ({"shared": False}, holds(bp.Shared)),
        ({"empty": False}, holds(bp.Empty)),
        ({"attributes": False}, holds(bp.Attribute)),
        ({"kinds": ("Module",)}, below_root("ModuleList")),
        ({"max_depth": 1}, lambda tree: tree.depth > 2),
        ({"max_nodes": 3}, lambda tree: len(list(tree.nodes())) > 3),
        ({"dtypes": ("float32",)}, lambda tree: own_dtypes(tree) - {"float32"}),
    ],
)
def test_an_option_keeps_out_what_it_names(options, absent):
    assert not any(map(absent, sample(blueprints(**options), 200)))


def smallest(predicate):
    return find(blueprints(), predicate, settings=settings(max_examples=20_000, derandomize=True, **QUIET))


def shared_linear_in_a_list_and_a_sequential(tree):
    places = {node.kind for node in tree.nodes() for _, member in node.members
              if isinstance(member, bp.Shared) and getattr(tree.at(member.path), "kind", "") == "Linear"}  # fmt: skip
    first = {parent.kind for parent in tree.nodes() for _, child in parent.children if child.kind == "Linear"}
    return "ModuleList" in places and "Sequential" in first


def test_find_reaches_a_linear_shared_by_a_list_and_a_sequential():
    assert len(list(smallest(shared_linear_in_a_list_and_a_sequential).nodes())) <= 8


def test_find_reaches_a_name_that_is_the_prefix_of_another():
    tree = smallest(
        lambda t: any(a != b and b.startswith(a) for n in t.nodes() for a, _ in n.members for b, _ in n.members)
    )
    assert len(tree.members) <= 4


def test_find_reaches_an_empty_container_at_depth_three():
    tree = smallest(lambda t: any(p.count(".") == 2 and n.kind in bp.CONTAINERS and not n.members for p, n in t.walk()))
    assert len(list(tree.nodes())) == 4


def test_a_failure_that_needs_one_parameter_shared_at_depth_two_shrinks_to_three_nodes():
    def planted(tree):
        names = model.of(tree).named_parameters(remove_duplicate=False)
        return any(name != path and name.count(".") == 1 for name, path in names)

    assert len(list(smallest(planted).nodes())) <= 3


def test_without_attributes_there_are_none_and_containers_are_in_evaluation_mode_as_ever():
    def evaluated(tree):
        return any(not node.training for node in tree.nodes() if node.kind not in bp.LAYERS)

    without = sample(blueprints(attributes=False))
    assert share(without, holds(bp.Attribute)) == 0
    assert share(without, evaluated) >= share(trees(), evaluated) - 0.05 >= 0.3
