"""Trees of any depth: nothing of ours stops before the implementation itself does."""

from __future__ import annotations

import copy
import sys

import pytest

from conformance import model
from conformance.adapter import finding
from conformance.adapter.source import to_source
from conformance.build.plan import plan
from conformance.language import blueprint as bp
from conformance.language.depth import flattened, unbounded
from conformance.language.text import parse, parse_arguments
from conformance.language.transform import plain, refilled, respelled

DEPTH = 1000


def chain(depth):
    """Modules one within the other, each with a parameter and a mode, and the innermost one's parameter once more."""
    tree = bp.Linear(1, 1, fill=5)
    for level in range(depth):
        tree = bp.Module({"w": bp.Parameter((1,), fill=level % 7), "a": tree}, training=level % 3 > 0)
    return tree


TREE = chain(DEPTH)


def test_python_would_have_stopped_here():
    assert sys.getrecursionlimit() <= DEPTH


def test_the_blueprint_is_walked_compared_printed_and_read_back():
    again = chain(DEPTH)
    assert again == TREE and hash(again) == hash(TREE) and len({again, TREE}) == 1
    assert chain(DEPTH - 1) != TREE and TREE.depth == DEPTH
    assert [path.count("a") for path, _ in TREE.walk()] == list(range(DEPTH + 1))
    assert parse(repr(TREE)) == TREE
    assert parse_arguments(f"blueprint={TREE!r}, place=3") == {"blueprint": TREE, "place": 3}
    assert copy.deepcopy(TREE) == TREE


def test_a_difference_in_the_innermost_module_is_seen():
    innermost = ".".join(["a"] * DEPTH)
    other = TREE.map(lambda member: bp.Linear(1, 1, fill=6) if getattr(member, "kind", "") == "Linear" else member)
    assert other != TREE and other.at(innermost) == bp.Linear(1, 1, fill=6)


def test_a_blueprint_is_made_from_it():
    assert TREE.map(lambda member: member) == TREE
    assert plain(TREE).depth == DEPTH and refilled(TREE) != TREE
    assert respelled(TREE, {"a": "b"}).at(".".join(["b"] * DEPTH)) == bp.Linear(1, 1, fill=5)


def test_the_model_predicts_names_modes_and_state():
    predicted = model.of(TREE)
    innermost = ".".join(["a"] * DEPTH)
    assert predicted.named_modules()[-1] == (innermost, innermost) and len(predicted.modes()) == DEPTH + 1
    assert predicted.named_modules(remove_duplicate=False) == predicted.named_modules()
    assert predicted.named_parameters()[-1] == (f"{innermost}.bias", f"{innermost}.bias")
    assert list(predicted.state())[-1] == f"{innermost}.bias" and len(predicted.state()) == DEPTH + 2
    assert predicted.apply_order()[::-1] == [path for path, _ in TREE.walk()]


@pytest.mark.parametrize("name", ["reference", "torch"])
def test_it_is_built_as_data_as_modules_and_as_source(name):
    if name == "torch":
        pytest.importorskip("torch")
    implementation = finding.find(name)
    assert sum(step.kind == "module" for step in plan(TREE, implementation)) == DEPTH + 1
    subject = implementation.build(TREE)
    assert subject.readings() == subject.expected_readings()
    innermost, depth = subject.module, 0
    while hasattr(innermost, "a"):
        innermost, depth = innermost.a, depth + 1
    assert depth == DEPTH and subject.path(innermost.bias) == ".".join(["a"] * DEPTH + ["bias"])
    names: dict = {}
    exec(to_source(TREE, "made", name), names)
    was = sys.getrecursionlimit()
    sys.setrecursionlimit(10 * DEPTH)  # for the implementation, which recurs itself
    try:
        assert subject.named(subject.module.named_modules()) == subject.model.named_modules()
        assert list(names["made"].state_dict()) == [key for key, _ in subject.model.state_dict()]
        assert [module.training for module in names["made"].modules()] == list(subject.model.modes().values())
    finally:
        sys.setrecursionlimit(was)


def test_a_recursive_function_returns_and_raises_as_it_reads():
    @unbounded
    def total(numbers):
        return numbers[0] + (yield total.recur(numbers[1:])) if numbers else 0

    @unbounded
    def sunk(depth):
        try:
            return (yield sunk.recur(depth - 1)) if depth else 1 / 0
        except ZeroDivisionError:
            if depth < 3:
                raise
            return depth

    assert total(list(range(DEPTH * 2))) == sum(range(DEPTH * 2))
    assert sunk(5) == 3


def test_what_generators_yield_within_each_other_comes_in_order():
    def numbers(depth):
        yield depth
        if depth:
            yield numbers(depth - 1)
        yield -depth

    assert list(flattened(numbers(2))) == [2, 1, 0, 0, -1, -2]
