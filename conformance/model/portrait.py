"""The portrait of a tree: all that can be seen of it, as plain data, and what the model says that it is.

Under the path of each object stands what it is. A module: what it registers, in order, as (name, kind, path of the object
or None), so that two names of one object show the same path, and the kind "transient" is that of a buffer that is not
persistent; its mode; its plain attributes. A tensor: its kind, its :class:`Reading`, whether it requires gradients. What is
unusual of a tensor stands there only where it is so: a gradient, a place in a graph, strides, attributes, another device,
the tensors with which it shares memory. Nothing of that kind is expected of a tree that was just built.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from conformance.model import ModuleModel, reading

Portrait = dict[str, dict[str, Any]]

#: Modules of which every public attribute is known: no class of a framework's gives them some of its own.
OPEN = ("Module", "Chain")


def of(root: ModuleModel, left_out: Collection[str] = ()) -> Portrait:
    """The portrait of a tree that was just built, without the facets that an implementation cannot say."""
    found: Portrait = {}
    for module in root.modules():
        found[module.path] = {"members": members(module)}
        if "training" not in left_out:
            found[module.path]["training"] = module.training
        if "attributes" not in left_out and (held := attributes(module)):
            found[module.path]["attributes"] = held
    for path, tensor in root.tensors().items():
        found[path] = {"kind": tensor.kind, "holds": reading(tensor)}
        if "requires_grad" not in left_out:
            found[path]["requires_grad"] = tensor.requires_grad
    return found


def members(module: ModuleModel) -> list[tuple[str, str, str | None]]:
    """What the module registers: parameters, then buffers, then modules, each in order."""
    held: list[tuple[str, str, Any]] = [(name, "parameter", each) for name, each in module.parameters_.items()]
    for name, each in module.buffers_.items():
        held.append((name, "transient" if name in module.transient else "buffer", each))
    held += [(name, "module", each) for name, each in module.modules_.items()]
    return [(name, kind, None if each is None else each.path) for name, kind, each in held]


def attributes(module: ModuleModel) -> dict[str, Any]:
    """The plain attributes of the module, tensors as readings."""
    held = {name: _plain(value) for name, value in module.attributes.items()}
    return {**held, "steps": [name for name, _ in module.children_]} if module.kind == "Chain" else held


def watched(root: ModuleModel) -> dict[str, tuple[str, ...]]:
    """The names of the attributes that are looked at, by the path of the module; of a module that is not here, all public
    ones."""
    held = {module.path: (module.kind, tuple(attributes(module))) for module in root.modules()}
    return {path: names for path, (kind, names) in held.items() if kind not in OPEN or any(n[0] == "_" for n in names)}


def _plain(value: Any) -> Any:
    return reading(value) if hasattr(value, "flat") else value
