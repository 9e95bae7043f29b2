"""Numbers that a framework computes in float32 and the model in Python's float."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from conformance.implementation import Implementation
from conformance.model import Rows


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


def tensors(implementation: Implementation, output: Any) -> Iterator[Any]:
    """The tensors in what a call returned, in order."""
    if implementation.is_tensor(output):
        yield output
    elif isinstance(output, (list, tuple, Mapping)):
        for item in output.values() if isinstance(output, Mapping) else output:
            yield from tensors(implementation, item)


class Nearly(tuple[Any, ...]):
    """Numbers that equal others but for rounding."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return tuple(self) == pytest.approx(tuple(other), rel=1e-4, abs=1e-6, nan_ok=True)  # type: ignore[arg-type]


def differentiate(implementation: Implementation, output: Any) -> None:
    """Run the backward pass from the first tensor of the output that has one."""
    for value in tensors(implementation, output):
        if implementation.requires_grad(value):
            return implementation.backward(value)
