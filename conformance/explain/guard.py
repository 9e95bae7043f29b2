"""Whether a script shows what its property found: an exception of the same type, from the same statement.

A script is a translation, and a translation can be wrong. Each of its statements carries where it comes from: the statement
of the property and, where that calls a helper of the suite that is written in place, the helper's. The traceback of the
property's own exception must lead to that very place; otherwise the script is not handed out.
"""

from __future__ import annotations

import ast
import copy
import re
import traceback
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from conformance.explain.scope import source

#: (file, first line, last line) of a statement, for each of the functions that are being called.
Chain = tuple[tuple[str, int, int], ...]

SUITE = Path(__file__).parent.parent / "suite"
#: Python before 3.12 gives comprehensions a frame, which no statement stands for; a step of a life is called through another.
FRAMES = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>", "<lambda>", "recorded")


def raised(function: Callable[..., Any], given: Mapping[str, Any]) -> BaseException | None:
    """What the property raises for these arguments; None where it holds."""
    try:
        function(**{key: each if key == "implementation" else copy.deepcopy(each) for key, each in given.items()})
    except (Exception, pytest.fail.Exception) as error:  # the latter, where pytest.raises saw no exception
        return error
    return None


class _Remembering(ast.NodeTransformer):
    """Every ``assert a == b`` remembers what a and b were."""

    def visit_Assert(self, node: ast.Assert) -> Any:
        if not isinstance(node.test, ast.Compare) or [type(each) for each in node.test.ops] != [ast.Eq]:
            return node
        both = ast.Tuple([node.test.left, node.test.comparators[0]], ast.Load())
        kept = ast.Assign([ast.Name("compared_", ast.Store())], both)
        told = ast.parse("told_.append(compared_)").body[0]
        node.test = ast.parse("compared_[0] == compared_[1]", mode="eval").body
        for each in (node.test, kept, told):
            for part in ast.walk(each):
                ast.copy_location(part, node)
        return [kept, told, node]


def compared(function: Any, given: Mapping[str, Any]) -> tuple[str, str] | None:
    """The two sides of the ``assert a == b`` of the property's own that does not hold, as they are in a run of it; None where
    something else fails."""
    node = copy.deepcopy(source(function))
    node.decorator_list = []
    told: list[tuple[Any, Any]] = []
    space = {**function.__globals__, "told_": told}
    tree = ast.fix_missing_locations(ast.Module([_Remembering().visit(node)], []))
    try:
        exec(compile(tree, function.__code__.co_filename, "exec", dont_inherit=True), space)
    except (SyntaxError, NameError):
        return None
    error = raised(space[node.name], given)
    here = traceback.extract_tb(error.__traceback__)[-1] if type(error) is AssertionError else None
    if not told or here is None or here.name != node.name or here.line is None or "==" not in here.line:
        return None
    return plain(repr(told[-1][0])), plain(repr(told[-1][1]))


def plain(text: str) -> str:
    """What is shown of a side, without what differs from one run to the next and from a function to a script."""
    text = re.sub(r"0x[0-9a-f]+|\d{9,}|[\w.]+\.(<locals>\.|(?=[A-Z]))|approx(imately)?\W+|\s*±\s*[\d.e-]+", "", text)
    words = re.sub(r"[()\[\],{}]", " ", text).split()
    return " ".join(sorted(words) if "{" in text else words)  # the order of a set says nothing


def other_sides(function: Any, given: Mapping[str, Any], observed: str, expected: str) -> str:
    """What a script says that the property, asked once more, does not; "" for nothing, or where its answers vary."""
    found = compared(function, given)
    if found is None or set(found) == {plain(observed), plain(expected)} or found != compared(function, given):
        return ""
    return "written out, it compares something else"


def passes_through(error: BaseException | None, function: Any) -> bool:
    """Whether the exception came out of that function."""
    return error is not None and any(
        frame.f_code is function.__code__ for frame, _ in traceback.walk_tb(error.__traceback__)
    )


@cache
def ours(file: str, own: str) -> bool:
    """Whether a file holds properties or their helpers: the property's own, and those of the suite."""
    return file == own or SUITE in Path(file).parents


def places(error: BaseException, function: Any) -> list[tuple[str, int]]:
    """(file, line) in the property and in what it calls of the suite, down to where the exception was raised."""
    own, found, inside = function.__code__.co_filename, {}, False
    for frame, line in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        inside |= code is function.__code__
        if inside and ours(code.co_filename, own) and code.co_name not in FRAMES:
            # Of a wrapper, as Hypothesis has them, and what it wraps, the latter.
            found.pop(code.co_name, None)
            found[code.co_name] = (code.co_filename, line)
    return list(found.values())


def difference(chain: Chain, kind: str, error: BaseException, function: Any) -> str:
    """What keeps a script that fails there, with an exception of that name, from showing the property's; "" for nothing."""
    if kind != type(error).__name__:
        return f"written out, it raises {kind} where the property raises {type(error).__name__}"
    own = function.__code__.co_filename
    written = [each for each in chain if ours(each[0], own)]
    seen = places(error, function)
    if not written or not seen:
        return "written out, it fails where the property has no statement"
    for (file, first, last), (other, line) in zip(written, seen):
        if file != other or not first <= line <= last:
            return f"written out, it fails in line {first} where the property fails in line {line}"
    return ""


def lines(statements: list[ast.stmt], text: str) -> dict[int, Any]:
    """The statement of which each line of the text is written."""
    pairs = list(zip(_statements(ast.Module(statements, [])), _statements(ast.parse(text))))
    made: dict[int, Any] = {}
    for statement, parsed in pairs:
        made |= dict.fromkeys(range(parsed.lineno, (parsed.end_lineno or parsed.lineno) + 1), statement)
    return made


def _statements(node: ast.AST) -> list[Any]:
    """The statements of a tree, each before those inside it."""
    found = []
    for each in ast.iter_child_nodes(node):
        found += [each] if isinstance(each, ast.stmt) else []
        found += _statements(each)
    return found


def failing(statements: list[ast.stmt], text: str, error: BaseException) -> ast.stmt | None:
    """The innermost of the statements that raised the exception; their text was compiled as "<script>"."""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == "<script>" and frame.f_code.co_name == "<module>":
            return lines(statements, text).get(line)
    return None
