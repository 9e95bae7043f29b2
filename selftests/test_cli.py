"""The command line: what it says, what it refuses, and its exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

click_testing = pytest.importorskip("click.testing", reason="the extra cli is not installed")

from conformance import contract  # noqa: E402
from conformance.front import recording  # noqa: E402
from conformance.front.cli import cli  # noqa: E402
from conformance.report.reading import read  # noqa: E402
from conformance.run import deviations  # noqa: E402
from conformance.run.deviations import tomllib  # noqa: E402
from selftests.reports import HEADER, make, text, written  # noqa: E402
from selftests.test_plugin import BROKEN, CLAUSE, TEST, WITNESS  # noqa: E402

ROOT = Path(__file__).parent.parent
OTHER = "traversal/named_modules-self-first-depth-first"
OUTCOMES = {CLAUSE: "passed", OTHER: "deviation", "conversion/type-casts-all": "untested"}


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Call the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: click_testing.CliRunner().invoke(cli, [str(a) for a in arguments], catch_exceptions=False)


# --- compare


@pytest.mark.parametrize(
    "changes, status",
    [
        ({}, 0),
        ({OTHER: "passed"}, 0),
        ({OTHER: "skipped"}, 1),
        ({CLAUSE: "skipped"}, 1),
        ({CLAUSE: "failed"}, 1),
        ({CLAUSE: "deviation"}, 1),
        ({OTHER: "failed"}, 1),
    ],
)
def test_compare_ends_with_1_if_something_got_worse(call, tmp_path, changes, status):
    files = written(tmp_path / "a", make(OUTCOMES)), written(tmp_path / "b", make({**OUTCOMES, **changes}))
    for more in ((), ("--markdown",)):
        result = call("compare", *files, *more)
        assert result.exit_code == status, result.output
        assert all(id in result.output for id in changes)
    assert call("compare", *files, files[0]).exit_code == (status or changes == {OTHER: "passed"})


def test_compare_says_what_changed_and_why(call, tmp_path):
    old = written(tmp_path / "a", make(OUTCOMES))
    new = written(tmp_path / "b", make({**OUTCOMES, CLAUSE: "failed", OTHER: "passed"}, version="2.14"))
    assert call("compare", old, new).output.splitlines() == [
        "torch 2.13.0 → torch 2.14",
        "3 clauses on cpu: 1 newly fails, 1 newly passes.",
        "",
        "newly fails  It did not fail before.",
        f"  {CLAUSE}  passed → failed",
        "      failed.",
        "",
        "newly passes  It failed or deviated before.",
        f"  {OTHER}  deviation → passed",
        "      deviation.",
    ]


def test_what_cannot_be_compared_ends_with_2_and_one_sentence(call, tmp_path):
    good, part = written(tmp_path / "a", make(OUTCOMES)), written(tmp_path / "b", make({CLAUSE: "failed"}))
    cuda = written(tmp_path / "c", make(OUTCOMES, device="cuda"))
    torn = tmp_path / "d"
    torn.write_text(text(make(OUTCOMES))[:-30])
    newer = written(tmp_path / "e", make(OUTCOMES, suite="9"))
    for arguments, sentence in (
        ((good, part), "it lacks 2 clauses"),
        ((good, cuda), "it is of cuda"),
        ((good, torn), "the last line breaks off; the run or the copy was cut off"),
        ((good, newer), "made with module-conformance 9"),
        ((good, tmp_path), "it is a folder"),
        ((good,), "one report compares with nothing: give two or more"),
    ):
        result = call("compare", *arguments)
        assert result.exit_code == 2 and sentence in result.output, result.output
        assert result.output.startswith("Error: ") and result.output.count("\n") == 1
    result = call("compare", good, part, "--anyway")
    assert result.exit_code == 1 and "disappeared" in result.output


def test_a_hostile_report_cannot_steer_the_terminal(call, tmp_path):
    good, bad = make(OUTCOMES), make({**OUTCOMES, CLAUSE: "failed"}, version="2\x1b]0;owned\x07[bold]")
    bad = replace(bad, records=tuple(replace(r, reason="\x1b[2J[red]x[/red]\r\n") for r in bad.records))
    for arguments in (
        ("compare", written(tmp_path / "a", good), written(tmp_path / "b", bad)),
        ("compare", tmp_path / "a", tmp_path / "b", "--markdown"),
        ("report", tmp_path / "b"),
    ):
        output = call(*arguments).output
        assert all(line.isprintable() for line in output.splitlines()), output
    assert "\\x1b[2J[red]x[/red]" in call("compare", tmp_path / "a", tmp_path / "b").output


# --- report


def test_report_writes_a_page_and_a_badge(call, tmp_path):
    file = written(tmp_path / "mine.jsonl", make(OUTCOMES))
    assert call("report", file, "--html", "out.html", "--badge", "out.json").exit_code == 0
    assert json.loads((tmp_path / "out.json").read_text())["message"] == "1 of 2 passed, 1 known deviations"
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "modules-each-once" in page and "http-equiv" in page
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.jsonl", "out.html", "out.json"]
    assert call("report", file).output == "torch 2.13.0 [cpu]: 2 of 2 clauses: 1 passed, 1 deviation, 1 untested\n"


def test_report_refuses_what_it_cannot_show(call, tmp_path):
    file, part = written(tmp_path / "a", make(OUTCOMES)), written(tmp_path / "b", make({CLAUSE: "failed"}))
    for arguments, sentence in (
        ((file, "--html", "absent/out.html"), "absent/out.html cannot be written: the folder"),
        ((file, file, "--badge", "out.json"), "a badge speaks of one report, give one"),
        ((file, part, "--html", "out.html"), "it lacks 2 clauses"),
        ((tmp_path / "absent",), "there is no such file"),
    ):
        result = call("report", *arguments)
        assert result.exit_code == 2 and sentence in result.output, result.output
    assert call("report", file, part, "--html", "out.html", "--anyway").exit_code == 0


# --- the contract


def test_clauses_are_listed_and_filtered(call):
    known = contract.load()
    everything = call("clauses")
    assert everything.exit_code == 0 and everything.output.endswith(f"{len(known)} of {len(known)} clauses\n")
    assert all(f"  {id}" in everything.output for id in known)
    some = call("clauses", "--area", "traversal", "SHARED", "modules")
    assert CLAUSE in some.output and "state_dict/" not in some.output
    gaps = call("clauses", "--severity", "untested").output
    assert gaps.endswith(f"{sum(c.function is None for c in known.values())} of {len(known)} clauses\n")
    assert call("clauses", "nothingofthekind").exit_code == 1
    near = call("clauses", "--area", "traversals")
    assert near.exit_code == 2 and "(did you mean traversal?)" in near.output


def test_explain_says_what_is_known_of_a_clause(call):
    clause = contract.load()[CLAUSE]
    output = call("explain", CLAUSE).output
    for words in (CLAUSE, "required", clause.docs, clause.quote, clause.link, f"def {TEST}(implementation, device"):
        assert words in output
    assert clause.sentence in " ".join(output.split())
    later = next(c for c in contract.CLAUSES.values() if c.since != "1.0" and c.needs)
    output = call("explain", later.id).output
    assert f"since       torch {later.since}" in output and f"needs       {', '.join(later.needs)}" in output
    assert "checked by  nothing yet" in call("explain", "conversion/type-casts-all").output


@pytest.mark.parametrize("wrong", ["traversal/modules-each-one", "modules-each-once", "transversal/modules-each-once"])
def test_explain_suggests_what_a_wrong_id_may_mean(call, wrong):
    result = call("explain", wrong)
    assert result.exit_code == 2 and f"did you mean {CLAUSE}" in result.output


# --- deviations

FAILED = make({CLAUSE: "failed", OTHER: "passed", "conversion/type-casts-all": "untested"})


def with_witness(report, witness=WITNESS, **changes):
    records = (replace(r, witness=witness, **changes) if r.outcome == "failed" else r for r in report.records)
    return replace(report, records=tuple(records))


FILE = f"""# about the file
["{OTHER}"]  # kept
reason = "It stops 'early'."   # why
link = "https://example.org/1"
witness = "blueprint=Module(), prefix=''"

# about the next
["traversal/every-one-else"]
reason = "x"
"""


def test_update_adds_entries_that_the_loader_refuses_until_they_are_complete(call, tmp_path):
    written(tmp_path / "r.jsonl", with_witness(FAILED))
    result = call("deviations", "update", "own.toml", "--from", "r.jsonl", "--versions", ">=2")
    assert result.exit_code == 0
    assert result.output == f"written: {CLAUSE}\n1 entries written to own.toml: give each a reason and a link\n"
    result = call("deviations", "check", "own.toml")
    assert result.exit_code == 2 and f"[{CLAUSE}]: the reason is missing; say it in one sentence" in result.output
    file = tmp_path / "own.toml"
    file.write_text(file.read_text().replace('reason = ""', 'reason = "r"').replace('link = ""', 'link = "l"'))
    (entry,) = deviations.read(file, contract.load())[CLAUSE]
    assert (entry.reason, str(entry.versions), repr(entry.witness["blueprint"])) == (
        "r",
        ">=2",
        WITNESS.partition("=")[2],
    )
    assert call("deviations", "check", "own.toml").output == "own.toml: 1 entries for 1 clauses can be used\n"
    assert "has an entry already" in call("deviations", "update", "own.toml", "--from", "r.jsonl").output


def test_update_leaves_what_is_there_as_it_is(call, tmp_path):
    (tmp_path / "own.toml").write_text(FILE)
    written(tmp_path / "r.jsonl", with_witness(FAILED, 'name="a\\"\n\x7f☃"'))
    assert call("deviations", "update", "own.toml", "--from", "r.jsonl").exit_code == 0
    made = (tmp_path / "own.toml").read_text()
    assert made.startswith(FILE)
    assert tomllib.loads(made)[CLAUSE] == {"reason": "", "link": "", "witness": 'name="a\\"\n\x7f☃"'}


def test_an_entry_for_other_versions_gets_company(tmp_path):
    (tmp_path / "own.toml").write_text(FILE.replace("witness", 'versions = "<2"\nwitness'))
    report = with_witness(make({OTHER: "failed"}))
    made = recording.update(tmp_path / "own.toml", report, contract.load())
    first, second = tomllib.loads(made.text)[OTHER]
    assert (first["versions"], first["reason"], second["reason"]) == ("<2", "It stops 'early'.", "")
    assert f'[["{OTHER}"]]  # kept' in made.text and "# about the next\n[" in made.text


def test_an_entry_names_the_devices_on_which_the_clause_fails(tmp_path):
    report = with_witness(make({CLAUSE: "failed"}))
    cuda = replace(report.records[0], device="cuda", outcome="passed")
    report = replace(report, header=replace(HEADER, devices=("cpu", "cuda")), records=(*report.records, cuda))
    made = recording.update(tmp_path / "own.toml", report, contract.load())
    assert tomllib.loads(made.text)[CLAUSE]["devices"] == ["cpu"]


def test_a_mended_entry_goes_only_if_that_is_asked_for(call, tmp_path):
    (tmp_path / "own.toml").write_text(FILE)
    reason = f"{deviations.MENDED}: remove the entry"
    written(tmp_path / "r.jsonl", with_witness(make({OTHER: "failed"}), reason=reason))
    result = call("deviations", "update", "own.toml", "--from", "r.jsonl")
    assert (
        f"no longer deviates: {OTHER}" in result.output and "--prune removes what no longer deviates" in result.output
    )
    assert (tmp_path / "own.toml").read_text() == FILE
    assert f"removed: {OTHER}" in call("deviations", "update", "own.toml", "--from", "r.jsonl", "--prune").output
    made = (tmp_path / "own.toml").read_text()
    assert made == '# about the file\n# about the next\n["traversal/every-one-else"]\nreason = "x"\n'


@pytest.mark.parametrize(
    "content, sentence",
    [
        ("[", "is no TOML"),
        (f'"{CLAUSE}" = 3', "expected a table"),
        (f'"{CLAUSE}" = {{reason = "r", versions = "<1"}}', "written in a way that cannot be added to"),
        (f'["{CLAUSE}"]\nversions = "new"', "'new' is no version specifier"),
        (f'["{OTHER}"]\nreason = """\n["{CLAUSE}"]\n"""\n["{CLAUSE}"]\nversions = "<1"', "cannot be added to"),
    ],
)
def test_update_refuses_a_file_that_it_would_spoil(call, tmp_path, content, sentence):
    (tmp_path / "own.toml").write_text(content)
    written(tmp_path / "r.jsonl", with_witness(FAILED))
    result = call("deviations", "update", "own.toml", "--from", "r.jsonl")
    assert result.exit_code == 2 and sentence in result.output, result.output
    assert (tmp_path / "own.toml").read_text() == content


def test_failures_that_cannot_be_recorded_are_named(call, tmp_path):
    written(tmp_path / "r.jsonl", make({CLAUSE: "failed", "nowhere/at-all": "failed"}))
    output = call("deviations", "update", "own.toml", "--from", "r.jsonl").output
    assert "left alone: nowhere/at-all is no clause of this version of the suite" in output
    assert f"left alone: {CLAUSE} has no witness in the report" in output
    assert not (tmp_path / "own.toml").exists()


# --- from failure to entry, with a real run


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """Call the command in a process of its own, in a folder that holds a broken implementation."""
    (tmp_path / "broken.py").write_text(BROKEN)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("CONFORMANCE_IMPLEMENTATION", raising=False)

    def shell(*arguments, python=("-m", "conformance")):
        command = [sys.executable, *python, *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)

    return shell


def test_a_failing_run_becomes_a_deviation_file_that_holds(shell, call, tmp_path):
    implementation = ("--implementation", "broken:implementation")
    options = ("-k", TEST, "--device", "cpu", "--profile", "ci", "-p", "no:cacheprovider")
    done = shell("run", "conformance.suite.traversal", *implementation, *options, "--report", "r.jsonl")
    assert done.returncode == 1, done.stdout + done.stderr
    (record,) = (record for record in read(tmp_path / "r.jsonl").records if record.device)
    assert record.outcome == "failed" and record.witness
    assert call("deviations", "update", "own.toml", "--from", "r.jsonl").exit_code == 0
    file = tmp_path / "own.toml"
    file.write_text(file.read_text().replace('""', '"It stops after two."'))
    done = shell("deviations", "check", "own.toml", *implementation)
    assert done.returncode == 0 and "1 of 1 still deviate" in done.stdout, done.stdout + done.stderr
    done = call("deviations", "check", "own.toml", "--implementation", "reference")
    assert done.exit_code == 1 and f"{CLAUSE}: no longer deviates" in done.output, done.output
    done = call("deviations", "check", "own.toml", "--implementation", "nonsense")
    assert done.exit_code == 2 and "unknown implementation 'nonsense'" in done.output, done.output


@pytest.mark.parametrize("workers", ["0", "1"])
def test_junit_xml_names_clause_and_device_of_every_case(shell, tmp_path, workers):
    options = ("-k", "modules", "--device", "cpu", "--profile", "quick", "-p", "no:cacheprovider", "-n", workers)
    done = shell("run", "conformance.suite.traversal", "--implementation", "reference", *options, "--junitxml", "x.xml")
    assert done.returncode == 0, done.stdout + done.stderr
    cases = list(ElementTree.parse(tmp_path / "x.xml").iter("testcase"))
    named = [{each.get("name"): each.get("value") for each in case.iter("property")} for case in cases]
    assert CLAUSE in [each["clause"] for each in named] and len(named) > 3
    assert all(each["clause"] in contract.CLAUSES and each["device"] == "cpu" for each in named)


def test_reading_and_explaining_import_no_framework(shell, tmp_path):
    written(tmp_path / "a", make(OUTCOMES))
    program = f"""
import sys
sys.modules["torch"] = sys.modules["paddle"] = None
from conformance.front.cli import cli
for words in ["clauses"], ["explain", "{CLAUSE}"], ["compare", "a", "a"], ["report", "a", "--html", "out.html"]:
    try:
        cli(words)
    except SystemExit as end:
        assert not end.code, words
assert not [name for name in sys.modules if name.startswith("conformance.implementations.")]
"""
    done = shell("-c", program, python=())
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("library", ["click", "rich", "jinja2"])
def test_without_the_extra_one_sentence_says_what_to_install(shell, library):
    program = f"import sys; sys.modules[{library!r}] = None; from conformance.__main__ import main; main()"
    done = shell("-c", program, python=())
    assert done.returncode == 1
    assert done.stderr == f"module-conformance needs {library}: install it with pip install 'module-conformance[cli]'\n"


def test_reports_of_the_same_name_are_told_apart_and_the_same_file_is_refused(call, tmp_path):
    files = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        files.append(written(tmp_path / folder / "torch.jsonl", make(OUTCOMES)))
    assert call("report", *files, "--html", "page.html").exit_code == 0
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert all(f"2.13.0 {file}" in text for file in files)
    result = call("report", files[0], files[0], "--html", "page.html")
    assert result.exit_code == 2 and "is given twice: give each once" in result.output


def test_update_refuses_versions_that_no_entry_may_have(call, tmp_path):
    report = written(tmp_path / "r.jsonl", make({**OUTCOMES, OTHER: "failed"}))
    result = call("deviations", "update", "own.toml", "--from", report, "--versions", "foo")
    assert result.exit_code == 2 and "versions = 'foo' is no version specifier" in result.output
    assert not (tmp_path / "own.toml").exists()
