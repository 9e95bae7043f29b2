"""Numbers that a framework computes in float32 and the model in Python's float."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.implementation import Implementation
from conformance.model import Rows
from conformance.model.files import mapped


def flat(rows: Rows) -> list[float]:
    """The elements in row-major order."""
    return [x for row in rows for x in row]


def approximately(rows: Rows) -> Any:
    """Equal to any sequence of these elements but for rounding."""
    elements = flat(rows)
    return pytest.approx(elements, rel=1e-3, abs=1e-3 * max(1.0, *map(abs, elements)))


def outcome(implementation: Implementation, output: Any) -> list[Any]:
    """What a call returned: of each tensor in it the shape, the dtype and the numbers, equal but for rounding."""
    found: list[Any] = []
    mapped(output, found.append)
    readings = [implementation.read(value) for value in found if implementation.is_tensor(value)]
    return [(shape, dtype, Nearly(numbers)) for shape, dtype, numbers in readings]


class Nearly(tuple[Any, ...]):
    """Numbers that equal others but for rounding."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return tuple(self) == pytest.approx(tuple(other), rel=1e-4, abs=1e-6, nan_ok=True)  # type: ignore[arg-type]


def differentiate(implementation: Implementation, output: Any) -> None:
    """Run the backward pass from the first tensor of the output that has one."""
    found: list[Any] = []
    mapped(output, found.append)
    for value in found:
        if implementation.is_tensor(value) and implementation.requires_grad(value):
            return implementation.backward(value)
