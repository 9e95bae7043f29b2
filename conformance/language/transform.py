"""Blueprints made from blueprints: the same tree with other values, further members, or another place."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from conformance.language import blueprint as bp
from conformance.language.depth import unbounded

FLOATING = ("float32", "float64", "float16", "bfloat16")


def extended(blueprint: bp.Blueprint, **members: bp.Member) -> bp.Blueprint:
    """The blueprint with further members at its end; their names must be ones that no strategy draws."""
    for name in members.keys() & dict(blueprint.members).keys():
        raise bp.NameTaken(f"the module has a member {name!r} of its own, where this clause would add one")
    return blueprint.replace(members=(*blueprint.members, *members.items()))


def refilled(blueprint: bp.Blueprint, dtype: str | None = None, transient: bool = True) -> bp.Blueprint:
    """The same tree with other values in every tensor; with ``dtype``, floating-point tensors get that dtype; without
    ``transient``, buffers that are not persistent keep their values."""

    def change(member: Any) -> Any:
        if isinstance(member, bp.Attribute) or not isinstance(member, bp.Tensor):
            return member
        if isinstance(member, bp.Buffer) and not (member.persistent or transient):
            return member
        fields = {name: getattr(member, name) for name in ("requires_grad", "persistent") if hasattr(member, name)}
        if member.dtype not in bp.DTYPES:  # of a module that somebody else made: every dtype holds these two
            return replace(member, held=tuple(0 if value == 1 else 1 for value in member.flat))
        kept = dtype if dtype and member.dtype in FLOATING else member.dtype
        return type(member)(member.shape, kept, member.fill + 1, **fields)

    return blueprint.map(change)


def moved(blueprint: bp.Blueprint, name: str) -> bp.Blueprint:
    """The tree as it is written below a child of that name: what it shares is found below the name."""

    def change(member: Any) -> Any:
        return bp.Shared(f"{name}.{member.path}", member.persistent) if isinstance(member, bp.Shared) else member

    return blueprint.map(change)


def plain(blueprint: bp.Blueprint) -> bp.Blueprint:
    """The same tree with every layer replaced by a Module of the same members."""

    def change(member: Any) -> Any:
        return bp.Module(dict(member.members)) if getattr(member, "kind", "") in bp.LAYERS else member

    return blueprint.map(change)


def without_empty(blueprint: bp.Blueprint) -> bp.Blueprint:
    """The same tree in which every parameter and buffer has elements: of each extent 0 there is 1 now."""
    return blueprint.map(with_elements)


def with_elements(member: Any) -> Any:
    """The member with 1 in the place of each extent 0, if it is a tensor."""
    if not isinstance(member, bp.Tensor) or 0 not in member.shape:
        return member
    shape = tuple(extent or 1 for extent in member.shape)
    return replace(member, shape=shape, held=None if member.held is None else (0,) * math.prod(shape))


def respelled(blueprint: bp.Blueprint, names: Mapping[str, str]) -> bp.Blueprint:
    """The same tree with other names for the child modules that have one of these; what is shared is found under the new
    names."""
    modules = dict(blueprint.walk())

    def spell(path: str) -> str:
        parts = path.split(".")
        paths = [".".join(parts[: i + 1]) for i in range(len(parts))]
        return ".".join(names.get(part, part) if here in modules else part for part, here in zip(parts, paths))

    @unbounded
    def change(node: bp.Blueprint) -> Any:
        members: list[tuple[str, bp.Member]] = []
        for name, member in node.members:
            if isinstance(member, bp.Blueprint):
                members.append((names.get(name, name), (yield change.recur(member))))
            elif isinstance(member, bp.Shared):
                again = bp.Shared(spell(member.path), member.persistent)
                members.append((names.get(name, name) if member.path in modules else name, again))
            else:
                members.append((name, member))
        return node.replace(members=tuple(members))

    return change(blueprint)


def chained(blueprint: bp.Blueprint, refuses: Callable[[str, list[str]], bool]) -> bp.Blueprint:
    """The same tree with a Chain, which holds and runs the same, in place of every container that cannot be had.

    Args:
        blueprint: the tree.
        refuses: whether a container of that kind cannot hold children of those kinds; "module" is a name kept for one.
    """
    modules = dict(blueprint.walk())

    def change(member: Any) -> Any:
        if not isinstance(member, bp.Blueprint) or member.kind not in bp.CONTAINERS:
            return member
        held = [modules.get(each.path) if isinstance(each, bp.Shared) else each for _, each in member.members]
        kinds = [each.kind for each in held if isinstance(each, bp.Blueprint) or each == bp.Empty("module")]
        return member.replace(kind="Chain") if refuses(member.kind, kinds) else member

    return change(blueprint.map(change))


def held_paths(blueprint: bp.Blueprint) -> set[str]:
    """Where the blueprint registers something."""
    return {f"{path}.{name}" if path else name for path, node in blueprint.walk() for name, _ in node.members}
