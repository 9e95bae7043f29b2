"""A user's own module, deep inside others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def nest(module_class: Any, names: Iterable[str], leaf: Any) -> Any:
    """A module with ``leaf`` at the dotted path of these names; ``leaf`` itself where there are none."""
    for name in reversed(list(names)):
        parent = module_class()
        parent.add_module(name, leaf)
        leaf = parent
    return leaf
