"""A failure as a script: it needs nothing but the implementation, and exits non-zero as long as the failure is there."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import inspect
import io
import sys
import textwrap
import types
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from conformance.contract import Clause
from conformance.contract import arguments as drawn_arguments
from conformance.implementation import OURS, Implementation
from conformance.script import layout
from conformance.script.comparison import explicit, guarded
from conformance.script.specialise import Specialiser
from conformance.script.trees import defined, mentioned, pruned

Statements = list[ast.stmt]
#: A longer script is no help to anybody: it calls the property instead.
LONGEST = 20_000


@dataclass(frozen=True)
class Script:
    """A script, and what it prints.

    Attributes:
        text: the source.
        observed, expected: what it prints; "" where it ran to its end.
        obstacle: why it needs the suite; "" for one that needs the implementation alone.
    """

    text: str
    observed: str = ""
    expected: str = ""
    obstacle: str = ""


def write(clause: Clause, implementation: Implementation, device: str, arguments: Mapping[str, Any]) -> Script:
    """The script that shows what the property of the clause finds for these arguments.

    It is run once while it is written: what follows the first difference is left out. Where the property cannot be
    written out, the script calls it, and its first line says what it needs.
    """
    try:
        made = written_out(clause, implementation, device, arguments)
        if not made.observed:
            # Perhaps what fails is the building of something that nothing uses.
            made = written_out(clause, implementation, device, arguments, whole=True)
    except Exception as error:  # whatever it is, the failure must be shown
        return calling(clause, implementation, device, arguments, f"{type(error).__name__}: {error}")
    if not made.observed:
        return calling(clause, implementation, device, arguments, "written out, it shows no difference")
    if len(made.text) > LONGEST:
        shown = calling(clause, implementation, device, arguments, "written out, it is too long to read")
        return dataclasses.replace(shown, observed=made.observed, expected=made.expected)
    return made


def written_out(
    clause: Clause, implementation: Implementation, device: str, arguments: Mapping[str, Any], whole: bool = False
) -> Script:
    """The property, written out for these arguments; with ``whole``, trees are built whole.

    Raises:
        Unsupported: it does something that cannot be written down without the suite.
    """
    specialiser = Specialiser(implementation)
    function = inspect.unwrap(getattr(clause.function, "replay", clause.function))  # type: ignore[arg-type]
    statements = specialiser.property(function, {**arguments, "device": device})
    head = specialiser.head()
    everything = pruned(statements, head, whole)
    place, observed, expected, shown = follow(everything, head)
    done = everything[:place]
    kept = [each for each in statements if hasattr(each, "marks") or each in done]
    head = used(head, [*kept, *shown])
    text = layout.text(heading(clause, implementation), head, pruned(kept, [*head, *shown], whole), shown)
    return Script(text, observed, expected)


def follow(statements: Statements, head: Statements) -> tuple[int, str, str, Statements]:
    """Run the statements up to the first that shows a difference: its place, what it observes and expects, and the
    statements that show it at length. Where there is none, that is the last comparison and what follows it."""
    main = types.ModuleType("__main__")
    space = vars(main)
    with as_main(main):
        for statement in head:
            if hasattr(statement, "lives"):  # the adapter has done this in this process already
                globals_, key = statement.lives
                space[key] = globals_[key]
        run([statement for statement in head if not hasattr(statement, "lives")], space)
        for place, statement in enumerate(statements):
            try:
                printed, error = run(explicit(statement, "observed_", "expected_"), space), None
            except SystemExit:
                break
            except Failed as failed:
                printed, error = failed.printed, failed.error
            if error is None:
                continue
            if "\nexpected:" in printed and isinstance(error, AssertionError):
                return place, *sides(printed), explicit(statement, "observed", "expected")
            try:
                expected = sides(run(guarded(statement, "observed_", "expected_")[:-1], space))[1]
            except Failed:
                expected = "no exception"
            return place, f"{type(error).__name__}: {error}", expected, guarded(statement, "observed", "expected")
    asserted = [i for i, statement in enumerate(statements) if isinstance(statement, ast.Assert)]
    last = asserted[-1] if asserted else len(statements)
    shown = [each for statement in statements[last : last + 1] for each in explicit(statement, "observed", "expected")]
    return last, "", "", [*shown, *statements[last + 1 :]]


def sides(printed: str) -> tuple[str, str]:
    """What was printed last as observed and as expected."""
    observed, _, expected = printed.rpartition("\nexpected:")
    return observed.rpartition("observed:")[2].strip(), expected.strip()


class Failed(Exception):
    """A statement of the script failed."""

    def __init__(self, error: Exception, printed: str):
        super().__init__(str(error))
        self.error = error
        self.printed = printed


def run(statements: Statements, space: dict[str, Any]) -> str:
    """Run statements in a namespace; what they print.

    Raises:
        Failed: one of them raised an exception.
    """
    # The text is run, not the tree: what is shown is what was tried.
    text = ast.unparse(ast.fix_missing_locations(ast.Module(statements, [])))
    output = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(output):
        warnings.simplefilter("ignore")
        try:
            exec(compile(text, "<script>", "exec"), space)
        except Exception as error:
            raise Failed(error, output.getvalue()) from error
    return output.getvalue()


@contextlib.contextmanager
def as_main(module: types.ModuleType) -> Iterator[None]:
    """While it is open, ``__main__`` is that module: what a script pickles is looked up there."""
    before = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        yield
    finally:
        sys.modules["__main__"] = before


def used(head: Statements, statements: Statements) -> Statements:
    """The imports and definitions that the statements need."""
    needed = {each for statement in statements for each in mentioned(statement)}
    kept: set[int] = set()
    while True:
        for i, statement in enumerate(head):
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                names = {(each.asname or each.name).partition(".")[0] for each in statement.names}
            else:
                names = defined(statement) or mentioned(statement)
            if i not in kept and names & needed:
                needed |= mentioned(statement)
                kept.add(i)
                break
        else:
            return [statement for i, statement in enumerate(head) if i in kept]


def heading(clause: Clause, implementation: Implementation) -> str:
    """The comment on top."""
    lines = textwrap.wrap(clause.sentence, 100)
    lines += [f"See {clause.link}", f"Written for {implementation.name} {implementation.version}."]
    return "\n".join(f"# {line}" for line in lines)


def calling(
    clause: Clause, implementation: Implementation, device: str, arguments: Mapping[str, Any], obstacle: str
) -> Script:
    """The last resort: a script that calls the property, and what it raises."""
    text = call(clause, implementation, device, arguments, obstacle)
    function = getattr(clause.function, "replay", clause.function)
    observed, expected = "", ""
    try:
        function(implementation=implementation, device=device, **arguments)
    except (Exception, pytest.fail.Exception) as error:  # the latter, where pytest.raises saw no exception
        observed, expected = f"{type(error).__name__}: {error}", "no exception"
    return Script(text, observed, expected, obstacle)


def call(
    clause: Clause, implementation: Implementation, device: str, arguments: Mapping[str, Any], obstacle: str
) -> str:
    """The text of a script that calls the property."""
    replay = ".replay" if hasattr(clause.function, "replay") else ""
    lines = [
        f"# This script needs module-conformance, for the property cannot be written out ({' '.join(obstacle.split())}).",
        heading(clause, implementation),
        "",
        "from conformance.blueprint import parse_arguments",
        "from conformance.contract import load",
        "from conformance.implementation import find",
        "",
        f"arguments = parse_arguments({drawn_arguments(clause, arguments)!r})",
        f"check = load()[{clause.id!r}].function{replay}",
        f"check(implementation=find({address(implementation)!r}), device={device!r}, **arguments)",
    ]
    return "\n".join(lines) + "\n"


def address(implementation: Implementation) -> str:
    """What ``find`` finds the adapter by."""
    module = sys.modules[type(implementation).__module__]
    attribute = next((key for key, value in vars(module).items() if value is implementation), "implementation")
    full = f"{module.__name__}:{attribute}"
    return next((short for short, target in OURS.items() if target == full), full)
