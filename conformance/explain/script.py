"""A failure as a script: it needs nothing but the implementation, and exits non-zero as long as the failure is there."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import inspect
import io
import re
import sys
import textwrap
import types
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from conformance.adapter.finding import address
from conformance.adapter.given import Given, otherwise
from conformance.adapter.port import Implementation
from conformance.contract import Clause
from conformance.contract import arguments as drawn_arguments
from conformance.explain import guard, layout
from conformance.explain.comparison import explicit, guarded
from conformance.explain.specialise import Specialiser
from conformance.explain.trees import defined, mentioned, pruned
from conformance.explain.values import Unsupported

Statements = list[ast.stmt]
#: A longer script is no help to anybody: it calls the property instead.
LONGEST = 20_000
#: What differs from one run to the next.
ADDRESS = re.compile(r"0x[0-9a-f]+|\d{9,}")
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


def write(
    clause: Clause,
    implementation: Implementation,
    device: str,
    arguments: Mapping[str, Any],
    error: BaseException | None = None,
) -> Script:
    """The script that shows what the property of the clause finds for these arguments.

    It is run while it is written: what follows the first difference is left out. It is handed out only if it fails as the
    property does (see ``guard``); else, and where the property cannot be written out, the script calls the property,
    and its first line says what it needs.

    Args:
        error: what the property raised; it is asked again where that is not known.
    """
    function = property_of(clause)
    if not guard.passes_through(error, function):
        error = guard.raised(function, {**arguments, "implementation": implementation, "device": device})
    if error is None:
        return calling(clause, implementation, device, arguments, "the property finds nothing")
    found, obstacle = None, "written out, it shows no difference"
    try:
        for fills in ways(clause, implementation, device, arguments):
            # Perhaps what fails is the building of something that nothing uses: then with trees built whole.
            for whole in (False, True):
                made = translated(clause, implementation, device, arguments, whole, fills)
                wrong = made.difference(error, function)
                obstacle = wrong or obstacle
                if made.shows and not wrong:
                    found = made.script
                    break
            if found is not None and len(found.text) <= LONGEST:
                break
    except Exception as trouble:  # whatever it is, the failure must be shown
        obstacle = str(trouble) if isinstance(trouble, Unsupported) else f"{type(trouble).__name__}: {trouble}"
    if found is None:
        return calling(clause, implementation, device, arguments, obstacle, error)
    if len(found.text) > LONGEST:
        shown = calling(clause, implementation, device, arguments, TOO_LONG, error)
        return dataclasses.replace(shown, observed=found.observed, expected=found.expected)
    return found


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


@dataclass(frozen=True)
class Translated:
    """A property, written out.

    Attributes:
        script: as it is shown.
        kind: the name of the exception with which the property would fail there; "" where the script runs to its end.
        chain: the statement of the property that the script fails at.
        runs: whether the script, run once more as it stands, shows the same.
    """

    script: Script
    kind: str
    chain: guard.Chain
    runs: bool

    @property
    def shows(self) -> bool:
        """Whether the script shows a difference."""
        return bool(self.kind)

    def difference(self, error: BaseException, function: Any) -> str:
        """Why it is not what the property finds; "" if it is, or shows nothing."""
        if not self.shows:
            return ""
        if not self.runs:
            return "written out, it does not show the same when it is run alone"
        return guard.difference(self.chain, self.kind, error, function)


def written_out(
    clause: Clause, implementation: Implementation, device: str, arguments: Mapping[str, Any], whole: bool = False
) -> Script:
    """The property, written out for these arguments, whatever it finds."""
    return translated(clause, implementation, device, arguments, whole, True).script


def translated(
    clause: Clause, implementation: Implementation, device: str, arguments: Mapping[str, Any], whole: bool, fills: bool
) -> Translated:
    """The property, written out for these arguments; with ``whole``, trees are built whole; without ``fills``, modules of
    somebody's own hold what their factory puts in.

    Raises:
        Unsupported: it does something that cannot be written down without the suite.
    """
    specialiser = Specialiser(implementation, fills)
    statements = specialiser.property(property_of(clause), {**arguments, "device": device})
    head = specialiser.head()
    everything = pruned(statements, head, whole)
    found = follow(everything, head)
    done = everything[: found.place]
    kept = [each for each in statements if hasattr(each, "marks") or each in done]
    head = used(head, [*kept, *found.shown])
    body = pruned(kept, [*head, *found.shown], whole)
    text = layout.text(heading(clause, implementation), head, body, found.shown)
    made = Script(text, found.observed, found.expected)
    return Translated(made, found.kind, found.chain, not found.kind or again(head, [*body, *found.shown], found))


@dataclass(frozen=True)
class Found:
    """Where a script shows a difference: its first statement that fails, what that observes and expects, the statements
    that show it at length, and what the property raises there."""

    place: int
    observed: str
    expected: str
    shown: Statements
    kind: str = ""
    chain: guard.Chain = ()


def begun(head: Statements, space: dict[str, Any]) -> None:
    """Run the imports and definitions; what the adapter has done in this process already is not done again."""
    for statement in head:
        if hasattr(statement, "lives"):
            globals_, key = statement.lives
            space[key] = globals_[key]
    run([statement for statement in head if not hasattr(statement, "lives")], space)


def follow(statements: Statements, head: Statements) -> Found:
    """Run the statements up to the first that shows a difference. Where there is none, what is shown is the last comparison
    and what follows it."""
    main = types.ModuleType("__main__")
    space = vars(main)
    with as_main(main):
        begun(head, space)
        for place, statement in enumerate(statements):
            try:
                run(explicit(statement, "observed_", "expected_"), space)
                continue
            except SystemExit:
                break
            except Failed as found:
                failed = found
            if hasattr(statement, "makes"):
                raise failed.error
            kind, chain = kind_of(failed, space), getattr(failed.statement, "chain", ())
            if "\nexpected:" in failed.printed and isinstance(failed.error, AssertionError):
                shown = explicit(statement, "observed", "expected")
                return Found(place, *sides(failed.printed), shown, kind, chain)
            try:
                expected = sides(run(guarded(statement, "observed_", "expected_")[:-1], space))[1]
            except Failed:
                expected = "no exception"
            observed = f"{type(failed.error).__name__}: {failed.error}"
            return Found(place, observed, expected, guarded(statement, "observed", "expected"), kind, chain)
    asserted = [i for i, statement in enumerate(statements) if isinstance(statement, ast.Assert)]
    last = asserted[-1] if asserted else len(statements)
    shown = [each for statement in statements[last : last + 1] for each in explicit(statement, "observed", "expected")]
    return Found(last, "", "", [*shown, *statements[last + 1 :]])


def kind_of(failed: Failed, space: dict[str, Any]) -> str:
    """The name of the exception with which the property fails where the script does."""
    if not hasattr(failed.statement, "raises"):
        return type(failed.error).__name__
    variable, kind, _ = failed.statement.raises
    seen = space[variable]
    if seen is None:
        return pytest.fail.Exception.__name__
    wanted = eval(ast.unparse(kind), space)
    return type(failed.error if isinstance(seen, wanted) else seen).__name__


def again(head: Statements, statements: Statements, found: Found) -> bool:
    """Whether the script as it is shown fails, and expects the same."""
    main = types.ModuleType("__main__")
    with as_main(main):
        begun(head, vars(main))
        try:
            run(statements, vars(main))
        except Failed as failed:
            shown = sides(failed.printed)[1]
            return isinstance(failed.error, AssertionError) and ADDRESS.sub("", shown) == ADDRESS.sub(
                "", found.expected
            )
        except SystemExit:
            pass
    return False


def sides(printed: str) -> tuple[str, str]:
    """What was printed last as observed and as expected."""
    observed, _, expected = printed.rpartition("\nexpected:")
    return observed.rpartition("observed:")[2].strip(), expected.strip()


class Failed(Exception):
    """A statement of the script failed."""

    def __init__(self, error: Exception, printed: str, statement: ast.stmt | None):
        super().__init__(str(error))
        self.error = error
        self.printed = printed
        self.statement = statement  # the innermost one


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
            raise Failed(error, output.getvalue(), guard.failing(statements, text, error)) from error
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
    clause: Clause,
    implementation: Implementation,
    device: str,
    arguments: Mapping[str, Any],
    obstacle: str,
    error: BaseException | None = None,
) -> Script:
    """The last resort: a script that calls the property, and what that raises; for a module of somebody's own, which only
    the process that made it has, one sentence."""
    if error is None:
        error = guard.raised(property_of(clause), {**arguments, "implementation": implementation, "device": device})
    observed, expected = ("", "") if error is None else (f"{type(error).__name__}: {error}", "no exception")
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
