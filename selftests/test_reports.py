"""Reports: what is written can be read, what is broken is refused by name, and what changed is found."""

from __future__ import annotations

import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conformance.report import LONGEST, OUTCOMES, Report, Run, reading, schema, write
from conformance.report.badge import badge
from conformance.report.comparing import KINDS, compare, escaped, markdown
from conformance.report.reading import read
from conformance.report.writing import NoFile, write_whole
from selftests.reports import HEADER, hostile, make, reports, text, written

GOOD = make({"a/one-two": "passed", "b/one-two": "failed", "b/two-three": "untested"})
LINES = text(GOOD).splitlines(keepends=True)
HEAD, ONE, TWO, THREE, FOOT = LINES


def of_bytes(data: bytes) -> Report:
    """The report that these bytes hold."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.jsonl"
        path.write_bytes(data)
        return read(path)


def changed(line: str, **fields) -> str:
    return json.dumps({**json.loads(line), **fields}) + "\n"


def without(line: str, name: str) -> str:
    return json.dumps({key: value for key, value in json.loads(line).items() if key != name}) + "\n"


# --- what can be read


@given(reports(), st.randoms(use_true_random=False))
def test_what_is_written_is_read_whatever_the_order_of_its_records(report, random):
    head, *records, foot = text(report).encode().splitlines(keepends=True)
    random.shuffle(records)
    found = of_bytes(b"".join([head, *records, foot]))
    assert (found.header, found.about) == (report.header, report.about)
    assert sorted(found.records, key=repr) == sorted(report.records, key=repr)
    assert of_bytes(text(found).encode()) == found


@given(reports())
def test_every_line_satisfies_the_schema(report):
    jsonschema = pytest.importorskip("jsonschema")
    for line in report.lines():
        jsonschema.validate(line, schema())


def test_a_run_writes_what_can_be_read_however_long_and_odd_its_texts(tmp_path):
    from conformance import contract
    from conformance.run.record import Record

    clause = contract.load()["traversal/modules-each-once"]
    run = Run("a", "1", "3", "p", "quick", "0", ("cpu",), {clause.id: clause})
    run.add(Record(clause.id, "cpu", "failed", "half \ud800 a pair", script="\x00" * (2 * LONGEST)))
    write(run, tmp_path / "r.jsonl")
    (record,) = read(tmp_path / "r.jsonl").records
    assert record.reason == "half \\ud800 a pair"
    assert record.script.startswith("\x00" * LONGEST) and record.script.endswith(f"... {2 * LONGEST} characters")


@pytest.mark.parametrize("change", [lambda t: t.replace("\n", "\r\n"), lambda t: t.rstrip("\n")])
def test_line_ends_of_another_system_do_not_matter(change):
    assert of_bytes(change(text(GOOD)).encode()) == of_bytes(text(GOOD).encode())


# --- what is broken

BROKEN = {
    "no bytes": ("", reading.Empty, "it is empty"),
    "cut between lines": (HEAD + ONE, reading.Truncated, "ends after 1 records without a footer"),
    "cut in a line": (HEAD + ONE + TWO[:40], reading.Truncated, "line 3: the last line breaks off"),
    "header only": (HEAD, reading.Truncated, "ends after 0 records"),
    "a record lost": (HEAD + ONE + TWO + FOOT, reading.WrongCount, "the footer says {'records': 3"),
    "an outcome changed": (
        HEAD + changed(ONE, outcome="failed") + TWO + THREE + FOOT,
        reading.WrongCount,
        "but there are {'records': 3, 'outcomes': {'failed': 2, 'untested': 1}}",
    ),
    "not JSON": ("<?xml version='1.0'?>\n", reading.NotJson, "line 1: it is no JSON"),
    "no object": ("[1]\n", reading.NotJson, 'no JSON object with a "kind"'),
    "nested deeply": ("[" * 100_000 + "\n", reading.NotJson, "it is no JSON"),
    "NaN": (HEAD + ONE.replace('"seconds": 0.0', '"seconds": NaN') + TWO, reading.NotJson, "NaN is no JSON number"),
    "a key twice": (HEAD.replace("{", '{"kind": "header", ', 1), reading.NotJson, "one key is given twice"),
    "another kind": (HEAD + changed(ONE, kind="remark"), reading.Malformed, "kind is remark"),
    "a record twice": (HEAD + ONE + ONE + FOOT, reading.Duplicate, "line 3: a second record of a/one-two on cpu"),
    "record first": (ONE + HEAD + FOOT, reading.NoHeader, "line 1: a record comes before the header"),
    "two reports in one": ("".join(LINES) * 2, reading.AfterFooter, "line 6: a header after the footer"),
    "two headers": (HEAD + HEAD, reading.AfterFooter, "line 2: a header amid the records"),
    "schema 1": (changed(HEAD, schema=1) + FOOT, reading.OtherSchema, "its schema is 1, this reads 2"),
    "schema true": (changed(HEAD, schema=True) + FOOT, reading.OtherSchema, "its schema is True"),
    "no schema": (without(HEAD, "schema") + FOOT, reading.OtherSchema, "its schema is missing"),
    "no seed": (without(HEAD, "seed"), reading.Malformed, "the header has no field 'seed'"),
    "unknown field": (HEAD + changed(ONE, mood="good"), reading.Malformed, "line 2: the record has an unknown field 'mood'"),
    "unknown outcome": (HEAD + changed(ONE, outcome="fine"), reading.UnknownOutcome, "outcome fine is none of passed,"),
    "unknown profile": (changed(HEAD, profile="fast"), reading.Malformed, "profile fast is none of quick,"),
    "unknown severity": (HEAD + changed(ONE, severity="high"), reading.Malformed, "severity high is none of required,"),
    "other device": (HEAD + changed(ONE, device="tpu"), reading.Malformed, "device tpu is none of the header's"),
    "untested on a device": (HEAD + changed(THREE, device="cpu"), reading.Malformed, "device cpu is none of the header's"),
    "no id": (HEAD + changed(ONE, clause="<b>"), reading.Malformed, "<b> is no id of a clause"),
    "negative seconds": (HEAD + changed(ONE, seconds=-1), reading.Malformed, "seconds is no duration"),
    "infinite seconds": (HEAD + ONE.replace('"seconds": 0.0', '"seconds": 1e999'), reading.Malformed, "no duration"),
    "a number for a text": (HEAD + changed(ONE, reason=3), reading.Malformed, "reason is 3, which is no text"),
    "no devices": (changed(HEAD, devices=[]), reading.Malformed, "devices is no list of different names"),
    "a device twice": (changed(HEAD, devices=["cpu", "cpu"]), reading.Malformed, "no list of different names"),
    "counts that are none": (HEAD + changed(FOOT, records="3"), reading.Malformed, "no whole numbers"),
    "half a surrogate pair": (HEAD + changed(ONE, reason="\ud800"), reading.NotText, "half a surrogate pair"),
    "two descriptions": (
        changed(HEAD, devices=["cpu", "cuda"]) + ONE + changed(ONE, device="cuda", sentence="Another."),
        reading.Malformed,
        "line 3: the clause a/one-two is not described as in an earlier line",
    ),
}  # fmt: skip


@pytest.mark.parametrize("content, error, sentence", BROKEN.values(), ids=BROKEN)
def test_each_way_to_break_a_report_has_a_name_and_a_sentence(tmp_path, content, error, sentence):
    path = tmp_path / "r.jsonl"
    path.write_text(content, newline="")
    with pytest.raises(reading.ReportError) as raised:
        read(path)
    assert type(raised.value) is error
    message = str(raised.value)
    assert message.startswith(f"report {path}") and sentence in message and message.endswith(f"; {error.mend}")
    assert "\n" not in message and message.isprintable()


def test_what_is_no_report_file_is_refused(tmp_path):
    with pytest.raises(reading.Missing, match="there is no such file; give the file"):
        read(tmp_path / "absent.jsonl")
    with pytest.raises(reading.Folder, match="it is a folder; give the file"):
        read(tmp_path)
    with pytest.raises(reading.Unreadable):
        read("null\0character")
    (tmp_path / "latin.jsonl").write_bytes(b'{"kind": "h\xe9"}\n')
    with pytest.raises(reading.NotText, match="line 1: byte 12 is no UTF-8"):
        read(tmp_path / "latin.jsonl")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="this system has no endless file")
def test_an_endless_line_is_refused_before_it_fills_the_memory():
    with pytest.raises(reading.TooLong, match="line 1: the line is longer than 4194304 bytes"):
        read("/dev/zero")


def test_a_gigantic_file_is_refused_before_it_is_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "FILE", len(HEAD) + len(ONE))
    with pytest.raises(reading.TooLarge, match="line 3: the file is larger than"):
        read(written(tmp_path / "r.jsonl", GOOD))


@given(reports(), st.data())
def test_a_report_that_is_cut_anywhere_is_refused(report, data):
    whole = text(report).encode()
    end = data.draw(st.integers(0, len(whole.rstrip(b"\n")) - 1))
    with pytest.raises(reading.ReportError) as raised:
        of_bytes(whole[:end])
    assert isinstance(raised.value, reading.Truncated) or end <= whole.index(b"\n")


@given(reports(), st.data())
def test_a_report_with_a_line_dropped_or_doubled_is_refused(report, data):
    lines = text(report).encode().splitlines(keepends=True)
    index, times = data.draw(st.integers(0, len(lines) - 1)), data.draw(st.sampled_from([0, 2]))
    with pytest.raises(reading.ReportError):
        of_bytes(b"".join(lines[:index] + lines[index : index + 1] * times + lines[index + 1 :]))


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=3)


@given(st.integers(0, len(LINES) - 1), st.data())
def test_a_field_of_another_value_is_refused_or_satisfies_the_schema(index, data):
    jsonschema = pytest.importorskip("jsonschema")
    lines = [json.loads(line) for line in LINES]
    name = data.draw(st.sampled_from(sorted(lines[index])) | st.text())
    lines[index][name] = data.draw(JSON | st.sampled_from([*OUTCOMES, "cpu", ["cpu"], ["cpu", "cuda"]]))
    try:
        of_bytes("".join(json.dumps(line) + "\n" for line in lines).encode())
    except reading.ReportError:
        return
    for line in lines:
        jsonschema.validate(line, schema())


@given(
    st.binary()
    | st.lists(st.sampled_from(LINES) | st.text()).map(lambda parts: "".join(parts).encode("utf-8", "replace"))
)
@example(b"\n")
@example(b"\xff\xfe{\x00")
@example(b'{"kind": "header", "schema": 2}\n' + b"9" * 5000)
def test_no_bytes_crash_the_reader(data):
    try:
        of_bytes(data)
    except reading.ReportError as error:
        assert str(error).isprintable()


# --- side by side


def test_reports_of_other_suites_or_clauses_do_not_stand_side_by_side():
    other = make({"a/one-two": "passed"})
    with pytest.raises(
        reading.OtherClauses, match="y: it lacks 2 clauses that x has and has 0 .*, b/one-two among them"
    ):
        reading.agree([("x", GOOD), ("y", other)])
    newer = Report(replace(HEADER, suite="0.2.0"), GOOD.records, GOOD.about)
    with pytest.raises(
        reading.MixedSuites, match="y: it was made with module-conformance 0.2.0, x with 0.1.0; make both"
    ):
        reading.agree([("x", GOOD), ("y", newer)])
    reading.agree([("x", GOOD), ("y", GOOD)])


CHANGES = {
    ("passed", "failed"): "newly fails",
    ("deviation", "failed"): "newly fails",
    ("skipped", "failed"): "newly fails",
    (None, "failed"): "newly fails",
    ("passed", "deviation"): "newly deviates",
    ("passed", "differs"): "newly deviates",
    ("failed", "passed"): "newly passes",
    ("deviation", "passed"): "newly passes",
    ("failed", "deviation"): "recorded otherwise",
    ("passed", "skipped"): "no longer asked",
    ("passed", "version: documented before torch 2.0, this is 2.0."): "no longer promised",
    ("skipped", "passed"): "now asked",
    ("untested", "not run"): "skipped otherwise",
    ("passed", None): "disappeared",
    (None, "passed"): "appeared",
    ("failed", "failed"): None,
}


@pytest.mark.parametrize("outcomes, kind", CHANGES.items(), ids=lambda x: str(x))
def test_every_change_has_its_kind_and_only_three_kinds_are_regressions(outcomes, kind):
    before, after = (make({"z/last-one": "passed"} | ({"a/one-two": o.split(":")[0]} if o else {})) for o in outcomes)
    if ":" in str(outcomes[1]):
        records = (replace(r, outcome="skipped", reason=outcomes[1]) if r.reason else r for r in after.records)
        after = replace(after, records=tuple(records))
    if "untested" in outcomes:  # a clause that a later suite checks
        before = Report(before.header, tuple(replace(r, device="cpu") for r in before.records), before.about)
    found = compare(before, after)
    assert [change.kind for change in found.changes] == ([kind] if kind else [])
    assert found.regressed is (kind in ("newly fails", "newly deviates", "no longer asked"))
    assert set(CHANGES.values()) - {None} == set(KINDS)


def test_only_the_devices_that_both_have_are_compared():
    both = Report(
        replace(HEADER, devices=("cpu", "cuda")),
        (*GOOD.records, *(replace(r, device="cuda", outcome="failed") for r in GOOD.records if r.device)),
        GOOD.about,
    )
    found = compare(both, GOOD)
    assert found.devices == ("cpu",) and not found.changes
    assert found.summary()[1] == "Not compared: cuda, which only torch 2.13.0 has (2 clauses asked)."


def test_a_device_that_was_not_there_is_not_compared():
    without = make({"a/one-two": "not run", "b/one-two": "not run", "b/two-three": "untested"})
    assert compare(GOOD, without).devices == ()


def test_another_profile_is_said():
    longer = replace(GOOD, header=replace(GOOD.header, profile="thorough"))
    said = "The profile was default before and is thorough now: the longer one finds more."
    assert compare(GOOD, longer).summary()[1:] == [said]


@given(reports(), reports())
def test_a_comparison_with_itself_finds_nothing_and_its_opposite_the_same_clauses(one, other):
    assert compare(one, one).changes == ()
    there, back = compare(one, other), compare(other, one)
    assert {(c.record.clause, c.record.device) for c in there.changes} == {
        (c.record.clause, c.record.device) for c in back.changes
    }
    for line in markdown(there).splitlines():
        assert line.isprintable()


def test_text_of_a_report_is_no_markup_of_a_page():
    assert escaped("<img src=x> | `a` [b](c)\n\x1b[31m") == r"\<img src=x\> \| \`a\` \[b\](c) \\x1b\[31m"
    before = make({"a/one-two": "passed", "b/one-two": "passed", "b/two-three": "untested"})
    shown = markdown(compare(before, replace(GOOD, records=tuple(replace(r, reason="<b>|\n#x") for r in GOOD.records))))
    assert "| `b/one-two` | required | passed | failed | \\<b\\>\\| \\#x |" in shown.splitlines()


@pytest.mark.parametrize(
    "outcomes, message, color",
    [
        (["passed", "passed", "skipped", "untested"], "2 of 2 passed", "brightgreen"),
        (["passed", "deviation"], "1 of 2 passed, 1 known deviations", "green"),
        (["deviation", "failed", "differs"], "0 of 3 passed, 1 known deviations, 1 failed", "red"),
        (["skipped"], "0 of 0 passed", "lightgrey"),
    ],
)
def test_a_badge_counts_what_was_asked(outcomes, message, color):
    made = badge(make({f"a/clause-{i}": outcome for i, outcome in enumerate(outcomes)}))
    assert made == {"schemaVersion": 1, "label": "torch.nn.Module contract", "message": message, "color": color}


def test_a_badge_of_a_part_of_the_suite_says_so_and_is_not_green():
    made = badge(make({"a/clause": "passed"}, checked=524))
    assert (made["message"], made["color"]) == ("1 of 1 passed, 1 of 524 clauses", "lightgrey")


def test_a_hostile_report_is_read_as_it_stands():
    assert of_bytes(text(hostile()).encode()).records == hostile().records


# --- files --------------------------------------------------------------------------------------------------------


def test_a_file_is_written_whole_or_what_was_there_stays(tmp_path, monkeypatch):
    file = tmp_path / "report.jsonl"
    write_whole(file, "first\n")
    mask = os.umask(0)
    os.umask(mask)
    assert file.read_text() == "first\n" and file.stat().st_mode & 0o777 == 0o666 & ~mask
    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk"):
        patch.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(OSError("the disk is full")))
        write_whole(file, "second\n")
    assert file.read_text() == "first\n" and list(tmp_path.iterdir()) == [file]


def test_nothing_is_written_through_a_link_or_over_what_is_no_file(tmp_path):
    target = tmp_path / "precious"
    target.write_text("precious")
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(target)
    os.mkfifo(pipe)
    for path, sentence in [(link, "link"), (pipe, "no file"), (tmp_path, "no file"), (Path("/dev/null"), "no file")]:
        with pytest.raises(NoFile, match=sentence):
            write_whole(path, "x")
    with pytest.raises(NoFile, match="does not exist"):
        write_whole(tmp_path / "nowhere" / "file", "x")
    assert target.read_text() == "precious" and link.is_symlink() and not Path("/dev/null").is_file()


def test_two_that_write_one_file_do_not_mix(tmp_path):
    file = tmp_path / "report.jsonl"
    texts = [letter * 1_000_000 for letter in "abcd"]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda text: write_whole(file, text), texts * 5))
    assert file.read_text() in texts and list(tmp_path.iterdir()) == [file]
