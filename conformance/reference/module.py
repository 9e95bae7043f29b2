"""Module: the base class of everything that holds parameters."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from conformance.reference import storage
from conformance.reference.autograd import no_grad
from conformance.reference.calling import Calling
from conformance.reference.hooks import HookList
from conformance.reference.parameter import Buffer
from conformance.reference.registry import Registry
from conformance.reference.state import Stateful
from conformance.reference.storage import DType
from conformance.reference.tensor import Tensor, parse_to

_HOOKS = (
    "_forward_pre_hooks",
    "_forward_hooks",
    "_backward_pre_hooks",
    "_backward_hooks",
    "_state_dict_pre_hooks",
    "_state_dict_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)

Convert = Callable[[Tensor], Tensor]


class Module(Registry, Calling, Stateful):
    """A node of a tree of modules: parameters, buffers and child modules, each under a name, and a forward.

    Registration and traversal are in :class:`Registry`, calls and hooks in :class:`Calling`, state_dict and
    load_state_dict in :class:`Stateful`; here are the modes, conversions, copies and the text.
    """

    #: Whether ``__init__`` passes its arguments on to the next class of the method resolution order.
    call_super_init = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init:
            self._refuse_arguments(args, kwargs)
        vars(self).update(self._initial_state())
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def _refuse_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        name = f"{type(self).__name__}.__init__()"
        if kwargs:
            raise TypeError(f"{name} got an unexpected keyword argument '{next(iter(kwargs))}'")
        if args:
            raise TypeError(f"{name} takes 1 positional argument but {len(args) + 1} were given")

    @staticmethod
    def _initial_state() -> dict[str, Any]:
        """The attributes of a module that has nothing yet."""
        registries = {"_parameters": {}, "_buffers": {}, "_non_persistent_buffers_set": set(), "_modules": {}}
        return {"training": True, **registries, "_hiding": set(), **{name: HookList() for name in _HOOKS}}

    # --- the whole tree -------------------------------------------------------------------------------------------

    def apply(self, fn: Callable[[Any], Any]) -> Any:
        """Call ``fn`` with every module below, then with this one."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Any:
        """Set the training mode of the tree."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Any:
        """Set the evaluation mode of the tree."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Say whether autograd follows the parameters of the tree."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with zeros."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad.detach_().zero_()

    # --- conversions ----------------------------------------------------------------------------------------------

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Move all parameters and buffers to a device; cast floating-point and complex ones to a dtype."""
        if kwargs.get("copy"):
            raise RuntimeError(".to() does not accept copy argument")
        device, dtype = parse_to(*args, **kwargs)
        self._check_dtype(dtype)

        def convert(tensor: Tensor) -> Tensor:
            return tensor.to(device, dtype if tensor.dtype.is_differentiable else None)

        try:
            return self._apply(convert)
        except NotImplementedError as error:
            raise NotImplementedError(
                f"{error} Please use torch.nn.Module.to_empty() instead of torch.nn.Module.to() when moving module "
                "from meta to a different device."
            ) from None

    def _check_dtype(self, dtype: DType | None) -> None:
        if dtype is None:
            return
        if not dtype.is_differentiable:
            raise TypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}"
            )
        if dtype.is_complex:
            warnings.warn(
                "Complex modules are a new feature under active development whose design may change, and some modules "
                "might not work as expected when using complex tensors as parameters or buffers.",
                stacklevel=3,
            )

    def float(self) -> Any:
        """Cast all floating-point parameters and buffers to float32."""
        return self._cast_floating(storage.float32)

    def double(self) -> Any:
        """Cast all floating-point parameters and buffers to float64."""
        return self._cast_floating(storage.float64)

    def half(self) -> Any:
        """Cast all floating-point parameters and buffers to float16."""
        return self._cast_floating(storage.float16)

    def bfloat16(self) -> Any:
        """Cast all floating-point parameters and buffers to bfloat16."""
        return self._cast_floating(storage.bfloat16)

    def _cast_floating(self, dtype: DType) -> Any:
        return self._apply(lambda tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor)

    def type(self, dst_type: DType | str) -> Any:
        """Cast all parameters and buffers, of whatever dtype, to that one."""
        dtype = storage.dtype(dst_type)
        return self._apply(lambda tensor: tensor.to(dtype))

    def cpu(self) -> Any:
        """Move all parameters and buffers to the CPU."""
        return self._apply(lambda tensor: tensor.cpu())

    def cuda(self, device: Any = None) -> Any:
        """Move all parameters and buffers to the simulated accelerator."""
        return self._apply(lambda tensor: tensor.cuda(device))

    def to_empty(self, *, device: Any, recurse: bool = True) -> Any:
        """Move all parameters and buffers to a device without copying their values."""
        return self._apply(lambda tensor: tensor.empty_like(device), recurse)

    @no_grad()
    def _apply(self, convert: Convert, recurse: bool = True) -> Any:
        """Convert the tree's members: parameters stay the same objects, buffers are replaced under all their names."""
        replaced: dict[int, Tensor] = {}
        for module in list(self.modules()) if recurse else [self]:
            for parameter in module._parameters.values():
                if parameter is not None:
                    self._convert_in_place(parameter, convert)
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    if id(buffer) not in replaced:
                        replaced[id(buffer)] = self._converted_buffer(buffer, convert)
                    module._buffers[name] = replaced[id(buffer)]
        return self

    def _convert_in_place(self, parameter: Tensor, convert: Convert) -> None:
        parameter.data = convert(parameter.data)
        if parameter.grad is not None:
            parameter.grad.data = convert(parameter.grad.data)

    def _converted_buffer(self, buffer: Tensor, convert: Convert) -> Tensor:
        converted = convert(buffer)
        if isinstance(buffer, Buffer) and not isinstance(converted, Buffer):
            return Buffer(converted, persistent=buffer.persistent)
        return converted

    # --- copies and text ------------------------------------------------------------------------------------------

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A module pickled before some kind of hook existed gets an empty list of them.
        vars(self).update({**self._initial_state(), **state})

    def extra_repr(self) -> str:
        """What to print between the parentheses, besides the children; for subclasses to override."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def _child_lines(self) -> list[str]:
        return [f"({name}): {indented(repr(child))}" for name, child in self._modules.items()]

    def __repr__(self) -> str:
        extra, children = self.extra_repr(), self._child_lines()
        if not children and "\n" not in extra:
            return f"{self._get_name()}({extra})"
        lines = [*(extra.split("\n") if extra else []), *children]
        body = "\n  ".join(lines)
        return f"{self._get_name()}(\n  {body}\n)"


def indented(text: str) -> str:
    """The text with all lines but the first indented by two blanks."""
    return text.replace("\n", "\n  ")
