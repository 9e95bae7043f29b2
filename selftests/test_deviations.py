"""The deviation files: each entry is well formed, and its witness shows a departure and none of the reference's."""

from __future__ import annotations

from pathlib import Path

import pytest

import conformance
from conformance import contract
from conformance.adapter import Implementation, finding
from conformance.adapter.absence import Absent
from conformance.run import deviations
from conformance.run.judge import Case, obstacle

FOLDER = Path(conformance.__file__).parent / "implementations" / "deviations"
FILES = sorted(FOLDER.glob("*.toml"))
CLAUSES = contract.load()


def entries(path: Path) -> list[deviations.Deviation]:
    return [entry for found in deviations.read(path, CLAUSES).values() for entry in found]


def departs(entry: deviations.Deviation, subject: Implementation) -> bool | None:
    """Whether the implementation fails the property on the witness; None where it cannot be asked."""
    clause = CLAUSES[entry.clause]
    if obstacle(Case(clause, subject)):
        return None
    try:
        clause.function(implementation=subject, device="cpu", **entry.witness)
    except Absent:
        return None
    except (Exception, pytest.fail.Exception):
        return True
    return False


def test_pytorch_departs_on_every_witness():
    pytest.importorskip("torch")
    subject = finding.find("torch")
    here = [entry for entry in entries(FOLDER / "torch.toml") if entry.applies(subject.version, "cpu")]
    found = {entry.clause: departs(entry, subject) for entry in here}
    assert [clause for clause, departed in found.items() if departed is False] == []
    assert True in found.values()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_reference_keeps_the_clause_on_every_witness(path):
    subject = finding.find("reference")
    assert [entry.clause for entry in entries(path) if departs(entry, subject)] == []


def test_every_entry_says_why_in_a_sentence_and_where_it_is_reported():
    everywhere = [entry for path in FILES for entry in entries(path)]
    assert [entry for entry in everywhere if not entry.reason.endswith(".")] == []
    reported = ("not reported that we found", "https://github.com/")
    assert [entry for entry in everywhere if not entry.link.startswith(reported)] == []


def test_each_file_belongs_to_an_implementation_of_ours():
    assert {path.stem for path in FILES} <= set(finding.OURS)
