"""What a module that has moved leaves behind: its names still work, with a sentence, for one more version."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import Any


def moved(old: str, *modules: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module whose names are now in these."""

    def find(name: str) -> Any:
        for module in () if name.startswith("__") else modules:
            found = vars(importlib.import_module(module)).get(name)
            if found is not None:
                warnings.warn(
                    f"{old}.{name} is {module}.{name} now; the old name goes in 0.4", DeprecationWarning, stacklevel=2
                )
                return found
        raise AttributeError(f"module {old!r} has no attribute {name!r}")

    return find
