"""The kill matrix: no two properties see the same faults, unless it is said why both are there."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from conformance import contract
from conformance.adapter import finding
from conformance.contract import Clause, Severity
from selftests import faults, matrix
from selftests.matrix import Asked, Matrix

AGAIN = "run python -m selftests.matrix"
KNOWN = Matrix.read()

#: Clauses whose every fault another clause sees as well, and why both are there: by what their ids begin with.
INSIDE = {
    "copying/": "deepcopy and pickle share a function in the reference, and in a framework they do not.",
    "devices/": "What only devices can get wrong is hardly planted in the reference, which simulates one.",
    "checkpoints/": "Each tells one of the tutorial's uses as a whole; the parts have clauses of their own.",
}
#: Those that nobody has looked at yet: each wants a fault that it alone sees, or to become one with another. The list may
#: only shrink.
OPEN = (Path(__file__).parent / "matrix_open.txt").read_text(encoding="utf-8").split()


def unexplained() -> dict[str, list[str]]:
    """The clauses that see only what another sees, and those others; without examples, which say so of themselves."""
    contract.load()
    smoke = {clause.id for clause in contract.checked() if clause.severity is Severity.SMOKE}
    rows = {id: row for id, row in KNOWN.rows.items() if id not in smoke}
    return {id: others for id, others in Matrix(rows=rows).alike().items() if not id.startswith(tuple(INSIDE))}


def test_the_matrix_knows_these_clauses_and_these_faults():
    """Of new ones a few may wait until somebody asks for the matrix again."""
    contract.load()
    clauses, planted = {clause.id for clause in contract.checked()}, {fault.name for fault in faults.load()}
    unknown = (clauses ^ set(KNOWN.clauses)) | (planted ^ set(KNOWN.faults))
    assert len(unknown) <= len(clauses | planted) // 7, f"{AGAIN}: {sorted(unknown)}"


def test_no_clause_sees_only_what_another_sees_without_a_reason():
    assert {clause: others for clause, others in unexplained().items() if clause not in OPEN} == {}


def test_what_is_told_apart_is_no_longer_open():
    assert [clause for clause in OPEN if clause not in unexplained()] == [], "take these out of matrix_open.txt"


def test_rows_that_are_equal_or_lie_inside_are_found():
    rows = {"a": ["1", "2"], "b": ["1"], "c": ["2", "1"], "d": ["3"], "e": []}
    assert Matrix(rows=rows).alike() == {"a": ["c"], "b": ["a", "c"], "c": ["a"]}


# --- that the matrix is filled rightly --------------------------------------------------------------------------------


def asked(function, *sets, id="area/some-words"):
    made = Clause(id, "It holds.", Severity.REQUIRED, "torch.nn.Module", function=function)
    return Asked(made, list(sets) or [{}], frozenset(), 0.0)


def holds(implementation, device, **drawn):
    pass


def fails(implementation, device, **drawn):
    assert drawn.get("number", 0) != 0


def ends(implementation, device):
    os.kill(os.getpid(), signal.SIGKILL)


def hangs(implementation, device):
    while True:
        pass


left = []


def leaves(implementation, device):
    left.append(1)


def finds(implementation, device):
    assert not left


def test_a_property_that_fails_ends_the_process_or_hangs_is_a_kill_and_the_next_is_asked_all_the_same(monkeypatch):
    monkeypatch.setattr(matrix, "PATIENCE", 0.2)
    names = {"a/a-a": holds, "b/b-b": fails, "c/c-c": ends, "d/d-d": hangs, "e/e-e": holds, "f/f-f": fails}
    cases = [asked(function, id=id) for id, function in names.items()]
    assert list(matrix.kills(cases, finding.find("reference"))) == ["b/b-b", "c/c-c", "d/d-d", "f/f-f"]


@pytest.mark.parametrize("many", [0, 12])
def test_what_an_earlier_property_left_behind_is_no_kill(monkeypatch, many):
    monkeypatch.setattr(matrix, "MANY", many)
    cases = [asked(leaves), asked(finds, id="finds/what-was-left"), asked(fails, id="fails/by-itself")]
    assert list(matrix.kills(cases, finding.find("reference"))) == ["fails/by-itself"]


def test_one_of_several_sets_is_enough():
    subject = finding.find("reference")
    assert list(matrix.kills([asked(fails, {"number": 1})], subject)) == []
    assert list(matrix.kills([asked(fails, {"number": 1}, {"number": 0})], subject)) == ["area/some-words"]


def test_a_fault_is_asked_of_what_runs_the_function_that_it_replaces():
    contract.load()
    fault = next(fault for fault in faults.load() if fault.name == "eval_returns_nothing")
    subject = finding.find("reference")
    clauses = [contract.CLAUSES[id] for id in ("modes/train-returns-self", "modes/train-without-argument")]
    returns, without = matrix.prepared(subject, clauses, 3)
    codes = matrix.replaced(fault)
    assert codes & returns.runs and not codes & without.runs
    assert matrix.apart(
        lambda say: say(" ".join(matrix.killed(fault, [returns, without], subject)).encode()) and 0
    ) == (
        b"modes/train-returns-self",
        0,
    )


def test_what_has_changed_is_asked_again_and_what_is_gone_is_forgotten(tmp_path):
    known = Matrix()
    assert known.todo({"a": "1", "b": "1"}, {"f": "1", "g": "1"}) == {"f": ["a", "b"], "g": ["a", "b"]}
    known.add("f", "1", ["a", "b"], ["a"])
    known.write(tmp_path / "matrix.json")
    known = Matrix.read(tmp_path / "matrix.json")
    assert known.rows == {"a": ["f"], "b": []} and known.faults == {"f": "1"}
    assert known.todo({"a": "1", "b": "2", "c": "1"}, {"f": "1", "g": "1"}) == {"f": ["b", "c"], "g": ["a", "b", "c"]}
    known.add("f", "1", ["b", "c"], ["c"])
    known.add("g", "1", ["a", "b", "c"], ["a", "b"])
    assert known.rows == {"a": ["f", "g"], "b": ["g"], "c": ["f"]}
    assert known.todo({"a": "1", "b": "2"}, {"g": "2"}) == {"g": ["a", "b"]}
    assert known.rows == {"a": [], "b": []}
