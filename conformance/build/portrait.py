"""The portrait of a tree that stands, read from the registries of its modules and through no method that is checked.

See :mod:`conformance.model.portrait` for what it holds. A script of a failure has :func:`portrait_of` written out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from conformance.model.portrait import watched

if TYPE_CHECKING:
    from conformance.adapter.lens import Lens

#: What an implementation must have for a facet to be looked at.
NEEDED = {
    "training": "tree.mode",
    "attributes": "portrait.attributes",
    "requires_grad": "autograd",
    "unusual": "portrait.tensors",
}


def left_out(implementation: Lens) -> frozenset[str]:
    """The facets that the implementation cannot say, which are left out on both sides."""
    return frozenset(facet for facet, needed in NEEDED.items() if implementation.lacks(needed) is not None)


def scope(subject: Any) -> dict[str, Any]:
    """What is looked at in a tree: the last arguments of :func:`portrait_of`."""
    implementation = subject.implementation
    return {
        "only": watched(subject.model),
        "usual": implementation.usual_attributes,
        "device": subject.device,
        "left_out": left_out(implementation),
    }


def portrait_of(
    implementation: Lens,
    root: Any,
    path_of: Callable[[Any], str],
    only: dict[str, tuple[str, ...]],
    usual: Collection[str],
    device: str,
    left_out: Collection[str],
) -> dict[str, dict[str, Any]]:
    """The portrait.

    Args:
        path_of: the path under which an object was first registered, or a sentence.
        only: names of the attributes that are looked at, by path; of modules that are not there, all public ones.
        usual: names of public attributes that every module has.
        device: where the tensors were made.
        left_out: facets that are not looked at.
    """
    found: dict[str, dict[str, Any]] = {}
    tensors: dict[str, tuple[str, Any]] = {}
    read, registered, unusual = implementation.read, implementation.registered, implementation.unusual
    requires_grad, device_of, same_storage = (
        implementation.requires_grad,
        implementation.device,
        implementation.same_storage,
    )
    waiting = [root]
    while waiting:
        module = waiting.pop()
        path = path_of(module)
        if path in found:
            continue
        found[path] = {"members": []}
        for name, kind, thing in registered(module):
            found[path]["members"].append((name, kind, None if thing is None else path_of(thing)))
            if kind == "module" and thing is not None:
                waiting.append(thing)
            elif thing is not None:
                tensors[path_of(thing)] = ("parameter" if kind == "parameter" else "buffer", thing)
        if "training" not in left_out:
            found[path]["training"] = module.training
        if "attributes" not in left_out:
            names = only.get(path)
            held = {
                name: read(value) if implementation.is_tensor(value) else value
                for name, value in vars(module).items()
                if name not in usual and (name[:1] != "_" if names is None else name in names)
            }
            if held:
                found[path]["attributes"] = held
    for path, (kind, tensor) in tensors.items():
        found[path] = {"kind": kind, "holds": read(tensor)}
        if "requires_grad" not in left_out:
            found[path]["requires_grad"] = requires_grad(tensor)
        if "unusual" not in left_out:
            found[path].update(unusual(tensor))
            if device_of(tensor) != device:
                found[path]["device"] = device_of(tensor)
    if "unusual" not in left_out:
        # What has no elements has no memory.
        filled = [(path, tensor) for path, (_, tensor) in tensors.items() if 0 not in tensor.shape]
        for i, (path, tensor) in enumerate(filled):
            shared = [other for other, each in filled[:i] if same_storage(tensor, each)]
            if shared:
                found[path]["shares memory with"] = shared
    return found
