"""The model of what a file holds: Python objects with tensors in them, and which names are one object."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any


def mapped(value: Any, leaf: Callable[[Any], Any]) -> Any:
    """The object with everything in it that is no dict, list or tuple replaced by ``leaf(it)``."""
    if isinstance(value, dict):
        return {key: mapped(item, leaf) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(mapped(item, leaf) for item in value)
    return leaf(value)


def leaves(value: Any) -> list[Any]:
    """Everything in the object that is no dict, list or tuple, in order."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else None
    return [value] if items is None else [leaf for item in items for leaf in leaves(item)]


def ties(pairs: Iterable[tuple[str, Hashable]]) -> dict[str, str]:
    """From pairs (name, identity of the object): for each name, the first name of the same object."""
    first: dict[Hashable, str] = {}
    return {name: first.setdefault(identity, name) for name, identity in pairs}
