"""Hooks: the lists they are kept in, the handles that remove them, the hooks of all modules, and backward hooks."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from conformance.reference.autograd import grad_enabled
from conformance.reference.tensor import Tensor, full, identity_views


@dataclass(eq=False)
class Hook:
    """One registration of a function; the same function registered twice makes two of them."""

    function: Callable[..., Any]
    with_kwargs: bool = False
    always_call: bool = False


class HookList(list):
    """The hooks of one kind, in the order in which they fire."""

    def register(self, function: Callable[..., Any], prepend: bool = False, **flags: bool) -> RemovableHandle:
        """Add a hook, at the end or before all others."""
        hook = Hook(function, **flags)
        self.insert(0 if prepend else len(self), hook)
        return RemovableHandle(self, hook)


class RemovableHandle:
    """Removes a hook again. As a context manager it does so on leaving the block.

    It keeps neither the hook nor its module alive.
    """

    def __init__(self, hooks: HookList, hook: Hook):
        self._hooks = weakref.ref(hooks)
        self._hook = weakref.ref(hook)

    def remove(self) -> None:
        """Remove the hook; do nothing if it is gone already."""
        hooks, hook = self._hooks(), self._hook()
        if hooks is not None and hook in hooks:
            hooks.remove(hook)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.remove()


# --- hooks of all modules ----------------------------------------------------------------------------------------

forward_pre_hooks = HookList()
forward_hooks = HookList()
full_backward_pre_hooks = HookList()
full_backward_hooks = HookList()
registration_hooks = {"parameter": HookList(), "buffer": HookList(), "module": HookList()}


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, args)`` before the forward of every module."""
    return forward_pre_hooks.register(hook)


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call ``hook(module, args, output)`` after the forward of every module."""
    return forward_hooks.register(hook, with_kwargs=with_kwargs, always_call=always_call)


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, grad_output)`` before the backward hooks of every module."""
    return full_backward_pre_hooks.register(hook)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, grad_input, grad_output)`` in the backward pass of every module."""
    return full_backward_hooks.register(hook)


def register_module_parameter_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, parameter)`` whenever a parameter is registered."""
    return registration_hooks["parameter"].register(hook)


def register_module_buffer_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, buffer)`` whenever a buffer is registered."""
    return registration_hooks["buffer"].register(hook)


def register_module_module_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, submodule)`` whenever a child module is registered."""
    return registration_hooks["module"].register(hook)


# --- full backward hooks -----------------------------------------------------------------------------------------


class BackwardHooks:
    """The full backward hooks of one call of a module.

    The tensors among its inputs, and those among its outputs, are passed on as views through one node each. In the
    backward pass the outputs' node is reached first: it runs the pre-hooks. The inputs' node is reached when the
    gradients of all inputs are known: it runs the hooks. Without an input to follow, the outputs' node does both.
    """

    def __init__(self, module: Any):
        self.module = module
        self.pre_hooks = (*full_backward_pre_hooks, *module._backward_pre_hooks)
        self.hooks = (*full_backward_hooks, *module._backward_hooks)
        self.inputs: tuple[Any, ...] = ()
        self.follows_inputs = False
        self.outputs: tuple[Any, ...] = ()
        self.grad_output: tuple[Tensor | None, ...] | None = None

    def __bool__(self) -> bool:
        return bool(self.pre_hooks or self.hooks)

    def watch_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The positional arguments, tensors replaced by views."""
        self.inputs = args
        self.follows_inputs = grad_enabled() and any(tensor.requires_grad for tensor in _only(args))
        return _through_views(args, self._reached_inputs)

    def pass_as_views(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """The keyword arguments, tensors replaced by views; no hook is told of their gradients."""
        return dict(zip(kwargs, _through_views(tuple(kwargs.values()), lambda *gradients: gradients)))

    def watch_output(self, output: Any) -> Any:
        """The output, tensors replaced by views: a tensor, or a tuple, list or dict of them."""
        if isinstance(output, dict):
            return dict(zip(output, self.watch_output(tuple(output.values()))))
        if isinstance(output, list):
            return list(self.watch_output(tuple(output)))
        if not isinstance(output, (Tensor, tuple)):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple, list or dict of Tensors "
                f"but received {type(output)}",
                stacklevel=4,
            )
            return output
        self.outputs = output if isinstance(output, tuple) else (output,)
        watched = _through_views(self.outputs, self._reached_outputs)
        return watched if isinstance(output, tuple) else watched[0]

    def _reached_outputs(self, *gradients: Tensor | None) -> list[Tensor | None]:
        self.grad_output = self._run_pre_hooks(_spread(self.outputs, gradients))
        if self.hooks and not self.follows_inputs:
            self._run_hooks_without_inputs()
        return _tensors(self.outputs, self.grad_output)

    def _reached_inputs(self, *gradients: Tensor | None) -> list[Tensor | None]:
        if self.grad_output is None:  # the gradients came by another way than this module's outputs
            return list(gradients)
        return _tensors(
            self.inputs, self._run_hooks(_spread(self.inputs, map(_or_zeros, _only(self.inputs), gradients)))
        )

    def _run_pre_hooks(self, grad_output: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
        for hook in self.pre_hooks:
            result = hook.function(self.module, grad_output)
            grad_output = _replacement(result, grad_output, "Backward pre hook", "grad_output")
        return grad_output

    def _run_hooks(self, grad_input: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
        for hook in self.hooks:
            result = hook.function(self.module, grad_input, self.grad_output)
            grad_input = _replacement(result, grad_input, "Backward hook", "grad_input")
        return grad_input

    def _run_hooks_without_inputs(self) -> None:
        warnings.warn(
            "Full backward hook is firing when gradients are computed with respect to module outputs "
            "since no inputs require gradients.",
            stacklevel=2,
        )
        for gradient in self._run_hooks((None,) * len(self.inputs)):
            if gradient is not None:
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always return None "
                    "or None for all gradients."
                )


def _replacement(result: Any, gradients: tuple[Any, ...], who: str, what: str) -> tuple[Any, ...]:
    """The gradients that a hook has returned, or those it was given if it returned None."""
    if result is None:
        return gradients
    result = tuple(result) if isinstance(result, (tuple, list)) else (result,)
    if len(result) != len(gradients):
        raise RuntimeError(
            f"{who} returned an invalid number of {what}, got {len(result)}, but expected {len(gradients)}"
        )
    return result


def _through_views(values: tuple[Any, ...], backward: Callable[..., Any]) -> tuple[Any, ...]:
    return _spread(values, identity_views(_only(values), backward), keep=True)


def _only(values: tuple[Any, ...]) -> list[Tensor]:
    return [value for value in values if isinstance(value, Tensor)]


def _spread(values: tuple[Any, ...], substitutes: Any, keep: bool = False) -> tuple[Any, ...]:
    """A substitute for each tensor among the values; None (or the value itself) for everything else."""
    substitutes = iter(substitutes)
    return tuple(next(substitutes) if isinstance(value, Tensor) else value if keep else None for value in values)


def _tensors(values: tuple[Any, ...], gradients: tuple[Any, ...]) -> list[Any]:
    """The gradients of the tensors among the values."""
    return [gradient for value, gradient in zip(values, gradients) if isinstance(value, Tensor)]


def _or_zeros(tensor: Tensor, gradient: Tensor | None) -> Tensor:
    return full(tensor.shape, 0, tensor.dtype, tensor.device) if gradient is None else gradient
