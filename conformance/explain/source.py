"""Plain PyTorch code for a blueprint: what anybody can paste."""

from __future__ import annotations

import ast

from conformance.adapter.finding import find
from conformance.explain import layout
from conformance.explain.script import used
from conformance.explain.specialise import Specialiser
from conformance.explain.trees import pruned
from conformance.explain.values import Static, name
from conformance.language import blueprint as bp


def to_source(blueprint: bp.Blueprint, variable: str = "module") -> str:
    """Code that builds the tree with torch's public API alone, as the adapter for PyTorch builds it."""
    writer = Specialiser(find("torch"))
    tree = writer.build(Static(blueprint), root=variable)
    body = pruned(writer.out, [ast.Expr(name(tree.variables[""]))])
    head = writer.head()
    return layout.text("", used(head, body), body, [])
