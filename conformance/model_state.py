"""The part of the oracle behind state_dict and load_state_dict: what a tree holds before and after loading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from conformance import blueprint as bp
from conformance.model import ModuleModel, TensorModel, join

Item = TypeVar("Item")
Readings = dict[str, tuple[tuple[int, ...], str, tuple[Any, ...]]]

FLOATING = ("float32", "float64", "float16", "bfloat16")


def extended(blueprint: bp.Blueprint, **members: bp.Member) -> bp.Blueprint:
    """The blueprint with further members at its end; their names must be ones that no strategy draws."""
    return blueprint.replace(members=(*blueprint.members, *members.items()))


def refilled(blueprint: bp.Blueprint, dtype: str | None = None) -> bp.Blueprint:
    """The same tree with other values in every tensor; with ``dtype``, floating-point tensors get that dtype."""

    def change(member: Any) -> Any:
        if isinstance(member, bp.Attribute) or not isinstance(member, bp.Tensor):
            return member
        fields = {name: getattr(member, name) for name in ("requires_grad", "persistent") if hasattr(member, name)}
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


def chosen(items: Iterable[Item], picks: Iterable[int]) -> list[Item]:
    """The items at these positions, modulo their number, each once and in their own order."""
    found: Sequence[Item] = list(items)
    places = {pick % len(found) for pick in picks}
    return [item for place, item in enumerate(found) if place in places]


def readings(state: Mapping[str, TensorModel]) -> Readings:
    """What each entry holds, as ``Implementation.read`` tells it."""
    return {key: (tensor.shape, tensor.dtype, tensor.flat) for key, tensor in state.items()}


def loaded(target: ModuleModel, state: Mapping[str, TensorModel]) -> Readings:
    """What every parameter and buffer of the target, by path, holds once entries of equal name are copied into it."""
    after = readings(target.tensors())
    for key, path in target.state_dict():
        if key in state:
            shape, dtype, _ = after[path]
            after[path] = (shape, dtype, tuple(bp.convert(value, dtype) for value in state[key].flat))
    return after


def prefixes(model: ModuleModel, prefix: str = "") -> list[tuple[str, str]]:
    """(path, key prefix) of every module, a shared one once per name; the root's key prefix is the given one."""
    return [(module.path, prefix + name + "." if name else prefix) for name, module in model.walk()]


def strangers(model: ModuleModel, names: Iterable[tuple[int, str]]) -> list[str]:
    """Keys that the state has not: each name below one of the modules, chosen by number."""
    paths = [name for name, _ in model.walk()]
    return list(dict.fromkeys(join(paths[place % len(paths)], name) for place, name in names))
