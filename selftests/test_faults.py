"""Every property can fail: each fault is caught by the properties that it names, and each property catches one."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import Phase

from conformance import contract, implementation
from conformance.check import check
from conformance.profiles import profile
from selftests import faults

contract.load()
faults.load()

#: Faults that sit in rare places get more examples than a default run; nothing is shrunk, since only the outcome counts.
SETTINGS = hypothesis.settings(profile("ci"), max_examples=300, phases=(Phase.explicit, Phase.generate), database=None)


@pytest.mark.parametrize(
    "fault, clause",
    [pytest.param(fault, clause, id=f"{fault.name}-{clause}") for fault in faults.FAULTS for clause in fault.catches],
)
def test_the_property_catches_the_fault(fault, clause, monkeypatch):
    if fault.target == "torch":
        pytest.importorskip("torch")
    subject = implementation.find(fault.target)
    with monkeypatch.context() as patch:
        fault.plant(patch)
        record = check(contract.CLAUSES[clause], subject, settings=SETTINGS)
    assert record.outcome == "failed", f"{fault.name} was not caught by {clause}: {record}"


@pytest.mark.parametrize("clause", [clause.id for clause in contract.checked()])
def test_every_property_has_a_fault(clause):
    assert any(clause in fault.catches for fault in faults.FAULTS), f"no fault proves that {clause} can fail"
