"""The deviation files: each entry is well formed, and its witness shows a departure and none of the reference's."""

from __future__ import annotations

from pathlib import Path

import pytest

import conformance
from conformance import contract
from conformance.adapter import finding
from conformance.adapter.absence import Absent
from conformance.run import deviations
from conformance.run.judge import Case, obstacle

FOLDER = Path(conformance.__file__).parent / "implementations" / "deviations"
contract.load()
ENTRIES = [
    pytest.param(path.stem, entry, id=f"{path.stem}-{entry.clause}")
    for path in sorted(FOLDER.glob("*.toml"))
    for entries in deviations.read(path, contract.CLAUSES).values()
    for entry in entries
]


def departs(entry: deviations.Deviation, name: str) -> bool:
    """Whether the implementation fails the property on the witness."""
    clause, subject = contract.CLAUSES[entry.clause], finding.find(name)
    if name == "torch" and not entry.applies(subject.version, "cpu"):
        pytest.skip(f"speaks of torch {entry.versions}")
    if found := obstacle(Case(clause, subject)):
        pytest.skip(found[1])
    try:
        clause.function(implementation=subject, device="cpu", **entry.witness)
    except Absent:
        raise
    except (Exception, pytest.fail.Exception):
        return True
    return False


@pytest.mark.parametrize("name, entry", [param for param in ENTRIES if param.values[0] == "torch"])
def test_pytorch_departs_on_the_witness(name, entry):
    pytest.importorskip("torch")
    assert departs(entry, name)


@pytest.mark.parametrize("name, entry", ENTRIES)
def test_the_reference_keeps_the_clause_on_the_witness(name, entry):
    assert not departs(entry, "reference")


@pytest.mark.parametrize("name, entry", ENTRIES)
def test_the_entry_says_why_in_a_sentence_and_where_it_is_reported(name, entry):
    assert entry.reason.endswith(".")
    assert entry.link == "not reported that we found" or entry.link.startswith("https://github.com/")


def test_each_file_belongs_to_an_implementation_of_ours():
    assert {param.values[0] for param in ENTRIES} <= set(finding.OURS)
