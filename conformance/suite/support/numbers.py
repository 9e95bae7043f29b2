"""Numbers that a framework computes in float32 and the model in Python's float."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conformance.model import Rows
from conformance.model.files import leaves

if TYPE_CHECKING:
    from conformance.adapter.port import Implementation


def flat(rows: Rows) -> list[float]:
    """The elements in row-major order."""
    return [x for row in rows for x in row]


def approximately(rows: Rows) -> Any:
    """Equal to any sequence of these elements but for rounding."""
    elements = flat(rows)
    return pytest.approx(elements, rel=1e-3, abs=1e-3 * max(1.0, *map(abs, elements)))


def outcome(implementation: Implementation, output: Any) -> list[Any]:
    """What a call returned: of each tensor in it the shape, the dtype and the numbers, equal but for rounding."""
    readings = [implementation.read(value) for value in tensors(implementation, output)]
    return [(shape, dtype, Nearly(numbers)) for shape, dtype, numbers in readings]


def tensors(implementation: Implementation, output: Any) -> list[Any]:
    """The tensors in what a call returned, in order."""
    return [value for value in leaves(output) if implementation.is_tensor(value)]


class Nearly(tuple):  # type: ignore[type-arg]
    """Numbers that equal others but for rounding; what is no number equals itself."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: Any) -> bool:
        return len(self) == len(other) and all(
            one == two or one != one and two != two or abs(one - two) <= 1e-6 + 1e-4 * abs(two)
            for one, two in zip(self, other)
        )


def differentiate(implementation: Implementation, output: Any) -> bool:
    """Run the backward pass from the first tensor of the output that has one; whether there is one."""
    for value in tensors(implementation, output):
        if implementation.requires_grad(value):
            implementation.backward(value)
            return True
    return False
