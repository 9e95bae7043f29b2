"""Hooks and calls: steps of a life."""

from __future__ import annotations

from typing import Any

from conformance import model
from conformance.language import blueprint as bp
from conformance.model import ModuleModel
from conformance.suite.support.life import Life, can_run


def hook(life: Life, where: int, kind: str, prepend: bool, adds: float | None) -> None:
    """A forward hook or forward pre-hook is registered, and its module called."""
    if life.lacks("hooks.handle", f"Module.register_{kind}_hook"):
        return
    first = prepend and not life.lacks(f"Module.register_{kind}_hook(prepend)")
    module = life.runs(where)
    if module is not None:
        made = bp.Hook(kind, life.fresh("hook"), first, adds=adds)
        life.real[made] = registered(life, made, life.real[module])
        module.hooks += (made,)
        run(life, module)


def registered(life: Life, made: bp.Hook, module: Any) -> Any:
    """The handle of a hook that records its call, and adds its number to what passes through."""

    def record(called: Any, *arguments: Any) -> Any:
        life.record(made.name)
        if made.adds is None:
            return None
        return (arguments[-1] if made.kind == "forward" else arguments[0][0]) + made.adds

    options = {"prepend": True} if made.prepend else {}
    return getattr(module, f"register_{made.kind}_hook")(record, **options)


def unhook(life: Life, which: int) -> None:
    """A hook is removed, and its module called."""
    if not hooked(life):
        hook(life, which, "forward", False, 1.0)
    found = hooked(life)
    if found:
        module, made = found[which % len(found)]
        life.real[made].remove()
        module.hooks = tuple(each for each in module.hooks if each != made)
        if can_run(module):
            run(life, module)


def hooked(life: Life) -> list[tuple[ModuleModel, bp.Hook]]:
    """Every hook of the tree."""
    return [(module, each) for module in life.root.modules() for each in module.hooks]


def remove_hooks(life: Life) -> None:
    """A copy is made of a module without hooks: what becomes of them is said by clauses of their own."""
    for module in life.root.modules():
        for made in module.hooks:
            life.real[made].remove()
        module.hooks = ()


def call(life: Life, where: int) -> None:
    """A module is called."""
    module = life.runs(where)
    if module is not None:
        run(life, module)


def run(life: Life, module: ModuleModel) -> None:
    """Which hooks fire, in which order, and what the call gives."""
    log: list[tuple[str, str]] = []
    rows = model.forward(module, [[1.0]], log)
    del life.fired[:]
    output = life.real[module](life.implementation.tensor([[1.0]], "float32", life.device))
    assert life.fired == [name for name, _ in log]
    assert life.implementation.read(output) == model.Reading((1, 1), "float32", tuple(rows[0]))
