"""Reports: one record per clause, device and implementation version, between a header and a footer, as JSON lines."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from conformance.check import Record
from conformance.contract import Clause
from conformance.implementation import Implementation

SCHEMA = 2
OUTCOMES = ("passed", "deviation", "failed", "differs", "skipped", "not run", "untested")


def suite_version() -> str:
    """The version of the installed distribution, or of this checkout's."""
    from conformance import __version__

    return __version__


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
            self.records[key] = record

    def asked(self) -> int:
        """How many cases were really put to the implementation."""
        return sum(record.outcome in ("passed", "deviation", "failed", "differs") for record in self.records.values())

    def header(self) -> str:
        """The lines at the top of a run."""
        return (
            f"conformance: {self.implementation} {self.version}, devices {', '.join(self.devices)}, "
            f"profile {self.profile}, seed {self.seed}, {len(self.clauses)} clauses"
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
        records = self.all_records()
        counts = Counter(record.outcome for record in records)
        checked = sum(clause.function is not None for clause in self.clauses.values())
        seen = len({record.clause for record in self.records.values()})
        lines = [f"{self.implementation} {self.version}: {seen} of {checked} clauses selected"]
        for device in self.devices:
            here = Counter(record.outcome for record in records if record.device == device)
            asked = sum(here[o] for o in ("passed", "deviation", "failed", "differs"))
            said = {
                "passed": "passed",
                "deviation": "known deviations",
                "failed": "failed",
                "differs": "differ where only PyTorch's behaviour is observed",
                "skipped": "skipped",
                "not run": "not run",
            }
            text = ", ".join(f"{here[o]} {words}" for o, words in said.items() if here[o] or o in ("passed", "failed"))
            lines.append(f"[{device}] {asked} of {seen} asked: {text}")
        lines += _grouped(
            "skipped or not run", (r for r in records if r.outcome in ("skipped", "not run")), len(records)
        )
        if counts["untested"]:
            lines.append(f"untested: {counts['untested']} clauses are known and not checked yet")
        if not self.asked():
            lines.append("nothing was asked of the implementation: this run shows nothing")
        return lines

    def lines(self) -> list[dict[str, Any]]:
        """Header, records and footer as JSON objects."""
        records = self.all_records()
        header = {
            "kind": "header",
            "schema": SCHEMA,
            "suite": suite_version(),
            "implementation": self.implementation,
            "version": self.version,
            "python": self.python,
            "platform": self.platform,
            "profile": self.profile,
            "seed": self.seed,
            "devices": list(self.devices),
        }
        body = [{"kind": "record", **asdict(record), **self._about(record)} for record in records]
        counts = Counter(record.outcome for record in records)
        footer = {"kind": "footer", "records": len(body), "outcomes": {o: counts[o] for o in OUTCOMES}}
        return [header, *body, footer]

    def _about(self, record: Record) -> dict[str, str]:
        clause = self.clauses[record.clause]
        return {"severity": str(clause.severity), "sentence": clause.sentence, "docs": clause.link}


def _grouped(title: str, records: Any, total: int) -> list[str]:
    reasons = Counter(record.reason for record in records)
    return [f"  {count:4} {title}: {reason}" for reason, count in reasons.most_common()]


def write(run: Run, path: Path) -> None:
    """Write the report whole or not at all."""
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in run.lines())
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def schema() -> dict[str, Any]:
    """The JSON Schema that every line of a report satisfies."""
    return json.loads(Path(__file__).with_name("schema.json").read_text(encoding="utf-8"))
