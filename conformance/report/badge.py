"""A badge: what https://shields.io/badges/endpoint-badge reads."""

from __future__ import annotations

from typing import Any

from conformance.report import ASKED, Report


def badge(report: Report) -> dict[str, Any]:
    """How many of the cases asked passed, how many deviate, how many failed; grey for a part of the suite."""
    asked = [record.outcome for record in report.records if record.outcome in ASKED]
    said = [f"{asked.count('passed')} of {len(asked)} passed"]
    for outcome, words in (("deviation", "known deviations"), ("failed", "failed")):
        if outcome in asked:
            said.append(f"{asked.count(outcome)} {words}")
    good = "green" if "deviation" in asked else "brightgreen"
    if part := report.selected < report.header.checked:
        said.append(f"{report.selected} of {report.header.checked} clauses")
    return {
        "schemaVersion": 1,
        "label": "torch.nn.Module contract",
        "message": ", ".join(said),
        "color": "red" if "failed" in asked else good if asked and not part else "lightgrey",
    }
