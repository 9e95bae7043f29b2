"""The command line: run the suite, and read, compare and show what runs reported.

Exit status: 0 all is well, 1 there is something to look at (a regression, an entry that no longer deviates), 2 the input
cannot be used. Only ``run`` and ``deviations check`` load an implementation.
"""

from __future__ import annotations

import difflib
import inspect
import json
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.text import Text

from conformance import contract
from conformance.contract import Clause, ContractError, Severity
from conformance.front import recording
from conformance.front.entry import names_the_suite
from conformance.report import OUTCOMES, Report
from conformance.report.badge import badge
from conformance.report.comparing import KINDS, REGRESSIONS, Comparison, markdown, one_line
from conformance.report.comparing import compare as compare_reports
from conformance.report.page import page
from conformance.report.reading import NoSharedDevice, ReportError, agree
from conformance.report.reading import read as read_report
from conformance.report.writing import write_whole
from conformance.run.deviations import DEVICES, DeviationError
from conformance.run.deviations import read as read_deviations
from conformance.version import __version__

Command = TypeVar("Command", bound=Callable[..., Any])
FILE = click.Path(path_type=Path)
#: How each outcome looks on a terminal; each is also said in words.
STYLES = {"passed": "green", "deviation": "yellow", "failed": "bold red", "differs": "magenta"}
ANYWAY = click.option(
    "--anyway", is_flag=True, help="Take reports over other clauses or of other versions of the suite."
)


class Unusable(click.ClickException):
    """Input that cannot be used: one sentence, exit status 2."""

    exit_code = 2


def _plainly(command: Command) -> Command:
    """Turn the errors of the library into one sentence."""

    @wraps(command)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (ReportError, DeviationError, ContractError) as error:
            raise Unusable(one_line(str(error), 1000)) from None

    return call  # type: ignore[return-value]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="module-conformance")
def cli() -> None:
    """Does a module system behave as torch.nn.Module is documented to?"""


# --- running ------------------------------------------------------------------------------------------------------


@cli.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PYTEST ARGUMENTS]...")
def run(arguments: tuple[str, ...]) -> None:
    """Run the suite through pytest.

    What you give goes to pytest as it is, after --pyargs conformance.
    For example: module-conformance run --implementation mypackage.adapter:implementation --report=mine.jsonl -n auto
    """
    sys.exit(_pytest(*(() if names_the_suite(arguments) else ("conformance",)), *arguments))


def _pytest(*arguments: str, quiet: bool = False) -> int:
    """Run pytest in a process of its own, where the folder it is called from can be imported from."""
    shown = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if quiet else {}
    command = [sys.executable, "-m", "pytest", "--pyargs", *arguments]
    done = subprocess.run(command, text=True, **shown)  # type: ignore[call-overload]
    if quiet and done.returncode not in (0, 1, 5):  # 5: nothing was asked, as the report then says
        raise Unusable(f"pytest ended with status {done.returncode}:\n{done.stdout.strip()}")
    return done.returncode


# --- reports ------------------------------------------------------------------------------------------------------


def _read(files: Iterable[Path], anyway: bool) -> list[tuple[Path, Report]]:
    reports = [(file, read_report(file)) for file in files]
    if not anyway:
        agree(reports)
    return reports


@cli.command()
@click.argument("reports", nargs=-1, required=True, type=FILE, metavar="A B [C ...]")
@click.option("--markdown", "as_markdown", is_flag=True, help="Write GitHub's Markdown.")
@ANYWAY
@_plainly
def compare(reports: tuple[Path, ...], as_markdown: bool, anyway: bool) -> None:
    """Say what changed from each report to the next.

    The exit status is 1 if a clause newly fails, newly deviates, or is no longer asked for want of a capability.
    """
    if len(reports) < 2:
        raise Unusable("one report compares with nothing: give two or more")
    comparisons = []
    for (first, before), (second, after) in pairwise(_read(reports, anyway)):
        comparisons.append(compare_reports(before, after))
        if not comparisons[-1].devices:
            raise NoSharedDevice(second, f"it is of {', '.join(after.header.devices)}, {first} is not")
    for number, comparison in enumerate(comparisons):
        click.echo("\n" * (number > 0), nl=False)
        if as_markdown:
            click.echo(markdown(comparison), nl=False)
        else:
            _show(comparison)
    sys.exit(any(comparison.regressed for comparison in comparisons))


def _show(comparison: Comparison) -> None:
    out = _console()
    out.print(Text(one_line(f"{comparison.before.name} → {comparison.after.name}"), "bold"))
    for line in comparison.summary():
        out.print(Text(one_line(line)))
    for kind, changes in comparison.groups:
        out.print(Text.assemble("\n", (kind, "bold red" if kind in REGRESSIONS else "bold"), f"  {KINDS[kind]}"))
        for change in changes:
            device = f" [{change.record.device}]" if len(comparison.devices) > 1 and change.record.device else ""
            words = [r.outcome if r else "no record" for r in (change.before, change.after)]
            before, after = ((word, STYLES.get(word, "dim")) for word in words)
            out.print(Text.assemble(f"  {change.record.clause}{device}  ", before, " → ", after))
            if change.why:
                out.print(Text(textwrap.indent(textwrap.fill(one_line(change.why), _width() - 8), " " * 6), "dim"))


@cli.command()
@click.argument("reports", nargs=-1, required=True, type=FILE, metavar="FILES...")
@click.option("--html", type=FILE, help="Write the matrix of clauses and columns, one page that needs no network.")
@click.option(
    "--badge", "badge_file", type=FILE, help="Write a badge of one report, as shields.io's endpoint reads it."
)
@ANYWAY
@_plainly
def report(reports: tuple[Path, ...], html: Path | None, badge_file: Path | None, anyway: bool) -> None:
    """Show reports as a page, a badge, or a line for each device."""
    read = _read(reports, anyway)
    if badge_file and len(read) > 1:
        raise Unusable(f"--badge {badge_file}: a badge speaks of one report, give one")
    if html:
        _write(html, page(list(zip(_names(reports), (each for _, each in read))), list(contract.load())))
    if badge_file:
        _write(badge_file, json.dumps(badge(read[0][1]), indent=2) + "\n")
    if not html and not badge_file:
        for _, each in read:
            for device in each.header.devices:
                found = each.counts(device)
                counts = ", ".join(f"{found[outcome]} {outcome}" for outcome in OUTCOMES if found[outcome])
                click.echo(
                    one_line(f"{each.name} [{device}]: {each.selected} of {each.header.checked} clauses: {counts}")
                )


def _names(files: Sequence[Path]) -> list[str]:
    """What tells the files apart: their names or, where two have the same, their paths."""
    for file in files:
        if sum(file.resolve() == other.resolve() for other in files) > 1:
            raise Unusable(f"report {file} is given twice: give each once")
    stems = [file.stem for file in files]
    return [str(file) if stems.count(file.stem) > 1 else file.stem for file in files]


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    try:
        write_whole(path, text)
    except OSError as error:
        raise Unusable(f"{path} cannot be written: {error.strerror or error}") from None


# --- the contract -------------------------------------------------------------------------------------------------


@cli.command()
@click.argument("words", nargs=-1, metavar="[WORDS]...")
@click.option("--area", "areas", multiple=True, metavar="AREA", help="Only this area; may be repeated.")
@click.option("--severity", "severities", multiple=True, type=click.Choice([str(s) for s in Severity]))
@_plainly
def clauses(words: tuple[str, ...], areas: tuple[str, ...], severities: tuple[str, ...]) -> None:
    """List the clauses, or those that speak of all the WORDS."""
    known = contract.load()
    for area in areas:
        if area not in {clause.area for clause in known.values()}:
            raise Unusable(f"no area {area!r}{_near(area, {clause.area for clause in known.values()})}")
    found = [
        clause
        for clause in known.values()
        if (not areas or clause.area in areas)
        and (not severities or str(clause.severity) in severities)
        and all(word.lower() in f"{clause.id} {clause.sentence}".lower() for word in words)
    ]
    out = _console()
    for area, group in groupby(found, lambda clause: clause.area):
        out.print(Text(area, "bold"))
        for clause in group:
            severity = "" if clause.severity is Severity.REQUIRED else f"  {clause.severity}"
            out.print(Text.assemble("  ", clause.id, (severity, "yellow")))
            out.print(Text(textwrap.indent(textwrap.fill(clause.sentence, _width() - 8), " " * 6), "dim"))
    click.echo(f"{len(found)} of {len(known)} clauses")
    sys.exit(0 if found else 1)


@cli.command()
@click.argument("clause")
@_plainly
def explain(clause: str) -> None:
    """Say what a clause promises, where, and how it is checked."""
    found = contract.load().get(clause)
    if gone := contract.successor(clause):
        raise Unusable(gone)
    if found is None:
        raise Unusable(
            f"no clause {clause!r}{_near(clause, contract.CLAUSES)}; module-conformance clauses lists them all"
        )
    out = _console()
    out.print(Text.assemble((found.id, "bold"), f"  {found.severity}"))
    out.print(Text("\n" + textwrap.fill(found.sentence, _width()) + "\n"))
    for name, value in _facts(found).items():
        if value:
            out.print(Text.assemble((f"{name:<12}", "dim"), value))
    if found.function is not None:
        source = inspect.getsource(found.function)
        out.print(Text("\n" + textwrap.dedent(source[source.index("def ") :]).rstrip()))


def _facts(clause: Clause) -> dict[str, str]:
    function = clause.function
    return {
        "documented": clause.docs + (f': "{clause.quote}"' if clause.quote else ""),
        "shows": ", ".join(clause.shows),
        "see": clause.link,
        "since": f"torch {clause.since}" if clause.since != "1.0" else "",
        "until": f"torch {clause.until}" if clause.until else "",
        "needs": ", ".join(clause.needs),
        "checked by": f"{function.__module__}::{function.__name__}" if function else "nothing yet",
    }


def _near(word: str, known: Iterable[str]) -> str:
    """The likeliest thing meant: near as a whole, or in the part after the slash."""
    tails = {name.rpartition("/")[2]: name for name in known}
    near = difflib.get_close_matches(word, [*tails.values()], 3) or [
        tails[tail] for tail in difflib.get_close_matches(word.rpartition("/")[2], tails, 3)
    ]
    return f" (did you mean {' or '.join(near)}?)" if near else ""


# --- deviations ---------------------------------------------------------------------------------------------------


@cli.group()
def deviations() -> None:
    """Check a file of deviations, or add to one."""


@deviations.command()
@click.argument("file", type=FILE)
@click.option("--implementation", metavar="NAME", help="Also look whether each entry still deviates in this one.")
@click.option("--device", default="cpu", type=click.Choice(DEVICES), show_default=True)
@_plainly
def check(file: Path, implementation: str | None, device: str) -> None:
    """Say whether FILE can be used and, with --implementation, whether its entries still deviate."""
    entries = read_deviations(file, contract.load())
    click.echo(f"{file}: {sum(map(len, entries.values()))} entries for {len(entries)} clauses can be used")
    if not implementation or not entries:
        return
    functions = [contract.CLAUSES[id].function for id in entries]
    tests = [f"{function.__module__}::{function.__name__}" for function in functions if function]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "report.jsonl"
        given = ("--implementation", implementation, "--device", device, "--deviations", str(file))
        _pytest(*tests, *given, "--profile", "quick", f"--report={target}", "-p", "no:cacheprovider", quiet=True)
        records = [r for r in read_report(target).records if r.clause in entries and r.outcome != "untested"]
    counted: dict[str, int] = {}
    for record in records:
        word = {"deviation": "still deviate", "passed": "hold: no entry speaks of this version on this device"}.get(
            record.outcome, "are not asked" if record.outcome in ("skipped", "not run") else "need a look"
        )
        counted[word] = counted.get(word, 0) + 1
        if record.outcome == "failed":
            click.echo(one_line(f"{record.clause}: {record.reason}"))
    for word, count in counted.items():
        click.echo(f"{count} of {len(records)} {word}")
    sys.exit("need a look" in counted)


@deviations.command()
@click.argument("file", type=FILE)
@click.option("--from", "source", type=FILE, required=True, metavar="REPORT", help="The report whose failures to add.")
@click.option("--versions", default="", metavar="SPECIFIER", help="What new entries speak of, such as '>=2.0'.")
@click.option("--prune", is_flag=True, help="Remove entries that no longer deviate, their reasons included.")
@_plainly
def update(file: Path, source: Path, versions: str, prune: bool) -> None:
    """Add an entry to FILE for each failure of a report; you then give its reason and link.

    What FILE holds already stays as it is. Until every reason and link is filled in, the suite refuses the file.
    """
    report = read_report(source)
    made = recording.update(file, report, contract.load(), versions, prune)
    if made.written or made.removed:
        _write(file, made.text)
    for id in made.written:
        click.echo(f"written: {id}")
    for id in made.removed:
        click.echo(f"removed: {id}")
    for id in made.mended:
        if id not in made.removed:
            click.echo(f"no longer deviates: {id}")
    for sentence in made.left:
        click.echo(one_line(f"left alone: {sentence}"))
    say = [f"{len(made.written)} entries written to {file}{': give each a reason and a link' if made.written else ''}"]
    if len(made.mended) > len(made.removed):
        say.append("--prune removes what no longer deviates")
    click.echo("; ".join(say))


# --- printing -----------------------------------------------------------------------------------------------------


def _console() -> Console:
    """Text as it stands: nothing in it is markup, and nothing is cut off."""
    return Console(markup=False, highlight=False, soft_wrap=True)


def _width() -> int:
    return min(Console().width, 110)
