"""Reports: one record per clause, device and implementation version, between a header and a footer, as JSON lines."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from conformance.report.writing import write_whole
from conformance.run.record import Record
from conformance.version import __version__

if TYPE_CHECKING:
    from conformance.adapter.port import Implementation
    from conformance.contract import Clause

SCHEMA = 2
#: The severity of what is an example of other clauses: it has a record, and is not counted among the clauses.
SMOKE = "smoke"
#: How many reasons for skipping the end of a run lists.
REASONS = 12
OUTCOMES = ("passed", "deviation", "failed", "differs", "skipped", "not run", "untested")
#: The outcomes of cases that were really put to the implementation.
ASKED = ("passed", "deviation", "failed", "differs")
#: The longest text of a record, in characters.
LONGEST = 50_000


@dataclass(frozen=True)
class Header:
    """What was checked, and how."""

    suite: str
    implementation: str
    version: str
    python: str
    platform: str
    profile: str
    seed: str
    devices: tuple[str, ...]
    checked: int  # how many clauses the suite has a property for


class About(NamedTuple):
    """What a report says of a clause, so that it can be read without the suite that made it."""

    severity: str
    sentence: str
    docs: str


@dataclass(frozen=True)
class Report:
    """A finished run: what was checked, the records, and what each clause promises. This is what a file holds."""

    header: Header
    records: tuple[Record, ...]
    about: Mapping[str, About]

    @property
    def name(self) -> str:
        """Implementation and version."""
        return f"{self.header.implementation} {self.header.version}"

    @property
    def selected(self) -> int:
        """How many of the clauses that the suite checks the run has a record of."""
        return len({record.clause for record in self.records if record.device and self._counted(record.clause)})

    def _counted(self, clause: str) -> bool:
        """Whether the clause promises something of its own."""
        return self.about[clause].severity != SMOKE

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that were there: on others nothing was run."""
        there = {record.device for record in self.records if record.outcome != "not run"}
        return tuple(device for device in self.header.devices if device in there)

    def on(self, device: str) -> dict[str, Record]:
        """The records of that device by clause, those of untested clauses included."""
        return {record.clause: record for record in self.records if record.device in (device, "")}

    def counts(self, device: str) -> Counter[str]:
        """How many clauses had each outcome on that device."""
        return Counter(record.outcome for record in self.on(device).values() if self._counted(record.clause))

    def lines(self) -> list[dict[str, Any]]:
        """Header, records and footer as JSON objects."""
        header = {"kind": "header", "schema": SCHEMA, **asdict(self.header), "devices": list(self.header.devices)}
        body = [{"kind": "record", **asdict(r), **self.about[r.clause]._asdict()} for r in self.records]
        counts = Counter(record.outcome for record in self.records)
        footer = {"kind": "footer", "records": len(body), "outcomes": {o: counts[o] for o in OUTCOMES}}
        return [header, *body, footer]


@dataclass
class Run:
    """What one run found."""

    implementation: str
    version: str
    python: str
    platform: str
    profile: str
    seed: str
    devices: tuple[str, ...]
    clauses: Mapping[str, Clause] = field(repr=False)
    records: dict[tuple[str, str], Record] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        implementation: Implementation,
        profile: str,
        seed: str,
        devices: tuple[str, ...],
        clauses: Mapping[str, Clause],
    ) -> Run:
        """An empty run of that implementation."""
        return cls(
            implementation.name,
            implementation.version,
            platform.python_version(),
            platform.platform(terse=True),
            profile,
            seed,
            devices,
            clauses,
        )

    def add(self, record: Record) -> None:
        """Keep an outcome; a failure is never overwritten by what follows it."""
        key = (record.clause, record.device)
        if key not in self.records or self.records[key].outcome != "failed":
            self.records[key] = _readable(record)

    @property
    def checked(self) -> int:
        """How many clauses the suite has a property for."""
        return sum(clause.function is not None and clause.severity != SMOKE for clause in self.clauses.values())

    def asked(self) -> int:
        """How many cases were really put to the implementation."""
        return sum(record.outcome in ASKED for record in self.records.values())

    def header(self) -> str:
        """The lines at the top of a run."""
        return (
            f"conformance: {self.implementation} {self.version}, devices {', '.join(self.devices)}, "
            f"profile {self.profile}, seed {self.seed}, "
            f"{sum(clause.severity != SMOKE for clause in self.clauses.values())} clauses"
        )

    def all_records(self) -> list[Record]:
        """The records in the order of the contract, clauses that nothing checks included."""
        records = sorted(self.records.values(), key=lambda record: (self._position(record.clause), record.device))
        gaps = [Record(c.id, "", "untested", c.sentence) for c in self.clauses.values() if c.function is None]
        return records + gaps

    def _position(self, clause: str) -> int:
        return list(self.clauses).index(clause)

    def summary(self) -> list[str]:
        """The lines at the end of a run."""
        found = self.all_records()
        smoke = [record for record in found if self.clauses[record.clause].severity == SMOKE]
        records = [record for record in found if record not in smoke]
        counts = Counter(record.outcome for record in records)
        seen = len({record.clause for record in records if record.device})
        lines = [f"{self.implementation} {self.version}: {seen} of {self.checked} clauses selected"]
        for device in self.devices:
            if examples := [record for record in smoke if record.device == device]:
                lines.append(f"[{device}] smoke: {_counts(examples)}")
            here = [record for record in records if record.device == device]
            asked = sum(record.outcome in ASKED for record in here)
            lines.append(f"[{device}] {asked} of {seen} asked: {_counts(here)}")
        lines += _grouped("skipped or not run", [r for r in records if r.outcome in ("skipped", "not run")])
        if counts["untested"]:
            lines.append(f"untested: {counts['untested']} clauses are known and not checked yet")
        if not self.asked():
            lines.append("nothing was asked of the implementation: this run shows nothing")
        return lines

    def report(self) -> Report:
        """The run as it is written down."""
        header = Header(__version__, **{f.name: getattr(self, f.name) for f in fields(Header) if f.name != "suite"})
        records = tuple(self.all_records())
        clauses = (self.clauses[record.clause] for record in records)
        return Report(header, records, {c.id: About(str(c.severity), c.sentence, c.link) for c in clauses})


def _counts(records: list[Record]) -> str:
    """How many of them had each outcome, in words."""
    here = Counter(record.outcome for record in records)
    said = {
        "passed": "passed",
        "deviation": "known deviations",
        "failed": "failed",
        "differs": "differ where only PyTorch's behaviour is observed",
        "skipped": "skipped",
        "not run": "not run",
    }
    return ", ".join(f"{here[o]} {words}" for o, words in said.items() if here[o] or o in ("passed", "failed"))


def _readable(record: Record) -> Record:
    """The record with texts of bounded length that UTF-8 can hold: what a run writes can always be read again."""
    return replace(record, **{name: _text(value) for name, value in asdict(record).items() if isinstance(value, str)})


def _text(text: str) -> str:
    clipped = text if len(text) <= LONGEST else f"{text[:LONGEST]}\n... {len(text)} characters"
    return clipped.encode("utf-8", "backslashreplace").decode()


def _grouped(title: str, records: list[Record]) -> list[str]:
    """How many records have each reason, the most frequent first; the rest of a long list is in the report."""
    reasons = Counter(record.reason for record in records).most_common()
    shown = len(reasons) if len(reasons) <= REASONS + 1 else REASONS
    lines = [f"  {count:4} {title}: {reason}" for reason, count in reasons[:shown]]
    if rest := reasons[shown:]:
        lines.append(
            f"  {sum(count for _, count in rest):4} {title} for {len(rest)} reasons more: --report has them all"
        )
    return lines


def write(run: Run, path: Path) -> None:
    """Write the report whole or not at all."""
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in run.report().lines())
    write_whole(path, text)


def schema() -> dict[str, Any]:
    """The JSON Schema that every line of a report satisfies."""
    return json.loads(Path(__file__).with_name("schema.json").read_text(encoding="utf-8"))
