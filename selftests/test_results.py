"""The results that are kept of each version, and the page made of them."""

from __future__ import annotations

import json

import pytest

from conformance import contract
from docs import results

CLAUSES = list(contract.load())


def lines(version: str, outcomes: dict[str, tuple[str, str]], profile: str = "ci") -> list[str]:
    """A report of these clauses: outcome and reason."""
    header = {"kind": "header", "implementation": "torch", "version": version, "profile": profile}
    records = [
        {"kind": "record", "clause": clause, "device": device, "outcome": outcome, "reason": reason}
        for clause, (outcome, reason) in outcomes.items()
        for device in ("cpu", "cuda")
    ]
    for record in records:
        if record["device"] == "cuda":
            record["outcome"] = "not run"
    return [json.dumps(line) for line in (header, *records, {"kind": "footer"})]


def test_a_report_becomes_a_column_of_what_was_asked_on_the_cpu():
    since, until = "version: documented since torch 2.0, ...", "version: documented before torch 2.0, ..."
    given = {
        "a/b-c": ("passed", ""),
        "a/b-d": ("skipped", since),
        "a/b-e": ("skipped", until),
        "a/b-f": ("skipped", "no"),
    }
    name, cells = results.column(lines("1.13.0a0+git", given))
    assert name == "torch 1.13.0"
    assert cells == {"a/b-c": "passed", "a/b-d": "not yet", "a/b-e": "no longer", "a/b-f": "skipped"}


def test_a_quick_look_is_no_result():
    with pytest.raises(ValueError, match="quick"):
        results.column(lines("2.0", {}, "quick"))


def test_what_is_written_is_read_again_in_the_order_of_the_versions(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FILE", tmp_path / "results.csv")
    kept = {"torch 2.11.0": {CLAUSES[1]: "passed"}, "torch 2.9.1": {CLAUSES[1]: "deviation", CLAUSES[0]: "failed"}}
    results.write(kept, CLAUSES)
    assert results.read() == kept and list(results.read()) == ["torch 2.9.1", "torch 2.11.0"]
    assert [line.split(",")[0] for line in results.FILE.read_text().splitlines()] == ["clause", *CLAUSES[:2]]


def test_a_file_that_is_no_report_is_refused_by_its_name(tmp_path):
    (tmp_path / "r.jsonl").write_text("nonsense")
    with pytest.raises(SystemExit, match=r"r\.jsonl is no report"):
        results.main([str(tmp_path / "r.jsonl")])


def test_the_changes_between_two_versions_are_told_by_kind():
    before = {"mended": "deviation", "broken": "passed", "kept": "passed", "new": "not yet", "late": "not yet"}
    after = {
        "mended": "passed",
        "broken": "deviation",
        "kept": "passed",
        "new": "passed",
        "late": "not yet",
        "x": "passed",
    }
    told = results.changes(before, after)
    assert told == [
        "- mended (1): `mended`",
        "- newly deviates (1): `broken`",
        "- newly promised, and kept (1): `new`",
    ]


def test_no_version_of_pytorch_fails_a_clause_that_no_deviation_explains():
    versions = results.of("torch", results.read())
    assert len(versions) >= 9
    failed = {version: [c for c, word in cells.items() if word == "failed"] for version, cells in versions.items()}
    assert not any(failed.values()), failed
