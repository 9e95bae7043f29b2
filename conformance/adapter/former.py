"""Adapters that were written before 0.3: what they could say then, and what takes its place. It goes in 0.5.

The interface of an adapter had forty members then, of which most were the suite's own. An adapter that has one of those
counts as it did, and a call of one on the adapter itself, ``super()`` included, is answered by its lens.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import Any

#: What belonged to the adapter's interface then, and what an author says now.
FORMER = {
    "lacks": "list what is lacking in `lacking`, and what introspection does not see in `hidden`",
    "restrict": "give adapted(blueprint), which gets what is left of a tree",
    "narrowed": 'list "drawn.empty" in `lacking`',
    "presented": "make a conformance.adapter.Wrapper",
    "finish": "make a conformance.adapter.Wrapper with child = None",
    "module_for": "name the class in `in_trees`",
    "build": "name the class that trees hold in `in_trees`",
    "declines": "nothing: the suite finds it out",
    "absent": "nothing: the suite finds it out",
    "draws": "nothing: a lens of the suite's has it",
    "held_to_observed": "set `inherits`, where it builds on who claims a version",
    "representation": "give class_names and extra_repr",
    "registered": "nothing: the suite finds it out",
    "readings": "give read",
    "make": "give tensor",
    "example": "give tensor",
    "makes_buffers": 'list "tree.buffer" in `hidden`',
    "parameter": "give a class or function Parameter",
    "register_buffer": "give place(module, name, value, kind)",
    "is_parameter": "give a class Parameter",
    "grad": "give tensors that have grad",
    "backward": "give tensors that have sum() and backward()",
    "move": "give tensors and modules that have to()",
}

#: What ``place`` does now, by the method that did it.
PLACED = {
    "set_attribute": ("attribute",),
    "place_member": ("member",),
    "place_buffer": ("buffer", "transient"),
}
FORMER |= dict.fromkeys(PLACED, "give place(module, name, value, kind)")


def overridden(adapter: Any) -> set[str]:
    """The names of these that the adapter's own classes have."""
    ours = "conformance.adapter."
    own = [kind for kind in type(adapter).__mro__ if not f"{kind.__module__}.".startswith(ours) and kind is not object]
    return {name for name in FORMER if any(name in vars(kind) for kind in own)}


def former(lens: Any, adapter: Any) -> dict[str, Any]:
    """The attributes by which a lens lets such an adapter have its say."""
    names = overridden(adapter)
    said = {name: getattr(adapter, name) for name in names - PLACED.keys() - {"narrowed"}}
    if "narrowed" in names:
        said["narrowed"] = lambda clause, name, value: adapter.narrowed(clause.id, name, value)
    if PLACED.keys() & names:

        def place(module: Any, name: str, value: Any, kind: str) -> None:
            method = next(method for method, kinds in PLACED.items() if kind in kinds)
            if method not in names:
                adapter.place(module, name, value, kind)
            elif method == "place_buffer":
                adapter.place_buffer(module, name, value, kind == "buffer")
            else:
                getattr(adapter, method)(module, name, value)

        said["place"] = place
    if "place_buffer" in names:
        said["hidden"] = adapter.hidden | {"tree.buffer", "tree.empty_buffer", "tree.transient"}
    its_own = vars(type(lens)) if type(lens).__bases__ != (object,) else {}
    return {name: each for name, each in said.items() if name not in its_own}


def lens_of(adapter: Any) -> Any:
    """The lens of an adapter, the same each time."""
    known = vars(adapter)
    if "_lens" not in known:
        known["_lens"] = type(adapter).lens(adapter)
    return known["_lens"]


class Former:
    """Under every adapter: the names that it had before 0.3."""

    #: The class of the lens through which the suite sees such an adapter.
    lens: Any

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in vars(cls).keys() & FORMER.keys():
            warnings.warn(
                f"{cls.__name__}.{name} is the suite's now: {FORMER[name]}. It counts as before until 0.5",
                DeprecationWarning,
                stacklevel=2,
            )

    @property
    def held_to_observed(self) -> bool:
        """Deprecated."""
        return bool(lens_of(self).held_to_observed)

    @property
    def draws(self) -> Any:
        """Deprecated."""
        return lens_of(self).draws

    @property
    def makes_buffers(self) -> bool:
        """Deprecated."""
        return "place_buffer" in overridden(self)

    def module_for(self, node: Any, children: dict[str, Any]) -> Any:
        """Deprecated."""
        make, named = getattr(self, node.kind), list(children) != [str(i) for i in range(len(children))]
        if node.arguments or node.kind == "ModuleList":
            return make(*node.arguments) if node.arguments else make(list(children.values()))
        if node.kind == "Sequential":
            return make(OrderedDict(children)) if named else make(*children.values())
        return make()

    def finish(self, module: Any) -> Any:
        """Deprecated."""
        return None

    def set_attribute(self, module: Any, name: str, value: Any) -> None:
        """Deprecated."""
        setattr(module, name, value)

    place_member = set_attribute

    def place_buffer(self, module: Any, name: str, tensor: Any, persistent: bool) -> None:
        """Deprecated."""
        self.register_buffer(module, name, tensor, persistent)  # type: ignore[attr-defined]


def _forwarding(name: str) -> Any:
    def forward(self: Any, *arguments: Any, **named: Any) -> Any:
        lens = lens_of(self)
        return getattr(type(lens), name)(lens, *arguments, **named)

    forward.__name__, forward.__doc__ = name, f"Deprecated: {FORMER[name]}."
    return forward


for _name in FORMER.keys() - vars(Former).keys():
    setattr(Former, _name, _forwarding(_name))
