"""What is done to containers, as data: the things they hold are letters, and each edit is a tuple."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from strategies.names import NAMES

#: What containers hold: a property says which module or parameter each letter stands for.
LABELS = "abcdef"

#: Names of which some are positions that a list of modules would give.
NUMBERED = ("a", "layer", "1", "weight", "0", "2", "3")

#: A slice, written as the three arguments of ``slice``.
Triple = tuple[int | None, int | None, int | None]

#: An operation's name and its arguments.
Edit = tuple[Any, ...]

_BOUNDS = (None, 1, 2, -1, 0, -2, 4, -5)
_STEPS = (None, 2, -1, -2)


def labels(among: str = LABELS, min_size: int = 0, max_size: int = 4) -> st.SearchStrategy[list[str]]:
    """What a list holds; the same thing may be in it several times."""
    return st.lists(st.sampled_from(among), min_size=min_size, max_size=max_size)


def label(among: str = LABELS) -> st.SearchStrategy[str]:
    """One thing to put into a container."""
    return st.sampled_from(among)


def entries(
    among: str = LABELS, min_size: int = 0, max_size: int = 4, names: Sequence[str] = NAMES
) -> st.SearchStrategy[dict[str, str]]:
    """What a dict holds, in order."""
    return st.dictionaries(st.sampled_from(names), st.sampled_from(among), min_size=min_size, max_size=max_size)


def triples() -> st.SearchStrategy[Triple]:
    """A slice; shrinks to ``[:]``."""
    return st.integers(0, 255).map(triple)


def triple(number: int) -> Triple:
    """A slice for each number below 256; ``[:]`` for 0."""
    return _BOUNDS[number & 7], _BOUNDS[number >> 3 & 7], _STEPS[number >> 6 & 3]


def list_edits(
    *operations: str, among: str = LABELS, min_items: int = 0, min_size: int = 1, max_size: int = 6
) -> st.SearchStrategy[tuple[list[str], list[Edit]]]:
    """A list, and edits of it, each of which is valid after those before it.

    Args:
        operations: "append", "extend", "+=", "insert" (at an index from 0 to the length), "set", "delete",
            "delete slice", "pop". Where nothing is left to set, delete or pop, something is appended.
        among: what is put in.
        min_items: what the list holds at least.
        min_size, max_size: how many edits.
    """

    def resolve(items: list[str], drawn: list[tuple[str, int, str]]) -> tuple[list[str], list[Edit]]:
        now = list(items)
        edits = []
        for operation, number, letter in drawn:
            edit = _list_edit(operation, number, letter, len(now), among)
            now = edited_list(now, edit)
            edits.append(edit)
        return items, edits

    step = st.tuples(st.sampled_from(operations), st.integers(0, 255), st.sampled_from(among))
    return st.builds(resolve, labels(among, min_size=min_items), st.lists(step, min_size=min_size, max_size=max_size))


def _list_edit(operation: str, number: int, letter: str, length: int, among: str) -> Edit:
    if operation in ("extend", "+="):
        start = among.index(letter)
        return operation, [among[(start + i) % len(among)] for i in range(number % 4)]
    if operation == "insert":
        return operation, number % (length + 1), letter
    if operation == "delete slice":
        return operation, triple(number)
    if operation == "append" or length == 0:
        return "append", letter
    index = number % (2 * length)
    index = index if index < length else index - 2 * length
    return (operation, index, letter) if operation == "set" else (operation, index)


def edited_list(items: Any, edit: Edit, pick: Any = lambda letter: letter) -> Any:
    """Apply an edit to a list, or to whatever is used like one; ``pick`` gives the thing that a letter stands for."""
    operation, *arguments = edit
    if operation == "append":
        items.append(pick(arguments[0]))
    elif operation == "extend":
        items.extend([pick(letter) for letter in arguments[0]])
    elif operation == "+=":
        items += [pick(letter) for letter in arguments[0]]
    elif operation == "insert":
        items.insert(arguments[0], pick(arguments[1]))
    elif operation == "set":
        items[arguments[0]] = pick(arguments[1])
    elif operation == "delete":
        del items[arguments[0]]
    elif operation == "delete slice":
        del items[slice(*arguments[0])]
    else:
        items.pop(arguments[0])
    return items


def dict_edits(
    *operations: str, among: str = LABELS, min_items: int = 0, min_size: int = 1, max_size: int = 6
) -> st.SearchStrategy[tuple[dict[str, str], list[Edit]]]:
    """A dict, and edits of it, each of which is valid after those before it.

    Args:
        operations: "set", "update", "setdefault", "delete", "pop", "popitem", "clear". Where nothing is left to delete
            or pop, something is set. Half of what is set has a key that is already there.
        among: what is put in.
        min_items: what the dict holds at least.
        min_size, max_size: how many edits.
    """

    def resolve(items: dict[str, str], drawn: list[tuple[str, int, str]]) -> tuple[dict[str, str], list[Edit]]:
        now = dict(items)
        edits = []
        for operation, number, letter in drawn:
            edit = _dict_edit(operation, number, letter, list(now), among)
            now = edited_dict(now, edit)
            edits.append(edit)
        return items, edits

    step = st.tuples(st.sampled_from(operations), st.integers(0, 255), st.sampled_from(among))
    start = entries(among, min_size=min_items)
    return st.builds(resolve, start, st.lists(step, min_size=min_size, max_size=max_size))


def _dict_edit(operation: str, number: int, letter: str, keys: Sequence[str], among: str) -> Edit:
    known = list(keys) if keys and number & 1 else NAMES
    key = known[(number >> 1) % len(known)]
    if operation == "update":
        start = among.index(letter)
        more = NAMES[(number >> 2) % len(NAMES)]
        return operation, {key: letter, more: among[(start + 1) % len(among)]}
    if operation in ("clear", "setdefault"):
        return (operation,) if operation == "clear" else (operation, key, letter)
    if operation == "set" or not keys:
        return "set", key, letter
    return (operation,) if operation == "popitem" else (operation, keys[number % len(keys)])


def edited_dict(items: Any, edit: Edit, pick: Any = lambda letter: letter) -> Any:
    """Apply an edit to a dict, or to whatever is used like one; ``pick`` gives the thing that a letter stands for."""
    operation, *arguments = edit
    if operation == "set":
        items[arguments[0]] = pick(arguments[1])
    elif operation == "delete":
        del items[arguments[0]]
    elif operation == "update":
        items.update([(key, pick(letter)) for key, letter in arguments[0].items()])
    elif operation == "setdefault":
        items.setdefault(arguments[0], pick(arguments[1]))
    else:
        getattr(items, operation)(*arguments)
    return items
