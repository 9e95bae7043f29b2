"""Lives: what is drawn, whether it takes effect, and what a failing one shrinks to."""

from __future__ import annotations

import copy
from collections import Counter
from functools import lru_cache

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from conformance import contract
from conformance.adapter import finding
from conformance.language.text import parse_arguments
from conformance.run.judge import Case, judge
from conformance.run.profiles import profile
from conformance.suite.support import steps
from conformance.suite.support.life import ROOM, begin
from selftests import faults
from selftests.faults import lives as wrong_lives
from strategies.lives import STEPS, lives

QUIET = {"database": None, "deadline": None, "suppress_health_check": list(HealthCheck)}
CLAUSE = contract.load()[wrong_lives.LIFE]


@lru_cache
def sample(count=150):
    found = []

    @settings(max_examples=count, phases=[Phase.generate], derandomize=True, **QUIET)
    @given(lives())
    def collect(life):
        found.append(life)

    collect()
    return found


def look(lived):
    """What a step may change: the model, which object is which, and how often hooks have fired."""
    tree = [
        (path, here.kind, here.training, here.hooks, sorted(here.transient))
        + tuple([*registry.items()] for registry in (here.parameters_, here.buffers_, here.modules_))
        for path, here in lived.root.walk()
    ]
    tensors = [(each.dtype, each.flat, each.requires_grad) for each in lived.root.tensors().values()]
    return tree, tensors, id(lived.real[lived.root]), len(lived.heard)


@lru_cache
def effects():
    """How often each step was taken, how often it changed something, and the largest trees."""
    taken, effective, largest = Counter(), Counter(), 0
    subject = finding.find("reference")
    for life in sample():
        lived = begin(subject, "cpu")
        lived.heard = []
        record = lived.record
        lived.record = lambda hook, lived=lived, record=record: (lived.heard.append(hook), record(hook))
        kept = [lived.real]  # so that no id is used twice
        for name, *arguments in life:
            before = look(lived)
            saved = name == "save_and_load" and bool(lived.root.state())
            getattr(steps, name)(lived, *copy.deepcopy(arguments))
            kept.append(lived.real)
            taken[name] += 1
            effective[name] += saved or look(lived) != before
            largest = max(largest, len(list(lived.root.walk())))
    return taken, effective, largest


def test_each_step_that_is_drawn_can_be_taken_and_has_a_fault():
    assert set(STEPS) == set(steps.__all__)
    assert set(wrong_lives.BY_STEP) == set(STEPS)
    assert set(wrong_lives.BY_STEP.values()) <= {fault.name for fault in faults.FAULTS}


@pytest.mark.parametrize("name", sorted(STEPS))
def test_each_kind_of_step_is_drawn_and_takes_effect(name):
    taken, effective, _ = effects()
    assert taken[name] >= 40
    assert effective[name] >= taken[name] / 3


def test_no_tree_grows_without_bounds():
    assert ROOM / 2 < effects()[2] <= ROOM


def test_lives_read_back_from_their_repr():
    for life in sample():
        assert parse_arguments(f"life={life!r}") == {"life": life}


def test_a_life_without_some_of_its_steps_is_one_too():
    subject = finding.find("reference")
    for life in sample()[:40]:
        lived = begin(subject, "cpu")
        for name, *arguments in life[::2]:
            getattr(steps, name)(lived, *arguments)
            lived.compare()


@pytest.mark.parametrize("name", ["the_third_module_of_a_list_becomes_the_first", "loading_thaws_what_was_frozen"])
def test_a_failing_life_shrinks_to_a_few_plain_steps(name, monkeypatch):
    fault = next(fault for fault in faults.load() if fault.name == name)
    fault.plant(monkeypatch)
    verdict = judge(Case(CLAUSE, finding.find("reference")), settings(profile("ci"), database=None))
    assert verdict.record.outcome == "failed"
    assert len(verdict.arguments["life"]) <= 3, verdict.arguments


def test_nothing_is_the_shortest_life():
    assert find(lives(), lambda life: True, settings=settings(**QUIET)) == []
