"""Registering things on a module, and looking at what is registered there: helpers of the suite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.model import Named

if TYPE_CHECKING:
    from conformance.adapter.port import Implementation
    from conformance.build.execute import Subject

KINDS = ("parameter", "buffer", "module")


def register(implementation: Implementation, module: Any, kind: str, name: Any, thing: Any) -> None:
    """Register with the function for that kind: register_parameter, register_buffer or add_module."""
    if kind == "buffer":
        implementation.register_buffer(module, name, thing, True)
    elif kind == "parameter":
        module.register_parameter(name, thing)
    else:
        module.add_module(name, thing)


def put(implementation: Implementation, module: Any, kind: str, name: str, thing: Any) -> None:
    """Make it an attribute of the module that is registered as that kind, by assignment where that is enough."""
    if kind == "buffer" and not hasattr(module, name):
        implementation.register_buffer(module, name, thing, True)
    else:
        setattr(module, name, thing)


def registered(subject: Subject, module: Any) -> dict[str, Named]:
    """What is registered on this very module, by kind: pairs of a name and the path in the subject of what it names."""
    # Children first: a base class may make a child of its own when it is asked for parameters.
    return {
        "module": subject.named(module.named_children()),
        "parameter": subject.named(module.named_parameters(recurse=False)),
        "buffer": subject.named(module.named_buffers(recurse=False)),
    }


def only(**held: Named) -> dict[str, Named]:
    """What ``registered`` gives if this is all that is registered."""
    return {"parameter": [], "buffer": [], "module": []} | held
