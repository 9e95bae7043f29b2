"""What happens when a module is called: pre-hooks, forward, hooks, and what backward hooks need to fire later."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from conformance.reference.hooks import (
    BackwardHooks,
    Hook,
    HookList,
    RemovableHandle,
    forward_hooks,
    forward_pre_hooks,
)


@dataclass
class Call:
    """One call under way: its arguments and output as the hooks have left them so far."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Any = None
    begun: list[Hook] = field(default_factory=list)  # the forward hooks that have been called


class Calling:
    """Calling a module, and registering the hooks that see the call."""

    _forward_pre_hooks: HookList
    _forward_hooks: HookList
    _backward_pre_hooks: HookList
    _backward_hooks: HookList

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The computation; subclasses define it."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run forward, and the hooks around it."""
        call = Call(args, kwargs)
        try:
            self._run(call)
        except BaseException:
            self._run_remaining_always_called_hooks(call)
            raise
        return call.output

    def _run(self, call: Call) -> None:
        self._run_forward_pre_hooks(call)
        backward = BackwardHooks(self)
        if backward:
            call.args = backward.watch_inputs(call.args)
            call.kwargs = backward.pass_as_views(call.kwargs)
        call.output = self.forward(*call.args, **call.kwargs)
        self._run_forward_hooks(call)
        if backward:
            call.output = backward.watch_output(call.output)

    # --- forward pre-hooks ----------------------------------------------------------------------------------------

    def _run_forward_pre_hooks(self, call: Call) -> None:
        for hook in (*forward_pre_hooks, *self._forward_pre_hooks):
            if hook.with_kwargs:
                self._replace_arguments(call, hook.function(self, call.args, call.kwargs))
            else:
                self._replace_args(call, hook.function(self, call.args))

    def _replace_args(self, call: Call, result: Any) -> None:
        if result is not None:
            call.args = result if isinstance(result, tuple) else (result,)

    def _replace_arguments(self, call: Call, result: Any) -> None:
        if result is None:
            return
        if not isinstance(result, tuple) or len(result) != 2:
            raise RuntimeError(
                f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {result}."
            )
        self._replace_args(call, result[0])
        call.kwargs = result[1]

    # --- forward hooks --------------------------------------------------------------------------------------------

    def _run_forward_hooks(self, call: Call) -> None:
        for hook in (*forward_hooks, *self._forward_hooks):
            self._run_forward_hook(hook, call)

    def _run_forward_hook(self, hook: Hook, call: Call) -> None:
        call.begun.append(hook)
        if hook.with_kwargs:
            result = hook.function(self, call.args, call.kwargs, call.output)
        else:
            result = hook.function(self, call.args, call.output)
        call.output = call.output if result is None else result

    def _run_remaining_always_called_hooks(self, call: Call) -> None:
        """An exception is under way: call the hooks that are always called and have not been yet."""
        for hook in (*forward_hooks, *self._forward_hooks):
            if hook.always_call and hook not in call.begun:
                try:
                    self._run_forward_hook(hook, call)
                except Exception as error:
                    warnings.warn(
                        "module forward hook with ``always_call=True`` raised an exception that was silenced "
                        f"as another error was raised in forward: {error}",
                        stacklevel=2,
                    )

    # --- registering hooks ----------------------------------------------------------------------------------------

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` (or with kwargs) before every forward; it may return other arguments."""
        return self._forward_pre_hooks.register(hook, prepend, with_kwargs=with_kwargs)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` (or with kwargs) after every forward; it may return another output."""
        return self._forward_hooks.register(hook, prepend, with_kwargs=with_kwargs, always_call=always_call)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` before the backward hooks; it may return another grad_output."""
        return self._backward_pre_hooks.register(hook, prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` in the backward pass; it may return another grad_input."""
        return self._backward_hooks.register(hook, prepend)
