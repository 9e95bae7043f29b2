"""Faults: deliberately wrong implementations, each named by what it does wrong, that given properties must catch.

A fault is a function that patches the reference implementation (or real PyTorch) through pytest's MonkeyPatch. Its name
says what the patched implementation does; ``catches`` lists the clauses whose properties must then fail.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

import pytest

Plant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Fault:
    """One wrong implementation: ``plant`` makes the target ("reference" or "torch") wrong for the time of a patch."""

    name: str
    catches: tuple[str, ...]
    plant: Plant
    target: str = "reference"


FAULTS: list[Fault] = []


def fault(*catches: str, target: str = "reference") -> Callable[[Plant], Plant]:
    """Register the decorated function as a fault that the properties of these clauses must catch."""

    def register(plant: Plant) -> Plant:
        FAULTS.append(Fault(plant.__name__, catches, plant, target))
        return plant

    return register


def load() -> list[Fault]:
    """Import every file of faults and return them all."""
    for info in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{info.name}")
    return FAULTS
