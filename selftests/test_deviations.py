"""PyTorch's deviation file: each witness shows a departure of PyTorch's, and none of the reference's."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance import contract, deviations, implementation
from conformance.check import obstacle

FILE = Path(implementation.__file__).parent / "implementations" / "deviations" / "torch.toml"
ENTRIES = [entry for entries in deviations.read(FILE, contract.load()).values() for entry in entries]


def departs(entry: deviations.Deviation, name: str) -> bool:
    """Whether the implementation fails the property on the witness."""
    clause, subject = contract.CLAUSES[entry.clause], implementation.find(name)
    if name == "torch" and not entry.applies(subject.version, "cpu"):
        pytest.skip(f"speaks of torch {entry.versions}")
    if found := obstacle(clause, subject, "cpu"):
        pytest.skip(found[1])
    try:
        clause.function(implementation=subject, device="cpu", **entry.witness)
    except (Exception, pytest.fail.Exception):
        return True
    return False


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.clause)
def test_pytorch_departs_on_the_witness(entry):
    pytest.importorskip("torch")
    assert departs(entry, "torch")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.clause)
def test_the_reference_keeps_the_clause_on_the_witness(entry):
    assert not departs(entry, "reference")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.clause)
def test_the_entry_says_why_in_a_sentence_and_where_it_is_reported(entry):
    assert entry.reason.endswith(".")
    assert entry.link == "not reported that we found" or entry.link.startswith("https://github.com/")
