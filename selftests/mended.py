"""What PyTorch departs from, done as it is documented: a property that PyTorch fails must pass on this."""

from __future__ import annotations

from typing import Any


def functional_call(
    module: Any, given: Any, args: Any = (), kwargs: Any = None, *, tie_weights: bool = True, strict: bool = False
) -> Any:
    """torch.func.functional_call, for names of parameters and buffers."""
    import torch

    dictionaries = given if isinstance(given, tuple) else (given,)
    tensors = {name: tensor for each in dictionaries for name, tensor in each.items()}
    if len(tensors) < sum(map(len, dictionaries)):
        raise ValueError("a name is in two of the dictionaries")
    slots = {}  # by name: where it is registered
    for path, part in module.named_modules(remove_duplicate=False):
        for registry in (part._parameters, part._buffers):
            slots |= {
                f"{path}.{name}".strip("."): (registry, name) for name, own in registry.items() if own is not None
            }
    owners: dict[int, list[str]] = {}
    for name, (registry, own) in slots.items():
        owners.setdefault(id(registry[own]), []).append(name)
    planned = {}
    for name, tensor in tensors.items():
        registry, own = slots[name]
        for other in owners[id(registry[own])] if tie_weights else [name]:
            if other in planned and not torch.equal(planned[other], tensor):
                raise ValueError("tied names are given different values")
            planned[other] = tensor
    if strict and planned.keys() != slots.keys():
        raise RuntimeError("names are missing")
    before = [(registry, dict(registry)) for registry, _ in slots.values()]
    try:
        for name, tensor in planned.items():
            registry, own = slots[name]
            registry[own] = tensor
        output = module(*(args if isinstance(args, tuple) else (args,)), **(kwargs or {}))
        for each in dictionaries:
            each.update({name: slots[name][0][slots[name][1]] for name in each})
        return output
    finally:
        for registry, held in before:
            registry.clear()
            registry.update(held)
