"""The kill matrix: no two properties see the same faults, unless it is said why both are there."""

from __future__ import annotations

from selftests.matrix import Matrix

AGAIN = "run python -m selftests.matrix"
KNOWN = Matrix.read()


def inside(rows: dict[str, list[str]]) -> dict[str, list[str]]:
    """The clauses of which each fault is seen by another clause too, and those others."""
    sets = {clause: set(row) for clause, row in rows.items() if row}
    found = {one: [other for other, more in sets.items() if other != one and row <= more] for one, row in sets.items()}
    return {one: others for one, others in found.items() if others}
