"""Run one clause without pytest: the plain front end, and what proves that faults are caught."""

from __future__ import annotations

import time
from dataclasses import dataclass

import hypothesis
import pytest

from conformance import failure
from conformance.contract import Clause, drawn
from conformance.implementation import Absent, Implementation
from conformance.profiles import profile
from conformance.script import write


@dataclass(frozen=True)
class Record:
    """The outcome of one clause on one device.

    Attributes:
        clause, device: which case; the device of an untested clause is "".
        outcome: "passed", "deviation", "failed", "differs", "skipped", "not run" or "untested".
        reason: why it is no pass, in one sentence.
        seconds: how long it took.
        link: where a deviation is reported.
        witness: the arguments that show a failure or a deviation, as a deviation file states them.
        observed, expected: what the failing comparison saw and what the model says, as text.
        script: code that shows the failure with the implementation alone.
    """

    clause: str
    device: str
    outcome: str
    reason: str = ""
    seconds: float = 0.0
    link: str = ""
    witness: str = ""
    observed: str = ""
    expected: str = ""
    script: str = ""


def obstacle(clause: Clause, implementation: Implementation, device: str) -> tuple[str, str] | None:
    """(outcome, reason) if the clause cannot be asked of the implementation on that device, else None."""
    if reason := implementation.lacks(f"device.{device}"):
        return "not run", f"capability device.{device}: {reason}"
    if reason := _version_gap(clause, implementation):
        return "skipped", reason
    for capability in clause.needs:
        if reason := implementation.lacks(capability):
            return "skipped", f"capability {capability}: {reason}"
    return None


def _version_gap(clause: Clause, implementation: Implementation) -> str | None:
    from packaging.version import Version

    if implementation.contract_version is None:
        return None
    version = Version(implementation.contract_version)
    if version < Version(clause.since):
        return f"version: documented since torch {clause.since}, this is {implementation.version}"
    if clause.until is not None and version >= Version(clause.until):
        return f"version: documented before torch {clause.until}, this is {implementation.version}"
    return None


def check(
    clause: Clause,
    implementation: Implementation,
    device: str = "cpu",
    settings: hypothesis.settings | None = None,
    script: bool = False,
) -> Record:
    """Check one clause; an exception of the property is the failure's reason. With ``script``, a failure has its script
    too, and what that observes and expects."""
    if found := obstacle(clause, implementation, device):
        return Record(clause.id, device, *found)
    settings = settings or hypothesis.settings(profile("ci"), database=None)
    started = time.perf_counter()
    outcome, reason, shown = "passed", "", {}
    drawn.clear()
    previous = hypothesis.settings.get_current_profile_name()
    hypothesis.settings.register_profile("conformance-check", settings)
    hypothesis.settings.load_profile("conformance-check")
    try:
        clause.test()(implementation=implementation, device=device)
    except Absent as absent:
        outcome, reason = "skipped", f"capability {absent.capability}: {absent.reason}"
    except (Exception, pytest.fail.Exception) as error:  # the latter, where pytest.raises saw no exception
        outcome, reason = "failed", f"{type(error).__name__}: {error}"
        shown = {"witness": failure.arguments(clause, drawn)}
        if script:
            shown |= failure.kept(write(clause, implementation, device, dict(drawn)))
    finally:
        hypothesis.settings.load_profile(previous)
    return Record(clause.id, device, outcome, reason, time.perf_counter() - started, **shown)
