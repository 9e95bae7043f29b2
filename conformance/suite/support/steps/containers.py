"""Edits of lists and dicts: steps of a life."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from conformance import model
from conformance.language import blueprint as bp
from conformance.model import ModuleModel
from conformance.suite.support.life import DICTS, LISTS, Life, free, held, keep
from conformance.suite.support.steps.registering import takes


def lists(life: Life, step: str, what: Any) -> list[str]:
    """The kinds of lists that take it in that step."""
    return life.taking(step, LISTS if isinstance(what, bp.Blueprint) else ("ParameterList",))


def append(life: Life, where: int, what: Any) -> None:
    """Something new at the end of a list."""
    container = life.container(where, lists(life, "append", what))
    if container is None or not life.has_room(container):
        return
    thing = life.make(what)
    life.real[container].append(life.real[thing])
    keep(container, str(len(held(container))), thing)


def extend(life: Life, where: int, what: list[Any]) -> None:
    """Several things at the end of a list."""
    container = life.container(where, lists(life, "extend", what[0]))
    if container is None or not life.has_room(container, *[model.ModuleModel("", "") for _ in what]):
        return
    things = [life.make(each) for each in what]
    more = [life.real[thing] for thing in things]
    life.real[container].extend(life.implementation.Sequential(*more) if container.kind == "Sequential" else more)
    renumber(container, [*held(container).values(), *things])


def insert(life: Life, where: int, index: int, what: Any) -> None:
    """A new module at an index of a list."""
    container = life.container(where, lists(life, "insert", what))
    if container is None or not life.has_room(container):
        return
    items = list(held(container).values())
    place, thing = index % (len(items) + 1), life.make(what)
    life.real[container].insert(place, life.real[thing])
    renumber(container, [*items[:place], thing, *items[place:]])


def set_item(life: Life, where: int, index: int, what: Any) -> None:
    """Something new in the place of an item."""
    container = life.filled(where, lists(life, "set_item", what))
    if container is None or not life.has_room(container):
        return
    place, thing = counted(index, container), life.make(what)
    life.real[container][place] = life.real[thing]
    keep(container, str(place % len(held(container))), thing)


def delete_item(life: Life, where: int, index: int) -> None:
    """An item is deleted."""
    container = life.filled(where, life.taking("delete_item", LISTS))
    if container is not None:
        place, items = counted(index, container), list(held(container).values())
        del life.real[container][place]
        del items[place]
        renumber(container, items)


def delete_slice(life: Life, where: int, triple: Any) -> None:
    """A slice is deleted."""
    container = life.filled(where, life.taking("delete_item", LISTS))
    if container is not None:
        items = list(held(container).values())
        del life.real[container][slice(*triple)]
        del items[slice(*triple)]
        renumber(container, items)


def pop_item(life: Life, where: int, index: int) -> None:
    """An item is popped."""
    container = life.filled(where, life.taking("pop_item", LISTS))
    if container is not None:
        place, items = counted(index, container), list(held(container).values())
        thing = life.real[items.pop(place)]
        assert life.real[container].pop(place) is thing
        renumber(container, items)


def take_slice(life: Life, where: int, triple: Any, name: str) -> None:
    """A slice of a list becomes a child of the root."""
    container = life.filled(where, life.taking("take_slice", LISTS))
    if container is None or name in life.root.buffers_ or not takes(life.root, name, True):
        return
    pairs = list(held(container).items())[slice(*triple)]
    if life.has_room(life.root, container):
        part = ModuleModel(life.fresh(container.kind), container.kind)
        part.modules_ = dict(pairs)
        if part.kind == "ModuleList":
            renumber(part, [module for _, module in pairs])
        life.real[part] = life.real[container][slice(*triple)]
        life.name(part)
        life.assign(life.root, name, part)


def counted(index: int, container: ModuleModel) -> int:
    """An index of what the container holds, from its start or from its end."""
    length = len(held(container))
    place = index % (2 * length)
    return place if place < length else place - 2 * length


def renumber(container: ModuleModel, things: list[Any]) -> None:
    """What a list holds now."""
    items = held(container)
    items.clear()
    items.update(model.renumber(things))


# --- dicts ---------------------------------------------------------------------------------------------------------


def dicts(life: Life, step: str, what: Any) -> list[str]:
    """The kinds of dicts that take it in that step."""
    return life.taking(step, DICTS[:1] if isinstance(what, bp.Blueprint) else DICTS[1:])


def set_key(life: Life, where: int, name: str, what: Any) -> None:
    """Something new under a key."""
    container = life.container(where, dicts(life, "set_key", what))
    if container is None or not free(container, name) or not life.has_room(container):
        return
    thing = life.make(what)
    life.real[container][name] = life.real[thing]
    keep(container, name, thing)


def update_keys(life: Life, where: int, what: dict[str, Any]) -> None:
    """Several things under their keys."""
    container = life.container(where, dicts(life, "update_keys", [*what.values()][0]))
    if container is None or not all(free(container, name) for name in what):
        return
    if life.has_room(container, *[model.ModuleModel("", "") for _ in what]):
        things = {name: life.make(each) for name, each in what.items()}
        life.real[container].update(OrderedDict([(name, life.real[thing]) for name, thing in things.items()]))
        items = held(container)
        items.update(things)


def delete_key(life: Life, where: int, which: int) -> None:
    """A key is deleted."""
    container = life.filled(where, life.taking("delete_key", DICTS))
    if container is not None:
        items = held(container)
        name = list(items)[which % len(items)]
        del life.real[container][name]
        del items[name]


def pop_key(life: Life, where: int, which: int) -> None:
    """A key is popped."""
    container = life.filled(where, life.taking("pop_key", DICTS))
    if container is not None:
        items = held(container)
        name = list(items)[which % len(items)]
        thing = life.real[items.pop(name)]
        assert life.real[container].pop(name) is thing


def clear_keys(life: Life, where: int) -> None:
    """Every key is removed."""
    container = life.filled(where, life.taking("clear_keys", DICTS))
    if container is not None:
        items = held(container)
        life.real[container].clear()
        items.clear()
