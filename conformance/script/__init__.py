"""A failure as a script: it needs nothing but the implementation, and exits non-zero as long as the failure is there."""

from __future__ import annotations

import ast
import contextlib
import io
import sys
import textwrap
import types
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.contract import Clause
from conformance.implementation import Absent, Implementation
from conformance.script import layout
from conformance.script.comparison import explicit, guarded
from conformance.script.specialise import Specialiser
from conformance.script.trees import defined, mentioned, pruned
from conformance.script.values import Unsupported


@dataclass(frozen=True)
class Script:
    """A script, and what it prints.

    Attributes:
        text: the source.
        observed, expected: what it prints, "" where it ran to its end.
        plain: whether it needs nothing of ours.
        reason: why it is not plain.
    """

    text: str
    observed: str = ""
    expected: str = ""
    plain: bool = True
    reason: str = ""


def write(clause: Clause, implementation: Implementation, device: str, arguments: Mapping[str, Any]) -> Script:
    """The script that shows what the property of the clause finds for these arguments.

    It is run once while it is written: what follows the first difference is left out. Where the property cannot be
    written out, the script calls it, and its first line says what it needs.
    """
    try:
        statements, head = written(clause, implementation, device, arguments)
    except Absent:
        raise
    except Unsupported as error:
        return calling(clause, implementation, device, arguments, str(error))
    return perform(clause, implementation, statements, head)


def written(
    clause: Clause, implementation: Implementation, device: str, arguments: Mapping[str, Any]
) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """The property's statements for these arguments, and the imports and definitions they need."""
    specialiser = Specialiser(implementation)
    function = getattr(clause.function, "replay", clause.function)
    body = specialiser.property(function, {**arguments, "device": device})
    imports = sorted(specialiser.imports, key=lambda line: (line.startswith("from"), line))
    head = ast.parse("\n".join(imports)).body
    for definition in specialiser.definitions.values():
        head += definition
    return body, head


def perform(
    clause: Clause, implementation: Implementation, statements: list[ast.stmt], head: list[ast.stmt]
) -> Script:
    """Run the statements up to the first that shows a difference, and write that one out at length."""
    main = types.ModuleType("__main__")
    with as_main(main):
        return follow(clause, implementation, statements, head, vars(main))


@contextlib.contextmanager
def as_main(module: types.ModuleType) -> Iterator[None]:
    """While it is open, ``__main__`` is that module: what a script pickles is looked up there."""
    before = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        yield
    finally:
        sys.modules["__main__"] = before


def follow(
    clause: Clause,
    implementation: Implementation,
    statements: list[ast.stmt],
    head: list[ast.stmt],
    space: dict[str, Any],
) -> Script:
    """As ``perform``, in a namespace."""
    names = "observed", "expected"
    for statement in head:
        if hasattr(statement, "lives"):  # the adapter has done this in this process already
            globals_, key = statement.lives
            space[key] = globals_[key]
    run([statement for statement in head if not hasattr(statement, "lives")], space)
    everything = pruned(statements, head)
    for i, statement in enumerate(everything):
        output = io.StringIO()
        try:
            with contextlib.redirect_stdout(output):
                run(explicit(statement, "observed_", "expected_"), space)
        except SystemExit:
            break
        except Exception as error:
            shown = explicit(statement, *names)
            if "expected:" in output.getvalue() and isinstance(error, AssertionError):
                observed, _, expected = output.getvalue().rpartition("\nexpected:")
                observed = observed.rpartition("observed:")[2]
            else:
                shown = guarded(statement, *names)
                observed, expected = f"{type(error).__name__}: {error}", "no exception"
                with contextlib.suppress(Exception):
                    output = io.StringIO()
                    with contextlib.redirect_stdout(output):
                        run(guarded(statement, "observed_", "expected_")[:-1], space)
                    expected = output.getvalue().rpartition("\nexpected:")[2]
            text = lay_out(clause, implementation, statements, head, everything[:i], shown)
            return Script(text, observed.strip(), expected.strip())
    asserted = [i for i, statement in enumerate(everything) if isinstance(statement, ast.Assert)]
    last = asserted[-1] if asserted else len(everything)
    shown = [each for statement in everything[last : last + 1] for each in explicit(statement, *names)]
    text = lay_out(clause, implementation, statements, head, everything[:last], [*shown, *everything[last + 1 :]])
    return Script(text)


def lay_out(
    clause: Clause,
    implementation: Implementation,
    statements: list[ast.stmt],
    head: list[ast.stmt],
    done: list[ast.stmt],
    shown: list[ast.stmt],
) -> str:
    """The text of a script that ends with ``shown``, without what only later statements needed."""
    kept = [each for each in statements if hasattr(each, "marks") or each in done]
    head = used(head, [*kept, *shown])
    return layout.text(heading(clause, implementation), head, pruned(kept, [*head, *shown]), shown)


def used(head: list[ast.stmt], statements: list[ast.stmt]) -> list[ast.stmt]:
    """The imports and definitions that the statements need."""
    needed = {each for statement in statements for each in mentioned(statement)}
    kept: set[int] = set()
    while True:
        for i, statement in enumerate(head):
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                names = {(each.asname or each.name).partition(".")[0] for each in statement.names}
            else:
                names = defined(statement)
            if i not in kept and names & needed:
                needed |= mentioned(statement)
                kept.add(i)
                break
        else:
            return [statement for i, statement in enumerate(head) if i in kept]


def run(statements: list[ast.stmt], space: dict[str, Any]) -> None:
    """Run statements in a namespace."""
    tree = ast.parse(ast.unparse(ast.fix_missing_locations(ast.Module(statements, []))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(tree, "<script>", "exec"), space)


def heading(clause: Clause, implementation: Implementation) -> str:
    """The comment on top."""
    lines = textwrap.wrap(clause.sentence, 100)
    lines += [f"See {clause.link}", f"Written for {implementation.name} {implementation.version}."]
    return "\n".join(f"# {line}" for line in lines)


def calling(
    clause: Clause, implementation: Implementation, device: str, arguments: Mapping[str, Any], reason: str
) -> Script:
    """The last resort: a script that needs the suite."""
    raise NotImplementedError(reason)
