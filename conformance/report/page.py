"""The matrix: one HTML file of clauses by columns that needs no network and runs no script but its own.

Whatever stands in a report is text here: jinja2 escapes it in the page, the data travels as JSON in which no character
can end the script element, and a content security policy allows only the script and the style whose hashes it names.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from packaging.version import InvalidVersion, Version

from conformance.contract.clause import Severity
from conformance.report import ASKED, OUTCOMES, About, Report
from conformance.run.record import Record

#: Each outcome's letter in the data, the glyph in its cell, and what it means; a row may lack a record in some column.
LOOKS = {
    "passed": ("p", "•", "kept on every example tried"),
    "deviation": ("d", "D", "departs from the clause, as is recorded with a reason, a link and a witness"),
    "failed": ("f", "F", "departs from the clause, and no one has recorded why"),
    "differs": ("x", "≠", "does otherwise than PyTorch where nothing is documented"),
    "skipped": ("s", "–", "not asked: a capability is not there, or the clause is of another version"),
    "not run": ("n", "○", "not asked: this machine lacks the device"),
    "untested": ("u", "?", "known and checked by no property yet"),
    "no record": ("o", "", "the report says nothing of this clause"),
}
#: Beyond so many columns they are narrow, and their names stand upright.
FEW = 6
#: What a cell's panel shows of a record, in this order in the data.
SHOWN = ("reason", "link", "witness", "observed", "expected", "script")


@dataclass(frozen=True)
class Column:
    """One report on one device."""

    name: str
    report: Report
    device: str
    records: dict[str, Record]

    @property
    def asked(self) -> int:
        """How many clauses were put to the implementation."""
        return sum(record.outcome in ASKED for record in self.records.values())

    def outcome(self, clause: str) -> str:
        """The outcome of that clause."""
        return self.records[clause].outcome if clause in self.records else "no record"

    def counts(self, clauses: Iterable[str]) -> Counter[str]:
        """How many of these clauses had each outcome."""
        return Counter(self.outcome(clause) for clause in clauses)


def columns(reports: Sequence[tuple[str, Report]]) -> tuple[list[Column], list[Column]]:
    """The columns, versions of one implementation side by side, oldest first; and those in which nothing was asked."""
    made = [
        Column(name, report, device, report.on(device)) for name, report in reports for device in report.header.devices
    ]
    implementations = list(dict.fromkeys(column.report.header.implementation for column in made))
    made.sort(key=lambda c: (implementations.index(c.report.header.implementation), _order(c.report.header.version)))
    asked = [column for column in made if column.asked]
    return (asked, [column for column in made if not column.asked]) if asked else (made, [])


def _order(version: str) -> tuple[bool, Any, str]:
    try:
        return False, Version(version), version
    except InvalidVersion:
        return True, Version("0"), version


def page(reports: Sequence[tuple[str, Report]], order: Sequence[str] = ()) -> str:
    """The page.

    Args:
        reports: (name, report) pairs; the name, such as a file's, tells columns apart that are alike otherwise.
        order: clause ids in the order of the contract; others follow in the order of their ids.
    """
    shown, empty = columns(reports)
    about = {clause: said for _, report in reversed(reports) for clause, said in report.about.items()}
    places = {clause: place for place, clause in enumerate(order)}
    clauses = sorted(about, key=lambda clause: (places.get(clause, len(places)), clause))
    areas: dict[str, list[str]] = {}
    for clause in clauses:
        areas.setdefault(clause.partition("/")[0], []).append(clause)
    heads = _heads(shown)
    rows = [clause for area in areas.values() for clause in area]
    counted = [clause for clause in clauses if about[clause].severity != Severity.SMOKE]
    folder = Path(__file__).parent
    style, script = ((folder / f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        columns=shown,
        heads=heads,
        few=len(shown) <= FEW,
        unasked=_unasked(shown, empty),
        areas=areas,
        about=about,
        looks={outcome: look for outcome, look in LOOKS.items() if _seen(outcome, shown, clauses)},
        glyphs=LOOKS,
        totals=[column.counts(counted) for column in shown],
        clauses=len(counted),
        severities=[str(each) for each in Severity if str(each) in {said.severity for said in about.values()}],
        suites=sorted({report.header.suite for _, report in reports}),
        data=_data(rows, about, shown, heads),
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _unasked(shown: Sequence[Column], empty: Sequence[Column]) -> dict[str, list[str]]:
    """Of which reports nothing was asked, by device; none are named where there is no column for the device at all."""
    asked = {column.device for column in shown}
    named: dict[str, list[str]] = {}
    for column in empty:
        named.setdefault(column.device, []).extend([column.report.name] if column.device in asked else [])
    return named


def _seen(outcome: str, shown: Sequence[Column], clauses: Sequence[str]) -> bool:
    return outcome in ("passed", "failed") or any(column.outcome(c) == outcome for column in shown for c in clauses)


def _heads(shown: Sequence[Column]) -> list[dict[str, Any]]:
    """What stands above each column: no more than tells it apart."""
    several = len({column.device for column in shown}) > 1
    plain = [(c.report.header.implementation, c.report.header.version, c.device if several else "") for c in shown]
    again = Counter(plain)
    heads, before = [], None
    for column, (implementation, version, device) in zip(shown, plain):
        extra = [device] if device else []
        extra += [column.name] if again[implementation, version, device] > 1 else []
        head = {"implementation": implementation, "version": version, "extra": ", ".join(extra)}
        heads.append({**head, "starts": before != implementation})
        before = implementation
    return heads


def _data(rows: Sequence[str], about: dict[str, About], shown: Sequence[Column], heads: Any) -> dict[str, Any]:
    """What the page's script needs; each text is in it once."""
    texts: dict[str, int] = {"": 0}
    cells: dict[str, list[int]] = {}
    for i, clause in enumerate(rows):
        for j, column in enumerate(shown):
            record = column.records.get(clause)
            found = [getattr(record, name) for name in SHOWN] if record and record.outcome != "untested" else []
            if any(found):
                cells[f"{i} {j}"] = [texts.setdefault(text, len(texts)) for text in found]
    return {
        "looks": {letter: [outcome, glyph] for outcome, (letter, glyph, _) in LOOKS.items()},
        "asked": "".join(LOOKS[outcome][0] for outcome in ASKED),
        "columns": [{**head, **asdict(column.report.header), "device": column.device, "file": column.name}
                    for column, head in zip(shown, heads)],
        "rows": [[c, *about[c], "".join(LOOKS[column.outcome(c)][0] for column in shown)] for c in rows],
        "texts": list(texts),
        "cells": cells,
    }  # fmt: skip


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


assert set(LOOKS) == {*OUTCOMES, "no record"}
