"""The pytest plugin: options, fixtures, which clauses are asked of which implementation, and what a run shows."""

from __future__ import annotations

import argparse
import gc
import os
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from conformance import contract
from conformance.adapter.absence import AdapterError
from conformance.adapter.finding import find, known
from conformance.adapter.port import Implementation
from conformance.contract import Clause
from conformance.explain import failure
from conformance.front.settle import settle
from conformance.report import Run, write
from conformance.report.writing import NoFile, require_writable
from conformance.run import deviations, profiles
from conformance.run.judge import Case, NoAssertions, judge, require_assertions
from conformance.run.limits import SECONDS
from conformance.run.record import FAILED, Outcome, Record

#: A record travels as user properties of these names.
RECORDED = [field.name for field in fields(Record)]
RUN = pytest.StashKey[Run]()
SUBJECT = pytest.StashKey[Implementation]()
DEVIATIONS = pytest.StashKey[dict[str, list[deviations.Deviation]]]()
#: The ids that --clause chose; empty for all.
CHOSEN = pytest.StashKey[frozenset[str]]()
#: What a failing case shows.
SHOWN = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The suite's options, in a group of their own."""
    group = parser.getgroup("conformance", "conformance of a module system")
    group.addoption(
        "--implementation",
        action="append",
        metavar="NAME",
        help=f"what to check: {', '.join(known())}, or package.module:attribute (default: torch, or the environment "
        "variable CONFORMANCE_IMPLEMENTATION)",
    )
    group.addoption(
        "--device",
        action="append",
        metavar="NAME",
        help="a device to check on; may be repeated (default: cpu and cuda)",
    )
    group.addoption(
        "--profile", default="default", metavar="NAME", help=f"how long to look: {', '.join(profiles.EXAMPLES)}"
    )
    group.addoption(
        "--clause",
        action="append",
        metavar="ID",
        help="ask only the clauses whose id matches this shell pattern, such as 'state_dict/*'; may be repeated",
    )
    group.addoption(
        "--limit",
        type=float,
        metavar="SECONDS",
        help="how long a case may take before it is recorded as failed; 0 for ever (default: by profile, from 120 to 3000)",
    )
    group.addoption("--deviations", metavar="FILE", help="your own file of known deviations, instead of the adapter's")
    group.addoption("--report", metavar="FILE", help="write the outcome of every clause to FILE, as JSON lines")


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(parser: pytest.Parser) -> Iterator[None]:
    """A conftest.py with an option that has the name of one of the suite's cannot be loaded beside it."""
    try:
        return (yield)
    except (ValueError, argparse.ArgumentError) as error:
        ours = [name for option in parser.getgroup("conformance").options for name in option.names()]
        taken = next((name for name in ours if re.search(rf"{name}\b|'{name[2:]}'", str(error))), None)
        if taken is None:
            raise
        raise pytest.UsageError(
            f"a conftest.py here defines {taken}, which is an option of the suite too: run it from another folder, or "
            "with --noconftest"
        ) from None


def pytest_configure(config: pytest.Config) -> None:
    """Find the implementation, load the clauses and the deviation file; bad input ends the run with one sentence."""
    profile = config.getoption("--profile")
    try:
        require_assertions()
        profiles.use(profile)
        devices = deviations.devices(config.getoption("--device"))
        implementation = find(_name(config))
        clauses = contract.load()
        patterns = config.getoption("--clause")
        config.stash[CHOSEN] = frozenset(c.id for c in contract.selected(patterns)) if patterns else frozenset()
        own = config.getoption("--deviations")
        config.stash[DEVIATIONS] = (
            deviations.of(implementation, clauses) if own is None else deviations.read(Path(own), clauses)
        )
        run = config.stash[RUN] = Run.of(implementation, profile, _seed(config), devices, clauses)
    except (AdapterError, contract.ContractError, deviations.DeviationError, NoAssertions, ValueError) as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[SUBJECT] = implementation
    if (report := config.getoption("--report")) is not None:
        _writable(report)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Collector(run), "conformance-collector")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Should this run die, no older report stands in its place."""
    config = session.config
    report = config.getoption("--report")
    if report is not None and not hasattr(config, "workerinput") and not config.getoption("collectonly"):
        Path(report).unlink(missing_ok=True)


def _name(config: pytest.Config) -> str:
    """The implementation asked for, as it was asked for.

    Raises:
        AdapterError: several were asked for, or one whose name is empty, as where a variable was never set.
    """
    given = config.getoption("--implementation") or []
    if len(set(given)) > 1:
        names = " and ".join(f"--implementation={name}" for name in dict.fromkeys(given))
        raise AdapterError(f"{names}: a run checks one implementation, give one of them")
    variable = os.environ.get("CONFORMANCE_IMPLEMENTATION")
    where, name = ("--implementation", given[0]) if given else ("CONFORMANCE_IMPLEMENTATION", variable)
    if name is not None and not name.strip():
        raise AdapterError(f"{where} is empty: name an implementation, or leave it out to check torch")
    return name or "torch"


def _seed(config: pytest.Config) -> str:
    given = config.getoption("--hypothesis-seed", None)
    if config.getoption("--profile") == "ci":
        if given is not None:
            raise ValueError("the profile ci draws the same every time: --hypothesis-seed needs another profile")
        return "derandomized"
    return "random" if given is None else str(given)


def _writable(report: str) -> None:
    """Refuse, before the run, a place where no report can be left after it."""
    if not report:
        raise pytest.UsageError("--report= is no file: name one to write")
    try:
        require_writable(Path(report))
    except NoFile as error:
        raise pytest.UsageError(f"--report={report}: {error}") from None


# --- what is asked ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def implementation(request: pytest.FixtureRequest) -> Implementation:
    """The implementation under test."""
    return request.config.stash[SUBJECT]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One case per clause and device; its id is that of the clause, then the device."""
    clause = getattr(metafunc.function, "clause", None)
    if clause is not None:
        devices = metafunc.config.stash[RUN].devices
        ids = [case_id(clause.id, device) for device in devices]
        metafunc.parametrize("device", devices, ids=ids, scope="session")


def case_id(clause: str, device: str) -> str:
    """What stands between the brackets of a test's id."""
    return f"{clause}-{device}"


def _clause(item: pytest.Item) -> Clause | None:
    return getattr(getattr(item, "function", None), "clause", None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Ask in the order of the suite, and leave out the clauses that ``--clause`` does not name."""
    places = {id: place for place, id in enumerate(contract.CLAUSES)}
    items.sort(key=lambda item: places[clause.id] if (clause := _clause(item)) else -1)
    if chosen := config.stash[CHOSEN]:
        left_out = [item for item in items if (clause := _clause(item)) is not None and clause.id not in chosen]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is loaded by now stays: the garbage collector need not walk a whole framework again and again, nor so often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A case is put to the judge, and the test ends as it decides."""
    __tracebackhide__ = True
    clause, config = _clause(pyfuncitem), pyfuncitem.config
    if clause is None:
        return None
    case = Case(clause, config.stash[SUBJECT], pyfuncitem.callspec.params["device"])
    entries, limit = config.stash[DEVIATIONS].get(clause.id, ()), config.getoption("--limit")
    verdict = judge(case, None, entries, SECONDS[config.getoption("--profile")] if limit is None else limit)
    record = verdict.record
    if record.outcome is FAILED or config.getoption("--report"):
        record = failure.recorded(case, verdict)
    # pytest-xdist carries user properties from the worker that ran the case to the process that writes the report.
    pyfuncitem.user_properties += [
        (name, str(value)) for name, value in asdict(record).items() if value or name == "device"
    ]
    if record.outcome is FAILED:
        pyfuncitem.stash[SHOWN] = failure.explain(clause, record, _again(pyfuncitem, clause))
    settle(record, verdict.error)
    return True


# --- what is shown ------------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[Any]:
    """A failure says which clause, where that is documented, how to build the module, and how to run it again."""
    report = yield
    if report.when == "call" and report.failed and SHOWN in item.stash:
        report.sections.append(("clause", item.stash[SHOWN]))
    return report


def _again(item: pytest.Item, clause: Clause) -> str:
    """The command that runs this very case again."""
    run, own = item.config.stash[RUN], item.config.getoption("--deviations")
    test = f"{clause.function.__module__}::{item.name}"
    words = ["--pyargs", test, "--implementation", _name(item.config)]
    words += [] if own is None else [f"--deviations={own}"]
    words += ["--profile", run.profile] if run.profile != "default" else []
    words += [f"--hypothesis-seed={run.seed}"] if run.seed.isdigit() else []
    return shlex.join(["python", "-m", "pytest", *words])


def pytest_report_header(config: pytest.Config) -> str:
    """Which implementation, devices, profile and seed."""
    return config.stash[RUN].header()


class _Collector:
    """Keeps the outcomes; under pytest-xdist only the process that gathers them has one."""

    def __init__(self, run: Run):
        self.run = run
        self.cases = {
            case_id(id, device): (id, device)
            for id, clause in run.clauses.items()
            if clause.function
            for device in run.devices
        }

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One record per clause and device, as the judge decided it."""
        case = self.cases.get(report.nodeid.partition("[")[2].removesuffix("]"))
        if case is None:
            return
        if report.when == "???":  # pytest-xdist on behalf of a worker that died and is replaced: the run goes on
            self.run.add(Record(*case, FAILED, deviations.KILLS))
        elif report.when == "call" and "outcome" in (found := dict(report.user_properties)):
            fields = {name: str(found[name]) for name in RECORDED if name in found}
            outcome, seconds = Outcome(fields.pop("outcome")), float(fields.pop("seconds", 0))
            self.run.add(Record(**fields, outcome=outcome, seconds=seconds))
        elif report.failed:  # before the case was judged, or after
            self.run.add(Record(*case, FAILED, _crash(report)))


def _crash(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    message = (crash.message if crash else str(report.longrepr)).strip()
    return message.splitlines()[0] if message else ""


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """What passed out of how much, and why the rest did not run."""
    run = config.stash[RUN]
    if run.records:
        terminalreporter.section("conformance")
        for line in run.summary():
            terminalreporter.write_line(line)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report; a run in which no clause was really asked is no success."""
    config = session.config
    if hasattr(config, "workerinput"):
        return
    run, report = config.stash[RUN], config.getoption("--report")
    if report is not None:
        try:
            write(run, Path(report))
        except OSError as error:
            print(f"\n--report={report} could not be written: {error.strerror or error}", file=sys.stderr)
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
    if run.records and not run.asked() and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
