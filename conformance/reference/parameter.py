"""Tensors that a module registers by itself when they are assigned to it."""

from __future__ import annotations

from typing import Any

from conformance.reference.tensor import Tensor


class _ParameterType(type):
    """Counts a tensor of a custom class as a Parameter if ``Parameter(tensor)`` has marked it as one."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return super().__instancecheck__(instance) or (
            cls is Parameter and isinstance(instance, Tensor) and getattr(instance, "_is_param", False)
        )


class Parameter(Tensor, metaclass=_ParameterType):
    """A tensor that is a module's parameter; it shares its storage with the data it is made from."""

    __slots__ = ()

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Any:
        """A parameter over the storage of ``data``; an empty one without."""
        data = Tensor() if data is None else data
        if isinstance(data, Parameter) or type(data) in (Tensor, Buffer):
            made = cls._over(data._storage, data._offset, data._shape)
        else:  # a custom class of tensors keeps its type
            made = data.detach()
            made._is_param = True
        made.requires_grad = requires_grad
        return made

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True):
        """Nothing is left to do: ``__new__`` has made it."""

    @property
    def _result_class(self) -> type[Tensor]:
        return Tensor

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Buffer(Tensor):
    """A tensor that is a module's buffer, part of its state_dict unless ``persistent`` is False."""

    __slots__ = ()

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Any:
        """A buffer over the storage of ``data``; an empty one without."""
        data = Tensor() if data is None else data
        made = cls._over(data._storage, data._offset, data._shape)
        made.requires_grad = data.requires_grad
        made.persistent = persistent
        return made

    def __init__(self, data: Tensor | None = None, *, persistent: bool = True):
        """Nothing is left to do: ``__new__`` has made it."""

    @property
    def _result_class(self) -> type[Tensor]:
        return Tensor
