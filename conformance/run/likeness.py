"""Whether two failures of a property are the same one: what a recorded deviation excuses, and what it does not."""

from __future__ import annotations

import ast
import inspect
import linecache
import traceback
from bisect import bisect_right
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

_SUITE = Path(__file__).parent.parent / "suite"
#: (name of the exception, (file, first line) of the statement of the property, and of those of the helpers it was called from)
Likeness = tuple[str, tuple[tuple[str, int], ...]]


def likeness(error: BaseException, property: Callable[..., Any]) -> Likeness:
    """What the failure has in common with others of its kind: the type of the exception, and the statement of the property,
    down into the suite's helpers, that raised it."""
    own = inspect.unwrap(property).__code__.co_filename
    places = [
        (frame.f_code.co_filename, _statement(frame.f_code.co_filename, line))
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == own or _SUITE in Path(frame.f_code.co_filename).parents
    ]
    return type(error).__name__, tuple(dict.fromkeys(places))


@cache
def _first_lines(file: str) -> list[int]:
    """Where the statements of a file begin, those that hold others with what stands before these."""
    tree = ast.parse("".join(linecache.getlines(file)))
    return sorted({node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt)})


def _statement(file: str, line: int) -> int:
    starts = _first_lines(file)
    return starts[bisect_right(starts, line) - 1]
