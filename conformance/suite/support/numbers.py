"""Numbers that a framework computes in float32 and the model in Python's float."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.model import Rows


def flat(rows: Rows) -> list[float]:
    """The elements in row-major order."""
    return [x for row in rows for x in row]


def approximately(rows: Rows) -> Any:
    """Equal to any sequence of these elements but for rounding."""
    elements = flat(rows)
    return pytest.approx(elements, rel=1e-3, abs=1e-3 * max(1.0, *map(abs, elements)))
