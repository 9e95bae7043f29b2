"""The plugin, from an empty folder: what it takes, what it refuses, what it writes, and that it leaves other runs alone."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from selftests import forking

CLAUSE = "traversal/modules-each-once"
TEST = "test_modules_yields_every_module_once"
SELECT = ("--pyargs", "conformance.suite.traversal", "-k", TEST, "-p", "no:cacheprovider")

BROKEN = """
from conformance.implementations.reference import Reference, implementation as good

class Net(good.Module):
    def named_modules(self, *args, **kwargs):
        yield from list(super().named_modules(*args, **kwargs))[:2]

    def modules(self, *args, **kwargs):
        for _, module in self.named_modules(*args, **kwargs):
            yield module

class Broken(Reference):
    name = "broken"
    Module = Net

class Fatal(good.Module):
    def modules(self):
        import os
        os.abort()

implementation = Broken()
fatal = type("DiesOften", (Reference,), {"name": "fatal", "Module": Fatal})()
number = 3

class Versionless(Reference):
    @property
    def version(self):
        raise RuntimeError("no version")

class Unmade(Reference):
    def __init__(self):
        raise RuntimeError("not today")

partial = type("Partial", (Reference,), {"read": Reference.__mro__[1].read})()
future = type("Future", (Reference,), {"contract_version": "latest"})()
"""
WITNESS = "blueprint=Module({'a': Module({'a': Module()})})"


@pytest.fixture
def run(pytester, monkeypatch):
    """Run pytest in a process of its own, in an empty folder that holds only a broken implementation.

    The process is a copy of this one; ``anew`` makes it begin with nothing, as a user's does.
    """
    pytester.makepyfile(broken=BROKEN, crashing="1 / 0")
    monkeypatch.delenv("CONFORMANCE_IMPLEMENTATION", raising=False)
    root = __file__.rpartition("/selftests/")[0]
    monkeypatch.setenv("PYTHONPATH", f"{root}:{pytester.path}")

    def run(*arguments, implementation="reference", select=SELECT, anew=False):
        chosen = ("--implementation", implementation) if implementation else ()
        given = ("-p", "conformance.plugin", *select, *chosen, *arguments)
        if anew or "-n" in arguments:
            return pytester.runpytest_subprocess(*given, timeout=120)
        return forking.runpytest(pytester, *given, forget=("broken", "crashing"))

    return run


def test_a_run_says_what_it_checks_and_how_much_of_it(run):
    result = run(anew=True)
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(
        [
            "conformance: reference *, devices cpu, cuda, profile default, seed random, * clauses",
            "*[[]cpu] 1 of 1 asked: 1 passed, 0 failed",
            "*[[]cuda] 0 of 1 asked: 0 passed, 0 failed, 1 not run",
            "*1 skipped or not run: capability device.cuda: *",
        ]
    )


def test_ids_are_those_of_the_clause_and_the_device(run):
    lines = [f"*{TEST}[[]{CLAUSE}-cpu]", f"*{TEST}[[]{CLAUSE}-cuda]"]
    run("--collect-only", "-q").stdout.fnmatch_lines(lines)
    # So -k finds a clause by its id, as --clause does by a pattern of ids.
    suite = ("--pyargs", "conformance.suite", "--collect-only", "-q", "-p", "no:cacheprovider")
    for chosen in (("-k", CLAUSE), ("--clause", CLAUSE), ("--clause", "traversal/modules-each-*")):
        run(*chosen, select=suite).stdout.fnmatch_lines([*lines, "2/* tests collected (* deselected) in *"])
    both = ("--clause", CLAUSE, "--clause", "modes/*", "-k", "train", "--device", "cpu")
    run(*both, select=suite).stdout.fnmatch_lines(["*[[]modes/train-reaches-every-descendant-cpu]"])


def test_an_option_of_ones_own_with_the_name_of_one_of_the_suites_is_named(run, pytester):
    pytester.makeconftest("def pytest_addoption(parser): parser.addoption('--device')")
    result = run("--device", "cpu", anew=True)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: a conftest.py here defines --device, *: run it from another folder, or with *"]
    )
    assert not [line for line in result.errlines if "Traceback" in line]


def test_the_environment_variable_chooses_too(run, monkeypatch):
    monkeypatch.setenv("CONFORMANCE_IMPLEMENTATION", "broken:implementation")
    run("--device", "cpu", implementation=None).stdout.fnmatch_lines(["conformance: broken *"])


def test_a_failure_shows_clause_documentation_module_and_command(run):
    result = run("--device", "cpu", implementation="broken:implementation")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            f"{CLAUSE} (required)",
            "documented: torch.nn.Module.modules: *",
            "see https://docs.pytorch.org/*",
            "observed: *",
            "expected: *",
            "from conformance import reference",
            "module = Net()",
            'as a deviation: witness = "blueprint=Module(*',
            "again: python -m pytest *--implementation broken:implementation",
            "*0 passed, 1 failed",
        ]
    )


#: Runs pytest once for each list of arguments, all in one process: what ends a run before it begins leaves nothing behind.
ONE_AFTER_ANOTHER = """
import contextlib, io, json, sys, pytest
done = []
for arguments in json.load(sys.stdin):
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        status = pytest.main(["-p", "conformance.plugin", *arguments])
    done.append((status, errors.getvalue().splitlines()))
print(json.dumps(done))
"""


@pytest.fixture
def refused(run, pytester):
    """A function: how each run, given by its arguments, was refused in one line."""

    def refused(runs):
        command = [sys.executable, "-c", ONE_AFTER_ANOTHER]
        text = json.dumps([[*SELECT, *map(str, arguments)] for arguments in runs])
        done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=pytester.path, timeout=300)
        assert done.returncode == 0, done.stderr
        for arguments, (status, lines) in zip(runs, json.loads(done.stdout), strict=True):
            errors = [line for line in lines if line.startswith("ERROR")]
            assert status == pytest.ExitCode.USAGE_ERROR and len(errors) == 1, (arguments, status, lines)
            yield errors[0]

    return refused


BAD_INPUT = [
    ((), "nonsense", "unknown implementation 'nonsense': give one of a"),
    ((), "refrence", "unknown implementation 'refrence': did you mean 'reference'?"),
    ((), "", "--implementation is empty: name an implementation, or leave it out to check torch"),
    (("--implementation", "torch"), "reference", "a run checks one implementation, give one of them"),
    ((), "absent.module:thing", "implementation 'absent.module:thing' cannot be imported"),
    ((), "broken:thing", "the module broken has no attribute 'thing'"),
    ((), "broken:number", "is a int: expected an instance of conformance.adapter.Implementation"),
    ((), "broken:partial", "does not implement read: its adapter must"),
    ((), "broken:future", "contract_version = 'latest' is no version of torch"),
    ((), "crashing:thing", "cannot be imported: ZeroDivisionError"),
    ((), ".broken:thing", "unknown implementation '.broken:thing'"),
    (("--device", "tpu"), "reference", "unknown device 'tpu': give one of cpu, cuda"),
    (("--clause", "traversal/moduls-each-once"), "reference", "did you mean 'traversal/modules-each-once'?"),
    (("--profile", "fast"), "reference", "unknown profile 'fast': give one of quick, default, ci, thorough"),
    (("--deviations", "absent.toml"), "reference", "deviation file absent.toml: No such file or directory"),
    (("--report", "absent/report.jsonl"), "reference", "absent does not exist"),
    (("--report", "."), "reference", "--report=.: that is no file: name one to write"),
    (("--report=",), "reference", "--report= is no file: name one to write"),
    (("--deviations=",), "reference", "deviation file .: Is a directory"),
    (("--profile", "ci", "--hypothesis-seed", "7"), "reference", "--hypothesis-seed needs another profile"),
    ((), "broken:Versionless", "cannot say its version: RuntimeError: no version; mend the adapter"),
    ((), "broken:Unmade", "cannot be made: RuntimeError: not today"),
]


def test_bad_input_ends_the_run_with_one_sentence(refused):
    runs = [("--implementation", implementation, *arguments) for arguments, implementation, _ in BAD_INPUT]
    told = list(zip(BAD_INPUT, refused(runs), strict=True))
    assert [(given, line) for given, line in told if given[2] not in line] == []


BAD_DEVIATIONS = [
    ("[", "is no TOML"),
    ('["no/such-clause"]\nreason = "r"\nlink = "l"', "no such clause"),
    ('["traversal/modules-each-one"]\nreason = "r"\nlink = "l"', f"did you mean {CLAUSE}?"),
    (f'["{CLAUSE}"]\nlink = "l"', "the reason is missing"),
    (f'["{CLAUSE}"]\nreason = "r"', "the link is missing"),
    (f'["{CLAUSE}"]\nreason = "r"\nlink = "l"\nwhy = "x"', "unknown field 'why'"),
    (f'["{CLAUSE}"]\nreason = "r"\nlink = "l"', "the witness must give the property's arguments: blueprint=..."),
    (f'["{CLAUSE}"]\nreason = "r"\nlink = "l"\nwitness = "blueprint=exit()"', "unknown name 'exit'"),
    (
        f'["{CLAUSE}"]\nreason = "r"\nlink = "l"\nharm = "some"\nwitness = "blueprint=Module()"',
        "harm = 'some' is unknown; give one of kills the process, loses state",
    ),
    (
        f'["{CLAUSE}"]\nreason = "r"\nlink = "l"\nversions = "new"\nwitness = "blueprint=Module()"',
        "no version specifier",
    ),
    (
        f'["{CLAUSE}"]\nreason = "r"\nlink = "l"\nversions = 2.0\nwitness = "blueprint=Module()"',
        "versions = 2.0 is no text; put it in quotation marks",
    ),
    (
        f'["{CLAUSE}"]\nreason = "r"\nlink = "l"\nversions = "==2.0+cpu"\nwitness = "blueprint=Module()"',
        "names a build, but an entry speaks of releases",
    ),
    (f'["{CLAUSE}"]\nreason = 5\nlink = "l"', "reason = 5 is no text"),
    ('"nope/nothing" = []', 'expected a table ["area/clause-id"], found list'),
    (
        f'["{CLAUSE}"]\nreason = "r"\nlink = "l"\ndevices = [["cpu"]]\nwitness = "blueprint=Module()"',
        "devices must be a list of some of cpu, cuda",
    ),
    (
        f'["{CLAUSE}"]\nreason = "r"\nlink = "l"\nwitness = "blueprint=Module({{\'a\': Shared(\'b\')}})"',
        "the witness cannot be read: ",
    ),
    (
        f'["{CLAUSE}"]\nreason = "r"\nlink = "l"\ndevices = ["gpu"]\nwitness = "blueprint=Module()"',
        "some of cpu, cuda",
    ),
    (f'"{CLAUSE}" = 3', "expected a table"),
]


def test_a_bad_deviation_file_ends_the_run_with_one_sentence(refused, pytester):
    files = [pytester.path / f"{number}.toml" for number in range(len(BAD_DEVIATIONS))]
    for file, (text, _) in zip(files, BAD_DEVIATIONS):
        file.write_text(text, encoding="utf-8")
    runs = [("--implementation", "reference", "--deviations", file.name) for file in files]
    told = list(zip(BAD_DEVIATIONS, refused(runs), strict=True))
    assert [(given, line) for given, line in told if given[1] not in line] == []


def entry(witness=WITNESS, **more):
    lines = [f'["{CLAUSE}"]', 'reason = "stops early"', 'link = "not reported that we found"', f'witness = "{witness}"']
    return "\n".join(lines + [f"{name} = {value}" for name, value in more.items()])


def test_a_recorded_deviation_is_expected(run, pytester):
    pytester.path.joinpath("deviations.toml").write_text(entry())
    result = run("--deviations", "deviations.toml", "--device", "cpu", implementation="broken:implementation")
    result.assert_outcomes(xfailed=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*[[]cpu] 1 of 1 asked: 0 passed, 1 known deviations, 0 failed"])


def test_a_deviation_that_no_longer_happens_fails_the_run(run, pytester):
    pytester.path.joinpath("deviations.toml").write_text(entry())
    result = run("--deviations", "deviations.toml", "--device", "cpu")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [f"*no longer deviates: remove the entry [[]{CLAUSE}] from the deviation file, or mend its witness*"]
    )


def test_a_witness_that_fails_on_any_implementation_shows_nothing(run, pytester):
    pytester.path.joinpath("deviations.toml").write_text(entry("blueprint='text'"))
    result = run("--deviations", "deviations.toml", "--device", "cpu", implementation="broken:implementation")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"the witness of [[]{CLAUSE}] shows nothing: *"])


@pytest.mark.parametrize("condition", [{"versions": '"<0.1"'}, {"devices": '["cuda"]'}])
def test_a_deviation_under_another_condition_is_none(run, pytester, condition):
    pytester.path.joinpath("deviations.toml").write_text(entry(**condition))
    result = run("--deviations", "deviations.toml", "--device", "cpu", implementation="broken:implementation")
    result.assert_outcomes(failed=1)


def test_a_run_that_asks_nothing_is_no_success(run):
    result = run("--device", "cuda")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(["nothing was asked of the implementation: this run shows nothing"])


def test_selecting_no_test_is_no_success(run):
    assert run(select=("--pyargs", "conformance", "-k", "nothing_of_this_name")).ret != 0


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_the_report_has_header_records_and_footer(run, pytester, workers):
    jsonschema = pytest.importorskip("jsonschema")
    run("--report", "report.jsonl", *workers)
    lines = [json.loads(line) for line in pytester.path.joinpath("report.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines][0 :: len(lines) - 1] == ["header", "footer"]
    records = {(r["clause"], r["device"]): r["outcome"] for r in lines if r["kind"] == "record"}
    assert records[CLAUSE, "cpu"] == "passed" and records[CLAUSE, "cuda"] == "not run"
    assert lines[-1]["records"] == len(lines) - 2
    from conformance.report import schema

    for line in lines:
        jsonschema.validate(line, schema())


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_a_report_tells_what_a_failure_observed_and_expected_and_how_to_see_it(run, pytester, workers):
    run("--report", "report.jsonl", "--device", "cpu", *workers, implementation="broken:implementation")
    lines = [json.loads(line) for line in pytester.path.joinpath("report.jsonl").read_text().splitlines()]
    (record,) = [line for line in lines if line.get("clause") == CLAUSE]
    assert record["outcome"] == "failed" and record["witness"].startswith("blueprint=")
    assert record["observed"] != record["expected"] and record["observed"].startswith("[")
    script = pytester.makepyfile(script=record["script"])
    done = pytester.runpython(script)
    assert done.ret == 1
    done.stdout.fnmatch_lines([f"observed: {record['observed']}".replace("[", "[[]"), "expected: *"])


@pytest.mark.parametrize("asked", [True, False])
def test_a_deviation_has_a_script_where_a_report_is_asked_for(run, pytester, asked):
    pytester.makefile(".toml", own=f'["{CLAUSE}"]\nreason = "r"\nlink = "l"\nwitness = """{WITNESS}"""')
    more = ("--report", "report.jsonl") if asked else ()
    result = run("--deviations", "own.toml", "--device", "cpu", "--junitxml", "junit.xml", *more,
                 implementation="broken:implementation")  # fmt: skip
    result.assert_outcomes(xfailed=1)
    assert ('name="script"' in pytester.path.joinpath("junit.xml").read_text()) is asked
    if asked:
        lines = [json.loads(line) for line in pytester.path.joinpath("report.jsonl").read_text().splitlines()]
        (record,) = [line for line in lines if line.get("clause") == CLAUSE]
        assert record["outcome"] == "deviation" and "observed" in record["script"] and record["expected"]


def test_an_interrupted_write_leaves_no_half_report(tmp_path, monkeypatch):
    from conformance import report

    target = tmp_path / "report.jsonl"
    target.write_text("old")
    run = report.Run("a", "1", "3", "p", "quick", "0", ("cpu",), {})
    monkeypatch.setattr(report.json, "dumps", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        report.write(run, target)
    assert target.read_text() == "old"


def test_ci_draws_the_same_every_time(run):
    assert "seed derandomized" in run("--profile", "ci").stdout.str()


def test_a_failure_is_found_by_the_plain_call_too():
    namespace = {}
    exec(BROKEN, namespace)
    from conformance import contract
    from conformance.front.calls import check

    record = check(contract.load()[CLAUSE], namespace["implementation"])
    assert record.outcome == "failed" and record.device == "cpu"
    assert check(contract.CLAUSES[CLAUSE], namespace["good"]).outcome == "passed"


# --- other people's runs


@pytest.fixture
def foreign(pytester, monkeypatch):
    """A project that has nothing to do with the suite, in an environment where the entry point is installed."""
    root = __file__.rpartition("/selftests/")[0]
    monkeypatch.setenv("PYTHONPATH", root)
    pytester.makepyfile(
        test_own="""
        import sys

        def test_nothing_of_the_suite_is_loaded(request):
            assert not [name for name in sys.modules if name.startswith("conformance") and name != "conformance"
                        and name not in ("conformance.version", "conformance.front", "conformance.front.entry")]
            assert "strategies" not in sys.modules
            assert not any("implementation" in str(o) for o in vars(request.config.option))
        """
    )
    installed = entry_points(group="pytest11", name="conformance")
    entry = () if installed else ("-p", "conformance.entry")
    return lambda *arguments: pytester.runpytest_subprocess(*entry, "-p", "no:xdist", *arguments, timeout=60)


def test_a_foreign_run_does_not_notice_the_entry_point(foreign):
    foreign().assert_outcomes(passed=1)


def test_a_foreign_run_with_strict_markers_and_options_of_the_same_name_is_unharmed(foreign, pytester):
    pytester.makeconftest("def pytest_addoption(parser): parser.addoption('--profile'); parser.addoption('--device')")
    foreign("--strict-markers", "--strict-config", "--profile", "x", "--device", "y").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (("--pyargs", "conformance"), True),
        (("-q", "conformance.suite.modes", "--pyargs"), True),
        (("conformance",), False),
        (("-k", "conformance", "--pyargs", "other"), False),
        (("--implementation=rust",), False),
        (("--implementation", "x:y", "--pyargs", "conformance.suite.modes.test_training::test_a[cpu]"), True),
        (("tests/conformance", "-n", "2"), False),
        (("-k", "conformance_of_mine"), False),
        ((), False),
    ],
)
def test_what_counts_as_asking_for_the_suite(arguments, expected):
    from conformance.front.entry import asked

    assert asked(arguments) is expected


def test_a_process_that_dies_is_a_failure_of_its_clause_and_ends_nothing_else(run, pytester):
    select = ("--pyargs", "conformance.suite.traversal", "-p", "no:cacheprovider")
    chosen = ("-k", f"{TEST} or test_named_children", "-n", "1", "--device", "cpu", "--report", "report.jsonl")
    result = run(*chosen, implementation="broken:fatal", select=select)
    assert result.ret == 1
    records = [json.loads(line) for line in (pytester.path / "report.jsonl").read_text().splitlines()]
    outcomes = {r["clause"]: (r["outcome"], r["reason"]) for r in records if r["kind"] == "record" and r["device"]}
    assert outcomes[CLAUSE] == ("failed", "kills the process")
    assert outcomes["traversal/named_children-immediate-in-order"] == ("passed", "")


FATAL = f"""
["{CLAUSE}"]
reason = "modules() aborts."
link = "not reported that we found"
witness = "{{witness}}"
harm = "kills the process"
"""


def test_a_witness_that_kills_runs_in_a_process_of_its_own(run, pytester):
    (pytester.path / "deviations.toml").write_text(FATAL.format(witness=WITNESS))
    given = ("--deviations=deviations.toml", "--device", "cpu", "--report=report.jsonl")
    result = run(*given, implementation="broken:fatal")
    result.assert_outcomes(xfailed=1)
    (record,) = [
        r for r in map(json.loads, (pytester.path / "report.jsonl").read_text().splitlines()) if r.get("device")
    ]
    assert (record["outcome"], record["observed"]) == ("deviation", "kills the process")
    assert subprocess.run([sys.executable, "-c", record["script"]], capture_output=True).returncode not in (0, 1)


def test_a_witness_that_no_longer_kills_is_stale(run, pytester):
    (pytester.path / "deviations.toml").write_text(FATAL.format(witness=WITNESS))
    result = run("--deviations=deviations.toml", "--device", "cpu", implementation="broken:implementation")
    result.stdout.fnmatch_lines(["*no longer deviates: remove the entry*"])
    result.assert_outcomes(failed=1)
