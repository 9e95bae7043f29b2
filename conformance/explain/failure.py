"""What a failure shows beside pytest's own traceback: the clause, what was observed beside what was expected, a script,
and the command that runs it again."""

from __future__ import annotations

import difflib
import json
import textwrap
from collections.abc import Mapping
from typing import Any

from conformance.contract import Clause, arguments
from conformance.explain import layout
from conformance.explain.script import Script

#: Two sides that fit into one line each stand one above the other; longer ones are compared part by part.
WIDTH = 100
#: What a report keeps of each side.
LONGEST = 20_000


def explain(clause: Clause, shown: Script, given: Mapping[str, Any], again: str = "") -> str:
    """The text of a failing clause; ``given`` are the smallest arguments that fail, for a deviation file, ``again`` is the
    command."""
    parts = [
        f"{clause.id} ({clause.severity})",
        textwrap.fill(clause.sentence, WIDTH),
        f'documented: {clause.docs}: "{clause.quote}"',
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
    if given:
        # A JSON string is a TOML string.
        parts += [f"as a deviation: witness = {json.dumps(arguments(clause, given), ensure_ascii=False)}"]
    parts += [f"again: {again}"] if again else []
    return "\n".join(parts).rstrip()


def reason(error: BaseException, observed: str, expected: str) -> str:
    """A failure in one line: both sides where a comparison showed it, else what was raised."""
    if observed and expected:
        return f"observed {_short(observed)}, expected {_short(expected)}"
    return f"{type(error).__name__}: {_short(str(error))}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 2 * WIDTH else f"{line[: 2 * WIDTH - 3]}..."


def beside(observed: str, expected: str) -> str:
    """What was observed above what was expected; marked where they differ, if they are long."""
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
