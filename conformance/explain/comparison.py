"""The statement that fails, written so that it shows what was observed beside what was expected."""

from __future__ import annotations

import ast
import copy

from conformance.explain.notes import note
from conformance.explain.values import call, name

#: How a comparison other than equality says what it expects.
WORDS = {
    ast.NotEq: "anything but",
    ast.In: "one of",
    ast.NotIn: "none of",
    ast.IsNot: "another object than",
    ast.Lt: "less than",
    ast.LtE: "at most",
    ast.Gt: "more than",
    ast.GtE: "at least",
}


def explicit(statement: ast.stmt, observed: str, expected: str) -> list[ast.stmt]:
    """The statement with every assertion in it printing its two sides, under these names."""
    if isinstance(statement, ast.Assert):
        made = comparison(statement, observed, expected)
        for each in made:
            note(each).chain = note(statement).chain
        return made
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return [statement]
    changed = copy.copy(statement)
    for field in ("body", "orelse", "finalbody"):
        inner = getattr(statement, field, None)
        if isinstance(inner, list):
            setattr(changed, field, [one for each in inner for one in explicit(each, observed, expected)])
    if isinstance(statement, ast.Try):
        changed.handlers = []
        for handler in statement.handlers:
            made = copy.copy(handler)
            made.body = [one for each in handler.body for one in explicit(each, observed, expected)]
            changed.handlers.append(made)
    return [changed]


def comparison(statement: ast.Assert, observed: str, expected: str) -> list[ast.stmt]:
    """``assert a == b`` as: observed = a, expected = b, print both, assert."""
    raises = note(statement).raises
    if raises is not None:
        variable, kind, match = raises
        said = f"print('observed:', repr({variable}) if {variable} else 'no exception')"
        wanted = ast.unparse(kind) + (f" with a message that matches {ast.unparse(match)}" if match else "")
        return [*ast.parse(said).body, show(expected, ast.Constant(wanted)), statement]
    test = statement.test
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        left, right = test.left, test.comparators[0]
        if note(statement).swapped and isinstance(test.ops[0], (ast.Eq, ast.Is)):
            left, right = right, left
        sides = [*given(observed, left), *given(expected, right)]
        words = WORDS.get(type(test.ops[0]))
        sides += [show("observed", represented(observed)), show("expected", represented(expected), words)]
        verdict = ast.Assert(ast.Compare(name(observed), test.ops, [name(expected)]), statement.msg)
        return [*sides, verdict]
    truth = True
    while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, truth = test.operand, not truth
    lines = given(observed, test)
    told = ast.Constant(f"{'a true' if truth else 'a false'} value of {ast.unparse(test)}")
    lines += [show("observed", represented(observed)), show("expected", told)]
    verdict = ast.Assert(name(observed) if truth else ast.UnaryOp(ast.Not(), name(observed)), statement.msg)
    return [*lines, verdict]


def given(variable: str, value: ast.expr) -> list[ast.stmt]:
    """The assignment, where it says anything."""
    if isinstance(value, ast.Name) and value.id == variable:
        return []
    return [ast.Assign([ast.Name(variable, ast.Store())], value, lineno=0)]


def represented(variable: str) -> ast.expr:
    """``repr(variable)``."""
    return call("repr", name(variable))


def show(title: str, value: ast.expr, words: str | None = None) -> ast.stmt:
    """``print("observed:", value)``."""
    title = title.rstrip("_")
    parts = [ast.Constant(f"{title}: {words}" if words else f"{title}:"), value]
    return ast.Expr(ast.Call(name("print"), parts, []))


def guarded(statement: ast.stmt, observed: str, expected: str) -> list[ast.stmt]:
    """A statement that raises where nothing should: the exception is what is observed."""
    test = getattr(statement, "test", None)
    caught = ast.parse(f'{observed} = f"{{type(error).__name__}}: {{error}}"').body
    handler = ast.ExceptHandler(name("Exception"), "error", caught)
    known = note(statement).known  # else it may be the expected side that raises
    if known and isinstance(test, ast.Compare) and isinstance(test.ops[0], (ast.Eq, ast.Is)):
        left, right = test.left, test.comparators[0]
        if note(statement).swapped:
            left, right = right, left
        body, wanted = given(observed, left), given(expected, right)
        end = [show("observed", name(observed)), show("expected", represented(expected))]
        verdict = ast.Assert(ast.Compare(name(observed), test.ops, [name(expected)]), None)
        return [*wanted, ast.Try(body or [ast.Pass()], [handler], [], []), *end, verdict]
    none = "no exception"
    body = [statement, ast.Assign([ast.Name(observed, ast.Store())], ast.Constant(none), lineno=0)]
    return [
        ast.Try(body, [handler], [], []),
        show("observed", name(observed)),
        show("expected", ast.Constant(none)),
        *ast.parse(f"assert {observed} == {none!r}").body,
    ]
