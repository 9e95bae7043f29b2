"""``Chain``: the one user-defined module class that blueprints use.

It is what a person would write: a subclass of Module that keeps the names of its steps in a plain list and runs them in
its forward. A list or dict of modules has no forward, so its items run one after another.
"""

from __future__ import annotations

from typing import Any


def define(Module: type, ModuleList: type | None, ModuleDict: type | None, module_name: str) -> type:
    """The class, made for a framework's own Module and importable from ``module_name`` (so that it pickles)."""

    class Chain(Module):  # type: ignore[misc, valid-type]
        """Runs its children in registration order."""

        steps: tuple[str, ...] = ()

        def forward(self, x: Any) -> Any:
            for name in self.steps:
                x = run(getattr(self, name), x)
            return x

    def run(module: Any, x: Any) -> Any:
        if ModuleList is not None and isinstance(module, ModuleList):
            children = [module[i] for i in range(len(module))]
        elif ModuleDict is not None and isinstance(module, ModuleDict):
            children = [module[key] for key in module.keys()]
        else:
            return module(x)
        for child in children:
            if child is not None:
                x = run(child, x)
        return x

    Chain.__module__ = module_name
    Chain.__qualname__ = "Chain"
    return Chain


def source(Module: str, ModuleList: str = "", ModuleDict: str = "") -> str:
    """The class as a script writes it, on the classes of these names."""
    lists = f"isinstance(module, {ModuleList})" if ModuleList else "False"
    dicts = f"isinstance(module, {ModuleDict})" if ModuleDict else "False"
    return f"""
class Chain({Module}):
    steps = ()

    def forward(self, x):
        for name in self.steps:
            x = run(getattr(self, name), x)
        return x

def run(module, x):
    if {lists}:
        children = [module[i] for i in range(len(module))]
    elif {dicts}:
        children = [module[key] for key in module.keys()]
    else:
        return module(x)
    for child in children:
        x = x if child is None else run(child, x)
    return x
"""
