"""The model of what a file holds: Python objects with tensors in them, and which names are one object."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any

from conformance import blueprint as bp
from conformance.model import ModuleModel


def mapped(value: Any, leaf: Callable[[Any], Any]) -> Any:
    """The object with everything in it that is no dict, list or tuple replaced by ``leaf(it)``."""
    if isinstance(value, dict):
        return {key: mapped(item, leaf) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(mapped(item, leaf) for item in value)
    return leaf(value)


Reading = tuple[tuple[int, ...], str, tuple[Any, ...]]


def reading(tensor: Any) -> Reading:
    """Shape, dtype and elements of the tensor that a model or blueprint describes: what an adapter reads from it."""
    return tensor.shape, tensor.dtype, tensor.flat


def state_readings(model: ModuleModel) -> dict[str, Reading]:
    """What the state_dict holds under each key, in order."""
    return {key: reading(tensor) for key, tensor in model.state().items()}


def refilled(blueprint: bp.Blueprint) -> bp.Blueprint:
    """The same tree with other values in its parameters and buffers: what a state is loaded into."""

    def change(member: Any) -> Any:
        if isinstance(member, bp.Parameter):
            return bp.Parameter(member.shape, member.dtype, member.fill + 3, member.requires_grad)
        if isinstance(member, bp.Buffer):
            return bp.Buffer(member.shape, member.dtype, member.fill + 3, member.persistent)
        return member

    return blueprint.map(change)


def without_empty(blueprint: bp.Blueprint) -> bp.Blueprint:
    """The same tree in which every parameter and buffer has elements: of each extent 0 there is 1 now."""

    def change(member: Any) -> Any:
        if isinstance(member, bp.Parameter):
            return bp.Parameter(full(member.shape), member.dtype, member.fill, member.requires_grad)
        if isinstance(member, bp.Buffer):
            return bp.Buffer(full(member.shape), member.dtype, member.fill, member.persistent)
        return member

    def full(shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(extent or 1 for extent in shape)

    return blueprint.map(change)


def extended(blueprint: bp.Blueprint, **members: Any) -> bp.Blueprint:
    """The tree with further members at its end; their names must not be among those that strategies draw."""
    return blueprint.replace(members=(*blueprint.members, *members.items()))


def ties(pairs: Iterable[tuple[str, Hashable]]) -> dict[str, str]:
    """From pairs (name, identity of the object): for each name, the first name of the same object."""
    first: dict[Hashable, str] = {}
    return {name: first.setdefault(identity, name) for name, identity in pairs}
