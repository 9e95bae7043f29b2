"""What is noted of a statement of a script, for those who run it and lay it out."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any


@dataclass
class Note:
    """Notes on one statement.

    Attributes:
        chain: where it comes from: (file, first line, last line) in each of the functions that are being called.
        owner: the variable of the object that it builds; it is left out where nothing uses that.
        marks: (tree, "table" or "log"), for a place where one of these may stand.
        lives: (globals, name) of what the adapter's file has done in this process already.
        swapped: of an assertion, that its expected side stands first.
        known: of an assertion, that one of its sides is known.
        raises: of an assertion that asks for an exception, (variable, class, message).
        makes: that it makes a module with somebody's own factory.
        gives: the names that a statement from somebody's own file gives.
        first: that it stands above all others.
    """

    chain: tuple[tuple[str, int, int], ...] = ()
    owner: str = ""
    marks: tuple[Any, str] | None = None
    lives: tuple[dict[str, Any], str] | None = None
    swapped: bool = False
    known: bool = False
    raises: tuple[str, ast.expr, ast.expr | None] | None = None
    makes: bool = False
    gives: set[str] | None = None
    first: bool = False


def note(statement: ast.stmt | None) -> Note:
    """The notes on a statement."""
    found: Note = Note() if statement is None else statement.__dict__.setdefault("note", Note())
    return found
