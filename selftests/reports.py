"""Reports to test with: made by hand, drawn by Hypothesis, or written by a hostile author."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from hypothesis import strategies as st

from conformance.contract import Severity
from conformance.report import OUTCOMES, About, Header, Report
from conformance.run.profiles import EXAMPLES
from conformance.run.record import Record

HEADER = Header("0.1.0", "torch", "2.13.0", "3.11", "Linux", "default", "random", ("cpu",), 1)


def make(outcomes: dict[str, str], device: str = "cpu", **header) -> Report:
    """A report with these outcomes by clause on one device; a record that is no pass says why."""
    records = [
        Record(clause, "" if outcome == "untested" else device, outcome, "" if outcome == "passed" else f"{outcome}.")
        for clause, outcome in sorted(outcomes.items())
    ]
    about = {
        clause: About("required", f"The promise of {clause}.", "https://docs.pytorch.org/x") for clause in outcomes
    }
    header = {"devices": (device,), "checked": sum(bool(record.device) for record in records)} | header
    return Report(replace(HEADER, **header), tuple(records), about)


def text(report: Report) -> str:
    """What the report's file holds."""
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in report.lines())


def written(path: Path, report: Report) -> Path:
    """The file that holds the report."""
    path.write_text(text(report), encoding="utf-8")
    return path


#: Anything that UTF-8 can hold, what ends a script element and what a terminal obeys among it.
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ["</script><script>fail()</script>", "\x1b[2J", "a\u2028b", "<!--", "| a | `b` |", "javascript:fail()", "\r\n"]
)
CLAUSES = st.from_regex(r"[a-z_]{1,5}/[a-z0-9_-]{1,5}", fullmatch=True)


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Any report that a run could have written."""
    devices = draw(st.lists(st.sampled_from(["cpu", "cuda", "☃"]), min_size=1, unique=True))
    header = {name: draw(TEXTS) for name in ("suite", "implementation", "version", "python", "platform", "seed")}
    severities = st.sampled_from([str(severity) for severity in Severity])
    about = draw(st.dictionaries(CLAUSES, st.builds(About, severities, TEXTS, TEXTS), max_size=5))
    records = []
    for clause in sorted(about):
        for device in draw(st.sampled_from([[""], sorted(devices)])):
            outcome = draw(st.sampled_from([o for o in OUTCOMES if (o == "untested") == (device == "")]))
            seconds = draw(st.floats(0, 1e6))
            records.append(Record(clause, device, outcome, draw(TEXTS), seconds, *(draw(TEXTS) for _ in range(5))))
    profile = draw(st.sampled_from(sorted(EXAMPLES)))
    return Report(
        Header(**header, profile=profile, devices=tuple(devices), checked=len(about)),
        tuple(records),
        dict(sorted(about.items())),
    )


def hostile() -> Report:
    """A report whose every text tries to run a script, or to end the element that it stands in."""
    attack = (
        "</script></pre><script>window.attacked = 1</script><img src=x onerror='window.attacked = 2'>"
        "\"'><svg onload=window.attacked=3>\u2028\u2029<!--<script>{{ 7 * 7 }}${window.attacked = 4}"
    )
    header = Header(attack, attack, attack, attack, attack, "default", attack, ("cpu", attack), 1)
    texts = (attack, "javascript:window.attacked=5", attack, attack, attack, attack)
    records = tuple(
        Record("area/clause-a", device, "failed", texts[0], 1.0, *texts[1:]) for device in sorted(header.devices)
    )
    return Report(header, records, {"area/clause-a": About("required", attack, "javascript:window.attacked=6")})
