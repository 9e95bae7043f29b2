"""What PyTorch departs from, done as it is documented: a property that PyTorch fails must pass on this."""

from __future__ import annotations

from typing import Any


def call(
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


def functional_call(patch: Any) -> None:
    """torch.func.functional_call."""
    import torch

    patch.setattr(torch.func, "functional_call", call)


def parametrize(patch: Any) -> None:
    """torch.nn.utils.parametrize, for what is asked of it."""
    import torch
    from torch.nn.utils import parametrize as module_

    register, remove, inject = (
        module_.register_parametrization,
        module_.remove_parametrizations,
        module_._inject_new_class,
    )

    def _inject_new_class(module):
        inject(module)
        made = type(module)
        deepcopy = made.__deepcopy__

        def a_class_of_its_own(self, memo):
            replica = deepcopy(self, memo)
            replica.__class__ = type(type(self).__name__, type(self).__bases__, dict(vars(type(self))))
            return replica

        made.__deepcopy__ = a_class_of_its_own

    def _inject_property(module, name):
        def get(self):
            key = id(self), name
            if not module_._cache_enabled:
                return self.parametrizations[name]()
            if key not in module_._cache:
                module_._cache[key] = self.parametrizations[name]()
            return module_._cache[key]

        setattr(type(module), name, property(get, lambda self, value: self.parametrizations[name].right_inverse(value)))

    def register_parametrization(module, name, parametrization, **options):
        own = getattr(module, name, None)
        before = own.detach().clone() if isinstance(own, torch.Tensor) else None
        volatile = name in module._non_persistent_buffers_set
        frozen = name in module._parameters and not own.requires_grad
        try:
            register(module, name, parametrization, **options)
        except Exception:
            if before is not None:
                own.data = before
            raise
        module.__dict__.setdefault("_volatile", set()).update([name] if volatile else [])
        module.__dict__.setdefault("_frozen", set()).update([name] if frozen else [])
        return module

    def remove_parametrizations(module, name, leave_parametrized=True):
        remove(module, name, leave_parametrized)
        if name in module._volatile:
            module._non_persistent_buffers_set.add(name)
        if name in module._frozen and name not in module._parameters:
            tensor = getattr(module, name)
            delattr(module, name)
            module.register_parameter(name, torch.nn.Parameter(tensor.detach(), requires_grad=False))
        return module

    for mended in (_inject_new_class, _inject_property, register_parametrization, remove_parametrizations):
        patch.setattr(module_, mended.__name__, mended)


#: How PyTorch is mended, by the area of the contract.
MENDED = {"functional_call": functional_call, "parametrize": parametrize}
