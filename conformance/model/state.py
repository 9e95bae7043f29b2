"""The part of the oracle behind state_dict and load_state_dict: what a tree holds before and after loading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from conformance.language import blueprint as bp
from conformance.model import ModuleModel, Reading, TensorModel, join, reading

Item = TypeVar("Item")
Readings = dict[str, Reading]


def chosen(items: Iterable[Item], picks: Iterable[int]) -> list[Item]:
    """The items at these positions, modulo their number, each once and in their own order."""
    found: Sequence[Item] = list(items)
    places = {pick % len(found) for pick in picks}
    return [item for place, item in enumerate(found) if place in places]


def readings(state: Mapping[str, TensorModel]) -> Readings:
    """What each entry holds, as ``Implementation.read`` tells it."""
    return {key: reading(tensor) for key, tensor in state.items()}


def state_readings(model: ModuleModel) -> Readings:
    """What the state_dict holds under each key, in order."""
    return readings(model.state())


def loaded(target: ModuleModel, state: Mapping[str, TensorModel]) -> Readings:
    """What every parameter and buffer of the target, by path, holds once entries of equal name are copied into it."""
    after = readings(target.tensors())
    for key, path in target.state_dict():
        if key in state:
            shape, dtype, _ = after[path]
            after[path] = Reading(shape, dtype, tuple(bp.convert(value, dtype) for value in state[key].flat))
    return after


def prefixes(model: ModuleModel, prefix: str = "") -> list[tuple[str, str]]:
    """(path, key prefix) of every module, a shared one once per name; the root's key prefix is the given one."""
    return [(module.path, prefix + name + "." if name else prefix) for name, module in model.walk()]


def strangers(model: ModuleModel, names: Iterable[tuple[int, str]]) -> list[str]:
    """Keys that the state has not: each name below one of the modules, chosen by number."""
    paths = [name for name, _ in model.walk()]
    return list(dict.fromkeys(join(paths[place % len(paths)], name) for place, name in names))
