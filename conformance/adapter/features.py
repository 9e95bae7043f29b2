"""What a blueprint may hold, and the blueprint of what an implementation can hold in its place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from conformance.contract.capabilities import TREE
from conformance.language import blueprint as bp
from conformance.language.transform import held_paths

if TYPE_CHECKING:
    from conformance.adapter.lens import Lens


def numbered(names: Iterable[str]) -> bool:
    """Whether the names are "0", "1", ... in order."""
    return all(name == str(i) for i, name in enumerate(names))


def missing_features(implementation: Lens) -> frozenset[str]:
    """What blueprints may hold and the implementation cannot."""
    features = [f"dtype.{dtype}" for dtype in bp.DTYPES] + ["Parameter", *bp.CONTAINERS, *bp.LAYERS]
    features += TREE
    missing = {
        feature
        for feature in features
        if (feature in implementation.lacking or (not feature.startswith("tree.") and implementation.lacks(feature)))
    }
    for capability, feature in (("", "buffer"), ("", "empty_buffer"), ("(persistent)", "transient")):
        if f"tree.{feature}" not in implementation.hidden and implementation.lacks(
            f"Module.register_buffer{capability}"
        ):
            missing.add(f"tree.{feature}")
    return frozenset(missing)


def restricted(blueprint: Any, missing: frozenset[str]) -> Any:
    """The blueprint of a module or member with other things in the place of what is missing."""

    def change(member: Any) -> Any:
        if isinstance(member, bp.Empty):
            return None if f"tree.empty_{member.kind}" in missing else member
        if isinstance(member, bp.Blueprint):
            return _restricted_module(member, missing)
        if isinstance(member, bp.Attribute):
            return bp.Attribute(change(member.value)) if isinstance(member.value, bp.Tensor) else member
        if isinstance(member, bp.Buffer) and "tree.buffer" in missing:
            return None
        if isinstance(member, bp.Tensor):
            dtype = "float32" if {f"dtype.{member.dtype}", f"tree.{member.dtype}"} & missing else member.dtype
            shape = (1,) if member.shape == () and "tree.0d" in missing else member.shape
            fields = {"shape": shape, "dtype": dtype, "fill": member.fill}
            if isinstance(member, bp.Parameter) and "Parameter" not in missing:
                return bp.Parameter(**fields, requires_grad=member.requires_grad)
            if isinstance(member, bp.Parameter):
                return bp.Buffer(**fields)
            if isinstance(member, bp.Buffer):
                return bp.Buffer(**fields, persistent=member.persistent or "tree.transient" in missing)
            return bp.Tensor(**fields)
        if isinstance(member, bp.Shared) and not member.persistent and "tree.transient" in missing:
            return bp.Shared(member.path)
        return member

    if not isinstance(blueprint, bp.Blueprint):
        return change(blueprint)
    held = change(blueprint.map(change))
    return _without_dangling(held) if "tree.buffer" in missing else held


def _without_dangling(blueprint: bp.Blueprint) -> bp.Blueprint:
    """The blueprint without further names for what it does not hold."""
    held = held_paths(blueprint)

    def change(member: Any) -> Any:
        return None if isinstance(member, bp.Shared) and member.path not in held else member

    return blueprint.map(change)


def _restricted_module(node: bp.Blueprint, missing: frozenset[str]) -> bp.Blueprint:
    if "tree.mode" in missing:
        node = node.replace(training=True)
    names = [name for name, member in node.members if not isinstance(member, bp.Attribute)]
    gap = node.kind in ("ModuleList", "ParameterList") and not numbered(names)  # where a None was left out
    if node.kind not in missing and not gap:
        return node
    # A module that holds the same and, where it can be called, runs the same children.
    return node.replace(kind="Module" if node.kind == "Chain" or "Chain" in missing else "Chain", arguments=())
