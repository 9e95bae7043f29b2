"""The one place where an outcome is decided: a clause asked of an implementation on a device gives a verdict.

pytest, the plain calls, the tests of one's own modules and the command line are shells round ``judge``: they show what it
decided, each in its own way, and decide nothing.
"""

from __future__ import annotations

import contextlib
import inspect
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import hypothesis
from packaging.version import Version

from conformance.adapter.absence import Absent
from conformance.adapter.finding import find
from conformance.adapter.port import Implementation
from conformance.contract import Clause, Severity
from conformance.language.blueprint import NameTaken
from conformance.run import process
from conformance.run.case import Case
from conformance.run.deviations import KILLS, MENDED, Deviation
from conformance.run.likeness import likeness
from conformance.run.limits import SECONDS, Interrupts, OutOfTime, limited
from conformance.run.reason import reason
from conformance.run.record import DEVIATION, DIFFERS, FAILED, NOT_RUN, PASSED, SKIPPED, Outcome, Record

UNDOCUMENTED = "undocumented, observed in PyTorch only: no other implementation is held to it"


@dataclass(frozen=True)
class Verdict:
    """What was found.

    Attributes:
        record: what is kept of it.
        error: what the property raised, for a failure, a difference and a deviation that shows; None where an entry of a
            deviation file is at fault.
        arguments: what the property was last called with, besides implementation and device: for a failure the
            smallest that show it, for a deviation its witness.
    """

    record: Record
    error: BaseException | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)


def judge(
    case: Case,
    settings: hypothesis.settings | None = None,
    deviations: Iterable[Deviation] = (),
    limit: float = SECONDS["ci"],
) -> Verdict:
    """Decide the outcome of a case.

    Args:
        case: what is asked of whom.
        settings: of Hypothesis; those in force by default.
        deviations: the recorded departures from this clause. One excuses the failure that its witness shows, and
            failures like it, and no other.
        limit: how many seconds it may take; 0 for as many as it likes.

    Raises:
        NoAssertions: Python was started with -O.
        KeyboardInterrupt: a person pressed Ctrl-C; one that the implementation raises is a failure.
    """
    require_assertions()
    started = time.perf_counter()
    seen: dict[str, Any] = {}

    def verdict(outcome: Outcome, why: str = "", error: BaseException | None = None, link: str = "") -> Verdict:
        seconds = round(time.perf_counter() - started, 3)
        return Verdict(Record(case.clause.id, case.device, outcome, why, seconds, link), error, seen)

    if found := obstacle(case):
        return verdict(*found)
    entries = [entry for entry in deviations if entry.applies(case.implementation.version, case.device)]
    excuses = [entry for entry in entries if entry.witness is None]
    with Interrupts() as ctrl_c:
        try:
            with limited(limit):
                known = _asked(case, settings, entries, seen)
        except StaleDeviation as stale:
            return verdict(FAILED, str(stale))
        except Absent as absent:
            return verdict(SKIPPED, f"capability {absent.capability}: {absent.reason}")
        except NameTaken as taken:
            return verdict(SKIPPED, str(taken))
        except (
            BaseException
        ) as error:  # whatever an implementation raises, pytest's own outcomes included, is its departure
            if isinstance(error, KeyboardInterrupt) and ctrl_c.seen:
                raise
            if case.clause.severity is Severity.OBSERVED and not case.implementation.held_to_observed:
                return verdict(DIFFERS, UNDOCUMENTED, error)
            if excuses:
                return verdict(DEVIATION, excuses[0].reason, error, excuses[0].link)
            return verdict(FAILED, reason(error), error)
    for entry, departure in known[:1]:
        seen.clear()
        seen.update(entry.witness or {})
        return verdict(DEVIATION, entry.reason, departure.error, entry.link)
    if any(not entry.inherited for entry in excuses):
        return verdict(FAILED, f"{MENDED}: remove {case.clause.id!r} from what the case is known for")
    return verdict(PASSED)


def _asked(
    case: Case, settings: hypothesis.settings | None, entries: Iterable[Deviation], seen: dict[str, Any]
) -> list[tuple[Deviation, Departure]]:
    """Show the recorded deviations by their witnesses, then ask the property, which may fail as they do."""
    known = [(entry, shown) for entry in entries if entry.witness is not None for shown in _shown(entry, case)]
    if known and not (case.clause.strategies and all(departure.error for _, departure in known)):
        return known  # what ends the process cannot be asked on, and what draws nothing was asked by the witness
    function = case.clause.function
    alike = {likeness(departure.error, function) for _, departure in known if departure.error}
    with _in_force(settings):
        ask = case.clause.test(case.implementation.draws, seen, lambda error: likeness(error, function) in alike)
        try:
            ask(implementation=case.implementation, device=case.device)
        except (Absent, NameTaken):
            if not known:  # what a witness has shown stays shown, though not all of the property can be asked
                raise
    return known


class NoAssertions(Exception):
    """Python was started so that no property can fail."""


def require_assertions() -> None:
    """Refuse a Python for which ``assert`` does nothing.

    Raises:
        NoAssertions: it was started with -O.
    """
    if not __debug__:
        raise NoAssertions(
            "every property rests on assertions, which -O and PYTHONOPTIMIZE remove: run Python without them"
        )


# --- whether it can be asked --------------------------------------------------------------------------------------


def obstacle(case: Case) -> tuple[Outcome, str] | None:
    """The outcome and its reason if the clause cannot be asked of the implementation on that device, else None."""
    clause, implementation = case.clause, case.implementation
    if why := implementation.lacks(f"device.{case.device}"):
        return NOT_RUN, f"capability device.{case.device}: {why}"
    if why := _version_gap(clause, implementation):
        return SKIPPED, why
    for capability in clause.needs:
        if why := implementation.lacks(capability):
            return SKIPPED, f"capability {capability}: {why}"
    if why := implementation.declines(clause.strategies):
        return SKIPPED, f"the clause {why}"
    return None


def _version_gap(clause: Clause, implementation: Implementation) -> str | None:
    if implementation.contract_version is None:
        return None
    version = Version(implementation.contract_version)
    if version < Version(clause.since):
        return f"version: documented since torch {clause.since}, this is {implementation.version}"
    if clause.until is not None and version >= Version(clause.until):
        return f"version: documented before torch {clause.until}, this is {implementation.version}"
    return None


# --- recorded deviations ------------------------------------------------------------------------------------------


class StaleDeviation(Exception):
    """An entry of a deviation file that no longer shows what it says; the message says how to mend it."""


@dataclass(frozen=True)
class Departure:
    """That the property fails on a witness, and with what; None where it ended a process of its own."""

    error: BaseException | None


def _shown(entry: Deviation, case: Case) -> list[Departure]:
    """The departure that the entry's witness shows; none where another implementation's entry shows nothing here.

    Raises:
        StaleDeviation: the implementation keeps the clause on the witness, or the reference does not.
    """
    departure = _killing(entry, case) if entry.harm == KILLS else _departs(entry, case)
    if departure is None:
        if entry.inherited:
            return []
        raise StaleDeviation(
            f"{MENDED}: remove the entry [{entry.clause}] from the deviation file, or mend its witness"
        )
    reference = Case(case.clause, find("reference"))
    if case.implementation.name != reference.implementation.name and obstacle(reference) is None:
        if _departs(entry, reference):
            raise StaleDeviation(
                f"the witness of [{entry.clause}] shows nothing: the reference implementation fails on it too; "
                "mend the witness in the deviation file"
            )
    return [departure]


def _killing(entry: Deviation, case: Case) -> Departure | None:
    """Whether the property ends the process that runs it on the witness: one of its own."""
    assert entry.witness is not None
    return Departure(None) if process.dies(case, entry.witness) else None


def _departs(entry: Deviation, case: Case) -> Departure | None:
    """How the property fails on the witness."""
    assert entry.witness is not None and case.clause.function is not None
    try:
        # The bare property: what a recorded deviation speaks of is known to be more than a missing name.
        function = inspect.unwrap(case.clause.function)
        function(implementation=case.implementation, device=case.device, **entry.witness)
    except (Absent, KeyboardInterrupt, OutOfTime):
        raise
    except BaseException as error:
        return Departure(error)
    return None


@contextlib.contextmanager
def _in_force(settings: hypothesis.settings | None) -> Iterator[None]:
    """The settings as those that properties run under; None leaves those in force."""
    if settings is None:
        yield
        return
    previous = hypothesis.settings.get_current_profile_name()
    hypothesis.settings.register_profile("conformance-check", settings)
    hypothesis.settings.load_profile("conformance-check")
    try:
        yield
    finally:
        hypothesis.settings.load_profile(previous)
