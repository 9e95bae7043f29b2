"""A failure as a script: it needs nothing but the implementation, and exits non-zero as long as the failure is there."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Mapping
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
from conformance.explain.notes import note
from conformance.explain.running import Space
from conformance.explain.scope import Thrown
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
    given = {**arguments, "implementation": implementation, "device": device}
    if not guard.passes_through(error, function):
        error = guard.raised(function, given)
    if error is None:
        return calling(clause, implementation, device, arguments, "the property finds nothing")
    found, obstacle = None, ""
    try:
        for fills in ways(clause, implementation, device, arguments):
            made = translated(clause, implementation, device, arguments, fills)
            obstacle = made.difference(error, function)
            if not obstacle and made.kind == "AssertionError":
                obstacle = guard.other_sides(function, given, made.script.observed, made.script.expected)
            if not obstacle:
                found = made.script
                if len(found.text) <= LONGEST:
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
        specialiser.property(property_of(clause), {**arguments, "device": device})
        return ast.unparse(ast.fix_missing_locations(ast.Module([*specialiser.head(), *specialiser.out], [])))

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
        runs: whether the script, run as it is shown, shows it.
    """

    script: Script
    kind: str = ""
    chain: guard.Chain = ()
    runs: bool = True

    def difference(self, error: BaseException, function: Any) -> str:
        """Why it does not show what the property found; "" if it does."""
        if not self.kind:
            return "written out, it shows no difference"
        if not self.runs:
            return "written out, it does not show the same when it is run alone"
        return guard.difference(self.chain, self.kind, error, function)


def written_out(clause: Clause, implementation: Implementation, device: str, arguments: Mapping[str, Any]) -> Script:
    """The property, written out for these arguments, whatever it finds."""
    return translated(clause, implementation, device, arguments).script


def translated(
    clause: Clause, implementation: Implementation, device: str, arguments: Mapping[str, Any], fills: bool = True
) -> Translated:
    """The property, written out for these arguments; without ``fills``, modules of somebody's own hold what their factory
    puts in.

    Raises:
        Unsupported: it does something that cannot be written down without the suite.
    """
    specialiser = Specialiser(implementation, fills)
    thrown = specialiser.property(property_of(clause), {**arguments, "device": device})
    head, statements = specialiser.head(), specialiser.out

    def text(shown: Statements, done: Statements, whole: bool) -> tuple[str, Statements, Statements]:
        needed = used(head, [*done, *shown])
        body = pruned(done, [*needed, *shown], whole)
        return layout.text(heading(clause, implementation), needed, body, shown), needed, [*body, *shown]

    if thrown is None:
        asserted = [i for i, statement in enumerate(statements) if isinstance(statement, ast.Assert)]
        last = asserted[-1] if asserted else len(statements)
        shown = [one for each in statements[last : last + 1] for one in explicit(each, "observed", "expected")]
        return Translated(Script(text([*shown, *statements[last + 1 :]], statements[:last], False)[0]))
    kind, chain = kind_of(thrown, specialiser.space.names), note(thrown.statement).chain
    asserts = isinstance(thrown.error, AssertionError) and isinstance(thrown.statement, ast.Assert)
    shown = (explicit if asserts else guarded)(statements[-1], "observed", "expected")
    # Perhaps what fails is the building of something that nothing uses: then with trees built whole.
    for whole in (False, True):
        source, needed, body = text(shown, statements[:-1], whole)
        found = sides(run_alone(needed, body))
        if found is not None:
            return Translated(Script(source, *found), kind, chain)
    return Translated(Script(source), kind, chain, runs=False)


def kind_of(thrown: Thrown, names: dict[str, Any]) -> str:
    """The name of the exception with which the property fails where the script does."""
    if not note(thrown.statement).raises:
        return type(thrown.error).__name__
    variable, kind, _ = note(thrown.statement).raises
    seen = names[variable]
    if seen is None:
        return pytest.fail.Exception.__name__
    wanted = eval(ast.unparse(kind), names)
    return type(thrown.error if isinstance(seen, wanted) else seen).__name__


def run_alone(head: Statements, statements: Statements) -> str:
    """What a script prints before it fails with an AssertionError; "" where it does not."""
    space = Space()
    with space.open():
        try:
            space.define(head)
            space.run(statements)
        except Thrown as thrown:
            return space.output.getvalue() if isinstance(thrown.error, AssertionError) else ""
    return ""


def sides(printed: str) -> tuple[str, str] | None:
    """What was printed last as observed and as expected; None where that was not printed."""
    observed, found, expected = printed.rpartition("\nexpected:")
    return (observed.rpartition("observed:")[2].strip(), expected.strip()) if found else None


def used(head: Statements, statements: Statements) -> Statements:
    """The imports and definitions that the statements need."""
    needed = {each for statement in statements for each in mentioned(statement)}
    kept: set[int] = set()
    while True:
        for i, statement in enumerate(head):
            if note(statement).first:
                kept.add(i)
                continue
            if note(statement).gives is not None:
                names = note(statement).gives
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
