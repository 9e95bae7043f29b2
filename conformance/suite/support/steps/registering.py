"""Registering on a module, and taking away: steps of a life."""

from __future__ import annotations

from typing import Any

from conformance.language import blueprint as bp
from conformance.model import ModuleModel
from conformance.suite.support.life import LISTS, Life, forget, held, keep, positioned, reserved


def assign(life: Life, where: int, name: str, what: Any) -> None:
    """A new child, or a parameter, becomes an attribute."""
    module = life.pick(where)
    if not takes(module, name, isinstance(what, bp.Blueprint)) or not life.has_room(module):
        return
    life.assign(module, name, life.make(what))


def takes(module: ModuleModel, name: str, child: bool) -> bool:
    """Whether a child or a parameter of that name may be assigned: lists number their items, and names that other kinds of
    things have are refused in some cases."""
    if child:
        return module.kind not in LISTS and name not in module.parameters_ and not reserved(module, name)
    return not (module.kind in LISTS and name.isdigit()) and not reserved(module, name)


def register_buffer(life: Life, where: int, name: str, what: bp.Buffer) -> None:
    """A buffer is registered."""
    module = life.pick(where)
    if name in {**module.parameters_, **module.modules_} or (module.kind in LISTS and name.isdigit()):
        return  # a name of another kind is refused
    buffer = life.make(what)
    persistent = life.restricted(what).persistent
    life.implementation.register_buffer(life.real[module], name, life.real[buffer], persistent)
    module.buffers_[name] = buffer
    (module.transient.discard if persistent else module.transient.add)(name)


def delete(life: Life, which: int) -> None:
    """What has a name is deleted."""
    found = life.registered()
    if found:
        module, name = found[which % len(found)]
        delattr(life.real[module], name)
        forget(module, name)


def assign_none(life: Life, which: int) -> None:
    """None takes the place of what has a name."""
    found = life.registered()
    if found:
        module, name = found[which % len(found)]
        setattr(life.real[module], name, None)
        for registry in (module.parameters_, module.buffers_, module.modules_):
            if name in registry:
                registry[name] = None


def share_module(life: Life, where: int, which: int, name: str) -> None:
    """A module of the tree gets one more name, or one more place in a list."""
    module = life.pick(where)
    found = [each for each in life.root.modules() if module not in each.modules()]  # else it would hold itself
    if not found or not life.has_room(module, found[which % len(found)]):
        return
    other = found[which % len(found)]
    if module.kind in life.taking("append", LISTS) and positioned(module):
        life.real[module].append(life.real[other])
        keep(module, str(len(held(module))), other)
    elif name not in module.buffers_ and takes(module, name, True):
        life.assign(module, name, other)


def share_parameter(life: Life, where: int, which: int, name: str) -> None:
    """A parameter of the tree gets one more name."""
    module = life.pick(where)
    found = [each for each in life.root.tensors().values() if each.kind == "parameter"]
    if found and takes(module, name, False):
        life.assign(module, name, found[which % len(found)])
