"""Plain PyTorch code for a blueprint: what anybody can paste."""

from __future__ import annotations

import ast

from conformance import blueprint as bp
from conformance.implementation import find
from conformance.script import layout, used
from conformance.script.specialise import Specialiser
from conformance.script.trees import pruned
from conformance.script.values import Static, name


def to_source(blueprint: bp.Blueprint, variable: str = "module") -> str:
    """Code that builds the tree with torch's public API alone, as the adapter for PyTorch builds it."""
    writer = Specialiser(find("torch"))
    tree = writer.build(Static(blueprint), root=variable)
    body = pruned(writer.out, [ast.Expr(name(tree.variables[""]))])
    head = writer.head()
    return layout.text("", used(head, body), body, [])
