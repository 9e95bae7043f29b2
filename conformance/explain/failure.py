"""What a failure shows beside pytest's own traceback: the clause, what was observed beside what was expected, a script,
and the command that runs it again."""

from __future__ import annotations

import difflib
import json
import textwrap
from dataclasses import replace

from conformance.contract import Clause, arguments
from conformance.explain import layout
from conformance.explain.script import Script, call, write
from conformance.run.deviations import KILLS
from conformance.run.judge import Case, Verdict
from conformance.run.limits import OutOfTime, limited
from conformance.run.reason import differing, reason
from conformance.run.record import DEVIATION, DIFFERS, FAILED, Record

#: Two sides that fit into one line each stand one above the other; longer ones are compared part by part.
WIDTH = 100
#: The outcomes that something shows.
SHOWN = (FAILED, DEVIATION, DIFFERS)
#: How long a script may take to be written, and so to be run.
SECONDS = 120.0
#: What a report keeps of each side.
LONGEST = 20_000


def recorded(case: Case, verdict: Verdict) -> Record:
    """The record of a verdict with what shows it: the witness, what was observed beside what was expected, and a script."""
    clause, arguments_ = case.clause, verdict.arguments
    stale = verdict.record.outcome is FAILED and verdict.error is None  # the entry of a deviation file is at fault
    if stale or verdict.record.outcome not in SHOWN or not set(clause.strategies) <= set(arguments_):
        return verdict.record
    return replace(verdict.record, witness=arguments(clause, arguments_), **kept(_shown(case, verdict)))


def _shown(case: Case, verdict: Verdict) -> Script:
    """The script of a failure; it calls the property where that must not, or cannot, be run again to be written out."""
    given = (case.clause, case.implementation, case.device, verdict.arguments)
    if verdict.error is None:
        return Script(call(*given, f"it {KILLS} that runs it"), KILLS, "no exception")
    if isinstance(verdict.error, OutOfTime):
        return Script(call(*given, "it does not end"), str(verdict.error), "an end")
    try:
        with limited(SECONDS):
            return write(*given, verdict.error)
    except KeyboardInterrupt:
        raise
    except BaseException as worse:  # whatever it is, the failure must be shown
        return Script(call(*given, f"that raises {type(worse).__name__}"), reason(verdict.error), "no exception")


def explain(clause: Clause, record: Record, again: str = "") -> str:
    """The text of a failing clause; ``again`` is the command that runs it once more."""
    shown = Script(record.script, record.observed, record.expected)
    parts = [
        f"{clause.id} ({clause.severity})",
        textwrap.fill(clause.sentence, WIDTH),
        f'documented: {clause.docs}: "{clause.quote}"' if clause.quote else f"shows: {', '.join(clause.shows)}",
        f"see {clause.link}",
        "",
    ]
    if shown.observed or shown.expected:
        parts += [beside(shown.observed, shown.expected), ""]
    if shown.is_code:
        parts += [
            "----- as a script, which exits non-zero until this is mended -----",
            shown.text.rstrip(),
            "-" * 66,
            "",
        ]
    else:
        parts += [shown.text.lstrip("# ")]
    if record.witness:
        # A JSON string is a TOML string.
        parts += [f"as a deviation: witness = {json.dumps(record.witness, ensure_ascii=False)}"]
    parts += [f"again: {again}"] if again else []
    return "\n".join(parts).rstrip()


def beside(observed: str, expected: str) -> str:
    """What was observed above what was expected: of two dicts, the entries that differ; marked where they
    differ, if they are long."""
    observed, expected = differing(observed, expected)
    if max(map(len, (observed, expected))) <= WIDTH and "\n" not in observed + expected:
        place = next((i for i, (one, other) in enumerate(zip(observed, expected)) if one != other), None)
        mark = [] if place is None or place < 8 else [" " * (len("observed: ") + place) + "^ from here"]
        return "\n".join([f"observed: {observed}", f"expected: {expected}", *mark])
    lines = [side(text) for text in (observed, expected)]
    rows = [row for row in difflib.ndiff(*lines) if not row.startswith("?")]
    return "\n".join(["observed (-) beside expected (+):", *rows])


def side(text: str) -> list[str]:
    """A value in lines, one for each of its parts."""
    return [line for each in text.splitlines() for line in layout.broken(each, WIDTH, joined=False).splitlines()]


def kept(shown: Script) -> dict[str, str]:
    """What a report keeps of a script: text of bounded length."""
    return {
        "observed": shortened(shown.observed),
        "expected": shortened(shown.expected),
        "script": shown.text,
    }


def shortened(text: str) -> str:
    """The text, or its beginning and how much more there is."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ... and {len(text) - LONGEST} characters more"
