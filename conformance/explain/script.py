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

from conformance.adapter.finding import OURS
from conformance.adapter.port import Implementation
from conformance.build.given import Given, otherwise
from conformance.contract import Clause
from conformance.contract import arguments as drawn_arguments
from conformance.explain import layout
from conformance.explain.comparison import explicit, guarded
from conformance.explain.specialise import Specialiser
from conformance.explain.trees import defined, mentioned, pruned
from conformance.explain.values import Unsupported

Statements = list[ast.stmt]
#: A longer script is no help to anybody: it calls the property instead.
LONGEST = 20_000
TOO_LONG = "written out it is too long to read; smaller arguments, or a smaller module, may give a shorter one"


@dataclass(frozen=True)
class Script:
    """A script, and what it prints.

    Attributes:
        text: the source; only a comment, one sentence that says why, for a module of somebody's own that cannot be made
            in a script.
        observed, expected: what it prints; "" where it ran to its end.
        obstacle: why it needs the suite; "" for one that needs the implementation alone.
    """

    text: str
    observed: str = ""
    expected: str = ""
    obstacle: str = ""

    @property
    def is_code(self) -> bool:
        """Whether there is anything to run."""
        return not all(line.startswith("#") for line in self.text.splitlines())


def write(clause: Clause, implementation: Implementation, device: str, arguments: Mapping[str, Any]) -> Script:
    """The script that shows what the property of the clause finds for these arguments.

    It is run once while it is written: what follows the first difference is left out. Where the property cannot be
    written out, the script calls it, and its first line says what it needs.
    """
    try:
        for fills in ways(clause, implementation, device, arguments):
            made = written_out(clause, implementation, device, arguments, fills=fills)
            if not made.observed:
                # Perhaps what fails is the building of something that nothing uses.
                made = written_out(clause, implementation, device, arguments, whole=True, fills=fills)
            if made.observed and len(made.text) <= LONGEST:
                break
    except Exception as error:  # whatever it is, the failure must be shown
        reason = str(error) if isinstance(error, Unsupported) else f"{type(error).__name__}: {error}"
        return calling(clause, implementation, device, arguments, reason)
    if not made.observed:
        return calling(clause, implementation, device, arguments, "written out, it shows no difference")
    if len(made.text) > LONGEST:
        shown = calling(clause, implementation, device, arguments, TOO_LONG)
        return dataclasses.replace(shown, observed=made.observed, expected=made.expected)
    return made


def ways(clause: Clause, implementation: Implementation, device: str, arguments: Mapping[str, Any]) -> tuple[bool, ...]:
    """Whether the values that a module of somebody's own shall hold are written into it: what to try first, and then.

    They need not be where the script says the same whatever they are. Where the module is called, it is tried only if
    the script would be too long: what the module computes depends on them.
    """
    if not isinstance(implementation, Given):
        return (True,)
    if any(value != value for value in implementation.numbers()):
        return (True,)  # what is no number differs from itself

    def text(arguments: Mapping[str, Any]) -> str:
        specialiser = Specialiser(implementation, fills=False)
        statements = specialiser.property(property_of(clause), {**arguments, "device": device})
        return ast.unparse(ast.fix_missing_locations(ast.Module([*specialiser.head(), *statements], [])))

    if text(arguments) != text({key: otherwise(each) for key, each in arguments.items()}):
        return (True,)
    return (True, False) if "example" in clause.needs else (False, True)


def property_of(clause: Clause) -> Any:
    """The bare function."""
    return inspect.unwrap(clause.function)  # type: ignore[arg-type]


def written_out(
    clause: Clause,
    implementation: Implementation,
    device: str,
    arguments: Mapping[str, Any],
    whole: bool = False,
    fills: bool = True,
) -> Script:
    """The property, written out for these arguments; with ``whole``, trees are built whole; without ``fills``, modules of
    somebody's own hold what their factory puts in.

    Raises:
        Unsupported: it does something that cannot be written down without the suite.
    """
    specialiser = Specialiser(implementation, fills)
    statements = specialiser.property(property_of(clause), {**arguments, "device": device})
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
            if hasattr(statement, "makes"):
                raise error
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
    before, path = sys.modules["__main__"], list(sys.path)
    sys.modules["__main__"] = module
    try:
        yield
    finally:
        sys.modules["__main__"], sys.path[:] = before, path


def used(head: Statements, statements: Statements) -> Statements:
    """The imports and definitions that the statements need."""
    needed = {each for statement in statements for each in mentioned(statement)}
    kept: set[int] = set()
    while True:
        for i, statement in enumerate(head):
            if hasattr(statement, "first"):
                kept.add(i)
                continue
            if hasattr(statement, "gives"):
                names = statement.gives
            elif isinstance(statement, (ast.Import, ast.ImportFrom)):
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
    written_for = f"{implementation.name} {implementation.version}"
    if isinstance(implementation, Given):
        written_for = f"{implementation.name} on {implementation.framework}"
    lines += [f"See {clause.link}", f"Written for {written_for}."]
    return "\n".join(f"# {line}" for line in lines)


def calling(
    clause: Clause, implementation: Implementation, device: str, arguments: Mapping[str, Any], obstacle: str
) -> Script:
    """The last resort: a script that calls the property, and what it raises; for a module of somebody's own, which only
    the process that made it has, one sentence."""
    assert clause.function is not None
    observed, expected = "", ""
    try:
        clause.function(implementation=implementation, device=device, **arguments)
    except (Exception, pytest.fail.Exception) as error:  # the latter, where pytest.raises saw no exception
        observed, expected = f"{type(error).__name__}: {error}", "no exception"
    if isinstance(implementation, Given):
        text = f"# There is no script of this failure: {' '.join(obstacle.split())}.\n"
        return Script(text, observed, expected, obstacle)
    return Script(call(clause, implementation, device, arguments, obstacle), observed, expected, obstacle)


def call(
    clause: Clause, implementation: Implementation, device: str, arguments: Mapping[str, Any], obstacle: str
) -> str:
    """The text of a script that calls the property."""
    reason = " ".join(obstacle.split())
    lines = [
        f"# This script needs module-conformance, for the property cannot be written out ({reason}).",
        heading(clause, implementation),
        "",
        "from conformance.language.text import parse_arguments",
        "from conformance.contract import load",
        "from conformance.adapter.finding import find",
        "",
        f"arguments = parse_arguments({drawn_arguments(clause, arguments)!r})",
        f"check = load()[{clause.id!r}].function",
        f"check(implementation=find({address(implementation)!r}), device={device!r}, **arguments)",
    ]
    return "\n".join(lines) + "\n"


def address(implementation: Implementation) -> str:
    """What ``find`` finds the adapter by."""
    module = sys.modules[type(implementation).__module__]
    attribute = next((key for key, value in vars(module).items() if value is implementation), "implementation")
    full = f"{module.__name__}:{attribute}"
    return next((short for short, target in OURS.items() if target == full), full)
