"""Why a property failed, in one line, from the exception that it raised and nothing else."""

from __future__ import annotations

import ast
import linecache
import types
from functools import cache
from typing import Any

#: The longest line.
LONGEST = 200


def reason(error: BaseException) -> str:
    """Both sides of the comparison that did not hold, as they were in that run; else what was raised."""
    found = sides(error)
    if found is not None:
        one, other = differing(*found)
        return f"observed {_short(one)}, expected {_short(other)}"
    asserted = _asserted(error)
    text = _text(error) if asserted is None else f"assert {ast.unparse(asserted.test)}"
    return f"{type(error).__name__}: {_short(text)}"


def sides(error: BaseException) -> tuple[str, str] | None:
    """What the failing ``assert observed == expected`` compared, read from the frame in which it stands; None where the
    exception is of another kind, or the two sides do not show the difference (an iterator that is used up)."""
    asserted = _asserted(error)
    if asserted is None or not isinstance(asserted.test, ast.Compare):
        return None
    if len(asserted.test.ops) != 1 or not isinstance(asserted.test.ops[0], ast.Eq):
        return None
    frame = _innermost(error).tb_frame  # type: ignore[union-attr]
    try:
        one, other = (_evaluated(side, frame) for side in (asserted.test.left, asserted.test.comparators[0]))
    except Exception:  # what was asked cannot be asked again: the assertion itself must do
        return None
    return (one, other) if one != other else None


def differing(observed: str, expected: str) -> tuple[str, str]:
    """Two sides without the entries that both have, where both are dicts as Python shows them; inside dicts in them too.
    Else, and where only the order differs, the sides as they are."""
    if not (observed.startswith("{") and expected.startswith("{")):
        return observed, expected
    try:
        one, other = (ast.parse(text, mode="eval").body for text in (observed, expected))
        found = _apart(one, other)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return observed, expected
    return (observed, expected) if found is None else (ast.unparse(found[0]), ast.unparse(found[1]))


def _apart(one: ast.expr, other: ast.expr) -> tuple[ast.expr, ast.expr] | None:
    """The entries that differ; None where these are no two dicts, or have the same ones."""
    if not (isinstance(one, ast.Dict) and isinstance(other, ast.Dict)) or None in (*one.keys, *other.keys):
        return None
    held = [{ast.dump(key): (key, value) for key, value in zip(each.keys, each.values) if key} for each in (one, other)]
    first: list[Any] = []
    second: list[Any] = []
    for known in dict.fromkeys([*held[0], *held[1]]):
        pairs = [each.get(known) for each in held]
        if pairs[0] and pairs[1]:
            if ast.dump(pairs[0][1]) == ast.dump(pairs[1][1]):
                continue
            values = _apart(pairs[0][1], pairs[1][1]) or (pairs[0][1], pairs[1][1])
            pairs = [(pairs[0][0], values[0]), (pairs[1][0], values[1])]
        first += [pairs[0]] if pairs[0] else []
        second += [pairs[1]] if pairs[1] else []
    if not first and not second:
        return None
    made = [ast.Dict([key for key, _ in pairs], [value for _, value in pairs]) for pairs in (first, second)]
    return made[0], made[1]


def _innermost(error: BaseException) -> types.TracebackType | None:
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place


def _asserted(error: BaseException) -> ast.Assert | None:
    """The ``assert`` statement that raised the exception: its text is the same with and without pytest's rewriting."""
    place = _innermost(error) if type(error) is AssertionError else None
    if place is None:
        return None
    lines = _assertions(place.tb_frame.f_code.co_filename)
    here = [node for node in lines if node.lineno <= place.tb_lineno <= (node.end_lineno or node.lineno)]
    return here[0] if here and here[0].msg is None else None


def _evaluated(side: ast.expr, frame: types.FrameType) -> str:
    code = compile(ast.Expression(side), "<compared>", "eval")
    return repr(eval(code, frame.f_globals, dict(frame.f_locals)))


@cache
def _assertions(filename: str) -> list[ast.Assert]:
    try:
        tree = ast.parse("".join(linecache.getlines(filename)))
    except SyntaxError:
        return []
    return [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as worse:
        return f"its text raises {type(worse).__name__}"


def _short(text: str) -> str:
    line = " ".join(text[: 100 * LONGEST].split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."
