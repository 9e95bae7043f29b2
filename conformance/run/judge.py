"""Run one clause without pytest: the plain front end, and what proves that faults are caught."""

from __future__ import annotations

import contextlib
import inspect
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import hypothesis
import pytest

from conformance.adapter.absence import Absent
from conformance.adapter.finding import find
from conformance.adapter.port import Implementation
from conformance.contract import Clause, Severity, arguments, drawn
from conformance.explain import failure
from conformance.explain.script import Script, call, write
from conformance.language.blueprint import NameTaken
from conformance.run.deviations import KILLS, MENDED, Deviation
from conformance.run.profiles import profile
from conformance.run.record import Record

UNDOCUMENTED = "undocumented, observed in PyTorch only: no other implementation is held to it"


def obstacle(clause: Clause, implementation: Implementation, device: str) -> tuple[str, str] | None:
    """(outcome, reason) if the clause cannot be asked of the implementation on that device, else None."""
    if reason := implementation.lacks(f"device.{device}"):
        return "not run", f"capability device.{device}: {reason}"
    if reason := _version_gap(clause, implementation):
        return "skipped", reason
    for capability in clause.needs:
        if reason := implementation.lacks(capability):
            return "skipped", f"capability {capability}: {reason}"
    if reason := implementation.declines(clause.strategies):
        return "skipped", f"the clause {reason}"
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


class StaleDeviation(Exception):
    """An entry of a deviation file that no longer shows what it says; the message says how to mend it."""


def known_deviation(
    clause: Clause, implementation: Implementation, device: str, entries: Iterable[Deviation]
) -> Deviation | None:
    """The recorded deviation that stands in for the property here, its witness having shown that it still departs.

    Raises:
        StaleDeviation: the implementation keeps the clause on the witness, or the reference does not.
    """
    for deviation in entries:
        if not deviation.applies(implementation.version, device):
            continue
        departs = _kills if deviation.harm == KILLS else _departs
        if not departs(deviation, clause, implementation, device):
            if deviation.inherited:
                continue
            raise StaleDeviation(
                f"{MENDED}: remove the entry [{clause.id}] from the deviation file, or mend its witness"
            )
        reference = find("reference")
        if implementation.name != reference.name and obstacle(clause, reference, "cpu") is None:
            if _departs(deviation, clause, reference, "cpu"):
                raise StaleDeviation(
                    f"the witness of [{clause.id}] shows nothing: the reference implementation fails on it too; "
                    "mend the witness in the deviation file"
                )
        return deviation
    return None


def explained(
    clause: Clause, implementation: Implementation, device: str, given: Mapping[str, Any], harm: str = ""
) -> Script:
    """The script of a failure or, with its harm, of a deviation: one that kills is not run."""
    if harm != KILLS:
        return write(clause, implementation, device, given)
    text = call(clause, implementation, device, given, f"it {KILLS} that runs it")
    return Script(text, KILLS, "no exception")


def _kills(deviation: Deviation, clause: Clause, implementation: Implementation, device: str) -> bool:
    """Whether the property ends the process that runs it on the witness: one of its own, that finds what this one does."""
    text = call(clause, implementation, device, deviation.witness, "")
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, "-c", text], env=found, capture_output=True).returncode not in (0, 1)


def _departs(deviation: Deviation, clause: Clause, implementation: Implementation, device: str) -> bool:
    """Whether the property fails on the witness."""
    assert clause.function is not None
    try:
        # The bare property: what a recorded deviation speaks of is known to be more than a missing name.
        inspect.unwrap(clause.function)(implementation=implementation, device=device, **deviation.witness)
    except Absent:
        raise
    except (Exception, pytest.fail.Exception):  # pytest.raises() fails with what is no Exception
        return True
    return False


def differs(clause: Clause, implementation: Implementation) -> bool:
    """Whether a failure counts as a mere difference: nobody but PyTorch is held to what is observed in PyTorch only."""
    return clause.severity is Severity.OBSERVED and not implementation.held_to_observed


def check(
    clause: Clause,
    implementation: Implementation,
    device: str = "cpu",
    settings: hypothesis.settings | None = None,
    entries: Iterable[Deviation] = (),
    script: bool = False,
) -> Record:
    """Check one clause, without pytest; an exception of the property is the failure's reason.

    Args:
        settings: of Hypothesis; by default those of the profile "ci", which draws the same examples every time.
        entries: the recorded deviations of this clause.
        script: whether a failure or deviation has its script, and what that observes and expects.
    """
    return verdict(clause, implementation, device, settings, entries, script)[0]


def verdict(
    clause: Clause,
    implementation: Implementation,
    device: str = "cpu",
    settings: hypothesis.settings | None = None,
    entries: Iterable[Deviation] = (),
    script: bool = False,
) -> tuple[Record, BaseException | None]:
    """As ``check``, with the exception of the property that failed."""
    if found := obstacle(clause, implementation, device):
        return Record(clause.id, device, *found), None
    started = time.perf_counter()

    def record(outcome: str, reason: str = "", **shown: str) -> Record:
        return Record(clause.id, device, outcome, reason, time.perf_counter() - started, **shown)

    def shown(given: Mapping[str, Any], harm: str = "") -> dict[str, str]:
        made = failure.kept(explained(clause, implementation, device, given, harm)) if script else {}
        return {"witness": arguments(clause, given), **made}

    drawn.clear()
    try:
        deviation = known_deviation(clause, implementation, device, entries)
        if deviation is not None:
            found = shown(deviation.witness, deviation.harm)
            return record("deviation", deviation.reason, link=deviation.link, **found), None
        with _in_force(settings or hypothesis.settings(profile("ci"), database=None)):
            clause.test(implementation.draws)(implementation=implementation, device=device)
        return record("passed"), None
    except Absent as absent:
        return record("skipped", f"capability {absent.capability}: {absent.reason}"), None
    except NameTaken as taken:
        return record("skipped", str(taken)), None
    except StaleDeviation as stale:
        return record("failed", str(stale)), None
    except (Exception, pytest.fail.Exception) as error:  # the latter, where pytest.raises saw no exception
        found = shown(dict(drawn))
        if differs(clause, implementation):
            return record("differs", UNDOCUMENTED, **found), error
        reason = failure.reason(error, found.get("observed", ""), found.get("expected", ""))
        return record("failed", reason, **found), error


@contextlib.contextmanager
def _in_force(settings: hypothesis.settings) -> Iterator[None]:
    """The settings as those that properties run under."""
    previous = hypothesis.settings.get_current_profile_name()
    hypothesis.settings.register_profile("conformance-check", settings)
    hypothesis.settings.load_profile("conformance-check")
    try:
        yield
    finally:
        hypothesis.settings.load_profile(previous)
