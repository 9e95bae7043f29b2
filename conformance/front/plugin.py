"""The pytest plugin: options, fixtures, which clauses are asked of which implementation, and what a run shows."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from conformance import contract
from conformance.adapter.absence import AdapterError
from conformance.adapter.finding import find, known
from conformance.adapter.port import Implementation
from conformance.contract import Clause
from conformance.explain import failure, script
from conformance.report import Run, write
from conformance.run import deviations, profiles
from conformance.run.judge import UNDOCUMENTED, StaleDeviation, differs, explained, known_deviation, obstacle
from conformance.run.record import Record

#: What a report tells of a failure or deviation besides its reason; each travels as a user property of that name.
SHOWN = ("link", "witness", "observed", "expected", "script")
RUN = pytest.StashKey[Run]()
SUBJECT = pytest.StashKey[Implementation]()
DEVIATIONS = pytest.StashKey[dict[str, list[deviations.Deviation]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The suite's options, in a group of their own."""
    group = parser.getgroup("conformance", "conformance of a module system")
    group.addoption(
        "--implementation",
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
    group.addoption("--deviations", metavar="FILE", help="your own file of known deviations, instead of the adapter's")
    group.addoption("--report", metavar="FILE", help="write the outcome of every clause to FILE, as JSON lines")


def pytest_configure(config: pytest.Config) -> None:
    """Find the implementation, load the clauses and the deviation file; bad input ends the run with one sentence."""
    profile = config.getoption("--profile")
    try:
        profiles.use(profile)
        devices = deviations.devices(config.getoption("--device"))
        implementation = find(_name(config))
        clauses = contract.load()
        own = config.getoption("--deviations")
        config.stash[DEVIATIONS] = (
            deviations.of(implementation, clauses) if own is None else deviations.read(Path(own), clauses)
        )
        run = config.stash[RUN] = Run.of(implementation, profile, _seed(config), devices, clauses)
    except (AdapterError, contract.ContractError, deviations.DeviationError, ValueError) as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[SUBJECT] = implementation
    if (report := config.getoption("--report")) is not None:
        _writable(report)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Collector(run), "conformance-collector")


def _name(config: pytest.Config) -> str:
    """The implementation asked for, as it was asked for."""
    return config.getoption("--implementation") or os.environ.get("CONFORMANCE_IMPLEMENTATION") or "torch"


def _seed(config: pytest.Config) -> str:
    given = config.getoption("--hypothesis-seed", None)
    if config.getoption("--profile") == "ci":
        if given is not None:
            raise ValueError("the profile ci draws the same every time: --hypothesis-seed needs another profile")
        return "derandomized"
    return "random" if given is None else str(given)


def _writable(report: str) -> None:
    """Refuse, before the run, a place where no report can be left after it."""
    folder = Path(report).absolute().parent
    if not report or Path(report).is_dir():
        raise pytest.UsageError(f"--report={report} is no file: name one to write")
    if not folder.is_dir():
        raise pytest.UsageError(f"--report={report}: the folder {folder} does not exist")
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise pytest.UsageError(
            f"--report={report}: no file can be written into that folder: {error.strerror}"
        ) from None


# --- what is asked ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def implementation(request: pytest.FixtureRequest) -> Implementation:
    """The implementation under test."""
    return request.config.stash[SUBJECT]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One case per clause and device: ids end in [cpu], [cuda]."""
    if hasattr(metafunc.function, "clause"):
        metafunc.parametrize("device", metafunc.config.stash[RUN].devices, scope="session")


def _clause(item: pytest.Item) -> Clause | None:
    return getattr(getattr(item, "function", None), "clause", None)


def _device(item: pytest.Item) -> str:
    return item.callspec.params["device"]  # type: ignore[attr-defined]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Say at collection what cannot be asked here, and why."""
    implementation = config.stash[SUBJECT]
    for item in items:
        clause = _clause(item)
        if clause is None:
            continue
        item.user_properties += [("clause", clause.id), ("device", _device(item))]
        if found := obstacle(clause, implementation, _device(item)):
            outcome, reason = found
            item.user_properties.append(("outcome", outcome))
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[Any]:
    """Where a deviation is recorded, its witness stands in for the property: a strict, deterministic expected failure."""
    clause = _clause(pyfuncitem)
    if clause is None:
        return (yield)
    contract.drawn.clear()  # what a failure shows is this case's
    implementation, device = pyfuncitem.config.stash[SUBJECT], _device(pyfuncitem)
    try:
        deviation = known_deviation(
            clause, implementation, device, pyfuncitem.config.stash[DEVIATIONS].get(clause.id, ())
        )
        stale = ""
    except StaleDeviation as error:
        deviation, stale = None, str(error)
    if stale:
        pyfuncitem.user_properties.append(("reason", stale))
        pytest.fail(stale, pytrace=False)
    if deviation is not None:
        witness = contract.arguments(clause, deviation.witness)
        pyfuncitem.user_properties += [("link", deviation.link), ("witness", witness)]
        if pyfuncitem.config.getoption("--report"):
            shown = explained(clause, implementation, device, deviation.witness, deviation.harm)
            pyfuncitem.user_properties += failure.kept(shown).items()
        pytest.xfail(deviation.reason)
    return (yield)


# --- what is shown ------------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[Any]:
    """A failure says which clause, where that is documented, how to build the module, and how to run it again."""
    report = yield
    clause = _clause(item)
    if clause is not None and report.when == "call" and report.failed:
        implementation, given = item.config.stash[SUBJECT], dict(contract.drawn)
        report.user_properties.append(("witness", contract.arguments(clause, given)))
        if differs(clause, implementation):
            report.outcome, report.wasxfail = "skipped", UNDOCUMENTED
        # Nothing was drawn where a deviation's entry is at fault: the message says so.
        if set(clause.strategies) <= set(given) and (report.failed or item.config.getoption("--report")):
            shown = script.write(clause, implementation, _device(item), given, call.excinfo.value)  # type: ignore[union-attr]
            reason = failure.reason(call.excinfo.value, shown.observed, shown.expected)  # type: ignore[union-attr]
            report.user_properties += [*failure.kept(shown).items(), ("reason", reason)]
            report.sections.append(("clause", failure.explain(clause, shown, given, _again(item, clause))))
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
        self.tests = {clause.function.__name__: clause.id for clause in run.clauses.values() if clause.function}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One record per clause and device, from the phase that decided it."""
        properties = {name: str(value) for name, value in report.user_properties}
        if report.when == "???":  # pytest-xdist on behalf of a worker that died and is replaced: the run goes on
            test, _, device = report.nodeid.rpartition("::")[2].rstrip("]").partition("[")
            if test in self.tests:
                self.run.add(Record(self.tests[test], device, "failed", deviations.KILLS))
            return
        if "clause" in properties and (report.when == "call" or report.outcome != "passed"):
            outcome, reason = _outcome(report, properties)
            shown = {name: properties[name] for name in SHOWN if name in properties}
            seconds = round(report.duration, 3)
            self.run.add(Record(properties["clause"], properties["device"], outcome, reason, seconds, **shown))


def _outcome(report: pytest.TestReport, properties: Mapping[str, str]) -> tuple[str, str]:
    if hasattr(report, "wasxfail"):
        if report.wasxfail == UNDOCUMENTED:
            return "differs", UNDOCUMENTED
        return "deviation", report.wasxfail.removeprefix("reason: ")
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        return properties.get("outcome", "skipped"), reason.removeprefix("Skipped: ")
    if report.failed and "reason" in properties:
        return "failed", properties["reason"]
    if report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        message = crash.message if crash else str(report.longrepr)
        return "failed", message.strip().splitlines()[0] if message.strip() else ""
    return "passed", ""


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
            print(f"\n--report={report} could not be written: {error.strerror}", file=sys.stderr)
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
    if run.records and not run.asked() and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
