"""Reading reports: each way in which a file can be broken has a name, and one sentence that says how to mend it."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from conformance.contract.clause import Severity
from conformance.report import OUTCOMES, SCHEMA, About, Header, Report
from conformance.run.profiles import EXAMPLES
from conformance.run.record import Record

#: How many bytes a line, and a file, may have; a run writes far less.
LINE, FILE = 4 << 20, 256 << 20

#: What each kind of line must hold, besides its kind.
HEADER = {"schema", *(field.name for field in fields(Header))}
RECORD = {*(field.name for field in fields(Record)), *About._fields}
FOOTER = {"records", "outcomes"}
_CLAUSE = re.compile(r"[a-z_-]+/[a-z0-9_-]+")


class ReportError(Exception):
    """A report that cannot be used; the message says which file and line, what is wrong, and how to mend it."""

    mend = "make it again with --report"

    def __init__(self, path: Path | str, problem: str, line: int | None = None):
        super().__init__(f"report {path}{f', line {line}' if line else ''}: {problem}; {self.mend}")


class Missing(ReportError):
    """No such file."""

    mend = "give the file that --report wrote"


class Folder(Missing):
    """A folder where a file is meant."""


class Unreadable(ReportError):
    """The operating system refuses to read the file."""

    mend = "give a file that you may read"


class Empty(ReportError):
    """A file of no bytes."""

    mend = "let the run end, then give the file that --report wrote"


class Truncated(ReportError):
    """No footer: the file ends too early."""

    mend = "the run or the copy was cut off, so make it again"


class WrongCount(ReportError):
    """The footer counts other records than there are."""

    mend = "records were lost or added, so make it again"


class NotText(ReportError):
    """Bytes that are no UTF-8."""

    mend = "save it as UTF-8, or give the file that --report wrote"


class NotJson(ReportError):
    """A line that is no JSON object."""

    mend = "give the file that --report wrote, not what pytest printed or --junitxml wrote"


class TooLong(ReportError):
    """A line longer than any that a run writes."""

    mend = "give the file that --report wrote"


class TooLarge(TooLong):
    """A file larger than any that a run writes."""


class NoHeader(ReportError):
    """A record or a footer where the header should be."""

    mend = "the first line says what was checked; it was lost, so make it again"


class OtherSchema(ReportError):
    """A report of another schema."""

    mend = "read it with the module-conformance that wrote it, or make it again with this one"


class Malformed(ReportError):
    """A field that is missing, unknown or of another type than the schema says."""

    mend = "conformance/report/schema.json says what a line holds"


class UnknownOutcome(Malformed):
    """An outcome that there is none of."""


class Duplicate(ReportError):
    """Two records for one clause on one device."""

    mend = "two reports were joined into one file, so give them one by one"


class AfterFooter(Duplicate):
    """Lines after the footer, or a second header."""


class MixedSuites(ReportError):
    """Reports made with different versions of the suite."""

    mend = "make both with one version, or say --anyway"


class OtherClauses(ReportError):
    """Reports over different clauses."""

    mend = "make both without a selection such as -k, or say --anyway"


class NoSharedDevice(ReportError):
    """Reports that are to be compared and have no device in common."""

    mend = "run one of them on the other's device"


def read(path: Path | str) -> Report:
    """The report in that file; the order of its records does not matter.

    Raises:
        ReportError: one of the classes above, by what is wrong.
    """
    lines = _lines(Path(path))
    header = _header(path, next(lines))
    records: dict[tuple[str, str], Record] = {}
    about: dict[str, About] = {}
    footer, number = None, 1
    for number, line in lines:
        if footer is not None or line["kind"] == "header":
            raise AfterFooter(path, f"a {line['kind']} {'after the footer' if footer else 'amid the records'}", number)
        if line["kind"] == "footer":
            footer = _footer(path, number, line)
            continue
        record, said = _record(path, number, line, header)
        if (record.clause, record.device) in records:
            raise Duplicate(path, f"a second record of {record.clause} on {record.device or 'no device'}", number)
        if about.setdefault(record.clause, said) != said:
            raise Malformed(path, f"the clause {record.clause} is not described as in an earlier line", number)
        records[record.clause, record.device] = record
    if footer is None:
        raise Truncated(path, f"it ends after {len(records)} records without a footer", number)
    counted = {"records": len(records), "outcomes": dict(Counter(record.outcome for record in records.values()))}
    if footer != counted:
        raise WrongCount(path, f"the footer says {footer}, but there are {counted}", number)
    ordered = sorted(records.values(), key=lambda record: (record.clause, record.device))
    return Report(header, tuple(ordered), dict(sorted(about.items())))


def agree(reports: Sequence[tuple[Path | str, Report]]) -> None:
    """Refuse reports that cannot stand side by side.

    Raises:
        MixedSuites: they were made with different versions of the suite.
        OtherClauses: they are over different clauses.
    """
    first, base = reports[0]
    for path, report in reports[1:]:
        if report.header.suite != base.header.suite:
            raise MixedSuites(
                path,
                f"it was made with module-conformance {report.header.suite}, {first} with {base.header.suite}",
            )
        lacking, more = _asked_of(base, report), _asked_of(report, base)
        if lacking or more:
            raise OtherClauses(
                path,
                f"it lacks {len(lacking)} clauses that {first} has and has {len(more)} that {first} lacks, "
                f"{min(lacking | more)} among them",
            )


def _asked_of(one: Report, other: Report) -> set[str]:
    """The clauses of which one report has a record and the other has none, on a device that is named in both."""
    found = {(record.clause, record.device) for record in other.records}
    shared = ("", *other.header.devices)
    return {r.clause for r in one.records if r.device in shared and (r.clause, r.device) not in found}


# --- lines --------------------------------------------------------------------------------------------------------


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The JSON objects of the file, numbered from 1: at least one."""
    if path.is_dir():
        raise Folder(path, "it is a folder")
    total = number = 0
    try:
        with path.open("rb") as file:
            while data := file.readline(LINE + 1):
                number, total = number + 1, total + len(data)
                if len(data) > LINE:
                    raise TooLong(path, f"the line is longer than {LINE} bytes", number)
                if total > FILE:
                    raise TooLarge(path, f"the file is larger than {FILE} bytes", number)
                yield number, _object(path, number, data)
    except FileNotFoundError:
        raise Missing(path, "there is no such file") from None
    except (OSError, ValueError) as error:  # the latter for a name that no file can have
        raise Unreadable(path, getattr(error, "strerror", None) or str(error)) from None
    if not number:
        raise Empty(path, "it is empty")


def _object(path: Path, number: int, data: bytes) -> dict[str, Any]:
    try:
        line = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        if not data.endswith(b"\n") and number > 1:
            raise Truncated(path, "the last line breaks off", number) from None
        if isinstance(error, UnicodeDecodeError):
            raise NotText(path, f"byte {error.start + 1} is no UTF-8", number) from None
        raise NotJson(path, f"it is no JSON ({_short(str(error))})", number) from None
    if not isinstance(line, dict) or not isinstance(line.get("kind"), str):
        raise NotJson(path, 'it is no JSON object with a "kind"', number)
    if line["kind"] not in ("header", "record", "footer"):
        raise Malformed(path, f"kind is {_short(line['kind'])}, not header, record or footer", number)
    for text in _texts(line):
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise NotText(path, "a text holds half a surrogate pair", number)
    return line


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("one key is given twice")
    return dict(pairs)


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _short(value: Any) -> str:
    """What a message quotes of a report: one short printable line."""
    text = repr(value) if not isinstance(value, str) else value
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if len(text) <= 80 else text[:77] + "..."


# --- what a line holds --------------------------------------------------------------------------------------------


def _header(path: Path | str, numbered: tuple[int, dict[str, Any]]) -> Header:
    number, line = numbered
    if line["kind"] != "header":
        raise NoHeader(path, f"a {line['kind']} comes before the header", number)
    if line.get("schema") != SCHEMA or isinstance(line["schema"], bool):
        raise OtherSchema(path, f"its schema is {_short(line.get('schema', 'missing'))}, this reads {SCHEMA}", number)
    _keys(path, number, line, HEADER)
    devices = line["devices"]
    names = isinstance(devices, list) and all(isinstance(device, str) and device for device in devices)
    if not names or not devices or len(set(devices)) < len(devices):
        raise Malformed(path, "devices is no list of different names", number)
    if type(line["checked"]) is not int or line["checked"] < 0:
        raise Malformed(path, "checked is no number of clauses", number)
    _strings(path, number, line, HEADER - {"schema", "devices", "checked"})
    _one_of(path, number, line, "profile", EXAMPLES)
    return Header(**{field.name: line[field.name] for field in fields(Header)} | {"devices": tuple(devices)})


def _record(path: Path | str, number: int, line: dict[str, Any], header: Header) -> tuple[Record, About]:
    _keys(path, number, line, RECORD)
    _strings(path, number, line, RECORD - {"seconds"})
    if not _CLAUSE.fullmatch(line["clause"]):
        raise Malformed(path, f"{_short(line['clause'])} is no id of a clause", number)
    if line["outcome"] not in OUTCOMES:
        raise UnknownOutcome(path, f"outcome {_short(line['outcome'])} is none of {', '.join(OUTCOMES)}", number)
    _one_of(path, number, line, "severity", [str(severity) for severity in Severity])
    if line["device"] not in (("",) if line["outcome"] == "untested" else header.devices):
        raise Malformed(path, f"device {_short(line['device'])} is none of the header's", number)
    seconds = line["seconds"]
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds < math.inf:
        raise Malformed(path, "seconds is no duration", number)
    record = Record(**{field.name: line[field.name] for field in fields(Record)})
    return record, About(line["severity"], line["sentence"], line["docs"])


def _footer(path: Path | str, number: int, line: dict[str, Any]) -> dict[str, Any]:
    _keys(path, number, line, FOOTER)
    outcomes = line["outcomes"]
    if not isinstance(outcomes, dict) or not all(
        type(n) is int and n >= 0 for n in [line["records"], *outcomes.values()]
    ):
        raise Malformed(path, "the footer's counts are no whole numbers", number)
    return {"records": line["records"], "outcomes": {name: count for name, count in outcomes.items() if count}}


def _keys(path: Path | str, number: int, line: dict[str, Any], wanted: set[str]) -> None:
    for name in sorted(wanted - line.keys()):
        raise Malformed(path, f"the {line['kind']} has no field {name!r}", number)
    for name in sorted(line.keys() - wanted - {"kind"}):
        raise Malformed(path, f"the {line['kind']} has an unknown field {_short(name)!r}", number)


def _strings(path: Path | str, number: int, line: dict[str, Any], names: set[str]) -> None:
    for name in sorted(names):
        if not isinstance(line[name], str):
            raise Malformed(path, f"{name} is {_short(line[name])}, which is no text", number)


def _one_of(path: Path | str, number: int, line: dict[str, Any], name: str, known: Any) -> None:
    if line[name] not in known:
        raise Malformed(path, f"{name} {_short(line[name])} is none of {', '.join(known)}", number)
