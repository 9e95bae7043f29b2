"""Plain code for a blueprint: what anybody can paste."""

from __future__ import annotations

from conformance.adapter.finding import find
from conformance.build import show
from conformance.language import blueprint as bp


def to_source(blueprint: bp.Blueprint, variable: str = "module", implementation: str = "torch") -> str:
    """Code that builds the tree into the variable with the public API of the implementation of that name."""
    return show.to_source(blueprint, find(implementation), variable)
