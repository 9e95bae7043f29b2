"""Write what a report shows into a deviation file: the failures as entries for a person to complete.

Comments and entries that are there stay as they are, to the letter. A reason and a link are left empty: the suite refuses
the file until somebody has said why, and where it is reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.contract import Clause
from conformance.report import ASKED, Report
from conformance.run.deviations import MENDED, Deviation, DeviationError, conditions, tomllib
from conformance.run.record import Record


@dataclass
class Update:
    """What becomes of a file: its new text, the clauses concerned, and a sentence on each failure left alone."""

    text: str
    written: list[str] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def update(
    path: Path, report: Report, clauses: Mapping[str, Clause], versions: str = "", prune: bool = False
) -> Update:
    """The file with an entry for each failure that has none; with ``prune``, without the entries that are mended.

    Args:
        path: the file; it need not exist yet.
        report: what was found.
        clauses: the contract.
        versions: what the new entries say of the versions they speak of; nothing by default.
        prune: whether an entry that no longer deviates, its reason included, is removed.

    Raises:
        DeviationError: the file cannot be read, is no TOML, or is written in a way that cannot be added to.
    """
    conditions("the new entries", {"versions": versions})
    made = Update(_text(path))
    wanted = _entries(path, made.text)
    for id, records in sorted(_failures(report).items()):
        version, failed = report.header.version, [record for record in records if record.outcome == "failed"]
        present, where = wanted.setdefault(id, []), f"deviation file {path}, [{id}]"
        speaking = [
            k for k, entry in enumerate(present) if any(_speaks_of(where, entry, version, r.device) for r in failed)
        ]
        if any(record.reason.startswith(MENDED) for record in failed):
            made.mended.append(id)
            if len(failed) < len(records):
                made.left.append(f"{id} {MENDED} on {failed[0].device} only: say on which devices it does")
            elif prune and speaking:
                made.text = _without(made.text, id, speaking[0])
                made.removed.append(id)
                del present[speaking[0]]
        elif id not in clauses:
            made.left.append(f"{id} is no clause of this version of the suite")
        elif any(present[k].get("witness", "") == failed[0].witness for k in speaking):
            made.left.append(f"{id} has an entry already")
        elif clauses[id].strategies and not failed[0].witness:
            made.left.append(f"{id} has no witness in the report: find one with run -k")
        else:
            entry = _entry(failed, records, versions)
            made.text = _with(made.text, id, entry, several=bool(present))
            made.written.append(id)
            present.append(entry)
    # The text was changed as text, so that every comment stays where it was; here is the proof that it says what it should.
    if not _says(made.text, {id: entries for id, entries in wanted.items() if entries}):
        raise DeviationError(
            f"deviation file {path}: its tables are written in a way that cannot be added to; "
            'write each under a line ["area/clause-id"]'
        )
    return made


def _says(text: str, wanted: Mapping[str, list[dict[str, Any]]]) -> bool:
    try:
        return _entries(Path(), text) == wanted
    except DeviationError:
        return False


def _failures(report: Report) -> dict[str, list[Record]]:
    """The asked records of each clause that failed on some device."""
    failed = {record.clause for record in report.records if record.outcome == "failed"}
    asked: dict[str, list[Record]] = {id: [] for id in failed}
    for record in report.records:
        if record.clause in failed and record.outcome in ASKED:
            asked[record.clause].append(record)
    return asked


def _speaks_of(where: str, entry: Mapping[str, Any], version: str, device: str) -> bool:
    """Whether an entry, which may lack its reason yet, applies to the version on the device."""
    return Deviation("", "", "", *conditions(where, entry), {}).applies(version, device)


def _entry(failed: list[Record], asked: list[Record], versions: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"reason": "", "link": ""}
    if versions:
        entry["versions"] = versions
    if len(failed) < len(asked):
        entry["devices"] = [record.device for record in failed]
    if failed[0].witness:
        entry["witness"] = failed[0].witness
    return entry


# --- the text of the file -----------------------------------------------------------------------------------------

_TABLE = re.compile(r"""^[ \t]*(\[\[?)[ \t]*(["'])([^"'\n]+)\2[ \t]*\]\]?""", re.MULTILINE)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path.exists() else ""
    except OSError as error:
        raise DeviationError(f"deviation file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DeviationError(f"deviation file {path} is no TOML: {error}") from error


def _entries(path: Path, text: str) -> dict[str, list[dict[str, Any]]]:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DeviationError(f"deviation file {path} is no TOML: {error}") from error
    entries = {id: list(content) if isinstance(content, list) else [content] for id, content in table.items()}
    for id, each in ((id, each) for id, content in entries.items() for each in content):
        if not isinstance(each, dict):
            raise DeviationError(f'deviation file {path}, [{id}]: expected a table ["area/clause-id"]')
    return entries


def _tables(text: str, id: str) -> Iterator[tuple[re.Match[str], int]]:
    """The opening line of each table of that id, and where the table ends: after its last value."""
    openings = [*_TABLE.finditer(text), None]
    for opening, following in zip(openings, openings[1:]):
        if opening is not None and opening[3] == id:
            lines = text[opening.start() : following.start() if following else len(text)].splitlines(keepends=True)
            while len(lines) > 1 and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
                lines.pop()  # blank lines and comments before the next table belong to that one
            yield opening, opening.start() + len("".join(lines))


def _without(text: str, id: str, index: int) -> str:
    opening, end = list(_tables(text, id))[index]
    return text[: opening.start()] + text[end:].removeprefix("\n")


def _with(text: str, id: str, entry: Mapping[str, Any], several: bool) -> str:
    if several:  # a second entry makes a list of the first
        for opening, _ in _tables(text, id):
            if opening[1] == "[":
                text = text[: opening.start()] + f'[["{id}"]]' + text[opening.end() :]
    before, after = ("[[", "]]") if several else ("[", "]")
    lines = [f'{before}"{id}"{after}', *(f"{name} = {_value(value)}" for name, value in entry.items())]
    return "\n".join([*([text.rstrip("\n"), ""] if text.strip() else []), *lines, ""])


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    escaped = "".join(
        {'"': '\\"', "\\": "\\\\"}.get(c) or (c if c.isprintable() else f"\\U{ord(c):08x}") for c in value
    )
    return f'"{escaped}"'
