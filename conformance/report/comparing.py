"""What changed from one report to the next: clause by clause, on the devices that both have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from conformance.report import ASKED, About, Report
from conformance.run.record import Record

#: The kinds of change in the order in which they are shown.
KINDS = {
    "newly fails": "It did not fail before.",
    "newly deviates": "It passed before, and departs from the clause now.",
    "newly passes": "It failed or deviated before.",
    "recorded otherwise": "It departs from the clause as before; what changed is whether that is recorded.",
    "no longer asked": "It was asked before, and is skipped now for want of a capability.",
    "no longer promised": "It was asked before; the documentation of the newer version promises it no more.",
    "now asked": "It was skipped before.",
    "skipped otherwise": "It was not asked before either, for another reason.",
    "disappeared": "There is no record any more.",
    "appeared": "There was no record before.",
}
#: The kinds by which the second report is worse than the first.
REGRESSIONS = ("newly fails", "newly deviates", "no longer asked")


@dataclass(frozen=True)
class Change:
    """One clause on one device whose outcome is another now; a record that is not there is None."""

    kind: str
    before: Record | None
    after: Record | None

    @property
    def why(self) -> str:
        """The reason that one of the records gives: the newer one's, unless that is a pass."""
        return next((r.reason for r in (self.after, self.before) if r is not None and r.reason), "")

    @property
    def record(self) -> Record:
        """The newer record of the two."""
        record = self.after or self.before
        assert record is not None
        return record


@dataclass(frozen=True)
class Comparison:
    """Two reports, the devices that both have, and what changed on them."""

    before: Report
    after: Report
    devices: tuple[str, ...]
    changes: tuple[Change, ...]

    @property
    def about(self) -> dict[str, About]:
        """What the reports say of the clauses."""
        return {**self.before.about, **self.after.about}

    @property
    def regressed(self) -> bool:
        """Whether the second report is worse than the first."""
        return any(change.kind in REGRESSIONS for change in self.changes)

    @property
    def groups(self) -> Iterator[tuple[str, list[Change]]]:
        """The changes by kind, in the order of ``KINDS``."""
        for kind, group in groupby(self.changes, lambda change: change.kind):
            yield kind, list(group)

    def summary(self) -> list[str]:
        """How much was compared, what changed, and what was not compared."""
        on = ", ".join(self.devices)
        said = ", ".join(f"{len(group)} {kind}" for kind, group in self.groups) or "nothing changed"
        lines = [f"{len(self.about)} clauses on {on}: {said}."]
        if (before := self.before.header.profile) != (after := self.after.header.profile):
            lines.append(f"The profile was {before} before and is {after} now: the longer one finds more.")
        for report in (self.before, self.after):
            for device in report.devices:
                if device not in self.devices:
                    asked = sum(report.counts(device)[outcome] for outcome in ASKED)
                    lines.append(f"Not compared: {device}, which only {report.name} has ({asked} clauses asked).")
        return lines


def compare(before: Report, after: Report) -> Comparison:
    """What changed from one report to the other."""
    devices = tuple(device for device in before.devices if device in after.devices)
    shared = (*devices, "")
    old = {(record.clause, record.device): record for record in before.records if record.device in shared}
    new = {(record.clause, record.device): record for record in after.records if record.device in shared}
    changes = []
    for key in sorted(old.keys() | new.keys()):
        if kind := _kind(old.get(key), new.get(key)):
            changes.append(Change(kind, old.get(key), new.get(key)))
    changes.sort(key=lambda change: list(KINDS).index(change.kind))
    return Comparison(before, after, devices, tuple(changes))


def _kind(before: Record | None, after: Record | None) -> str | None:
    if before is None:
        return "newly fails" if after.outcome == "failed" else "appeared"  # type: ignore[union-attr]
    if after is None:
        return "disappeared"
    if before.outcome == after.outcome:
        return None
    if after.outcome == "failed":
        return "newly fails"
    if before.outcome not in ASKED or after.outcome not in ASKED:
        if before.outcome in ASKED:
            return "no longer promised" if after.reason.startswith("version:") else "no longer asked"
        return "now asked" if after.outcome in ASKED else "skipped otherwise"
    if before.outcome == "passed":
        return "newly deviates"
    return "newly passes" if after.outcome == "passed" else "recorded otherwise"


# --- as Markdown --------------------------------------------------------------------------------------------------


def markdown(comparison: Comparison) -> str:
    """The comparison as a person reads it, in GitHub's Markdown."""
    parts = [f"## {escaped(comparison.before.name)} → {escaped(comparison.after.name)}", ""]
    parts += [escaped(line) for line in comparison.summary()]
    several = len(comparison.devices) > 1
    about = comparison.about
    head = ["clause", *(["device"] if several else []), "severity", "before", "now", "why"]
    for kind, changes in comparison.groups:
        parts += ["", f"### {kind} ({len(changes)})", "", KINDS[kind], ""]
        parts += [f"| {' | '.join(head)} |", "| --- " * len(head) + "|"]
        for change in changes:
            clause, device = change.record.clause, [escaped(change.record.device)] if several else []
            outcomes = [record.outcome if record else "" for record in (change.before, change.after)]
            cells = [f"`{clause}`", *device, about[clause].severity, *outcomes, escaped(change.why)]
            parts.append(f"| {' | '.join(cells)} |")
    return "\n".join([*parts, ""])


def one_line(text: str, longest: int = 300) -> str:
    """Text of a report as one printable line: no line breaks, no terminal's control codes."""
    text = " ".join(text.split())
    text = text if len(text) <= longest else text[: longest - 3] + "..."
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def escaped(text: str) -> str:
    """The same, as Markdown that shows it as it stands."""
    return re.sub(r"([\\`*_{}\[\]<>#|~&!])", r"\\\1", one_line(text))
