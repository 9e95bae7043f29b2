"""Wrong ways to call modules and their hooks."""

from __future__ import annotations

import copy

from conformance.implementations.reference import Chain
from conformance.reference import ParameterDict, ParameterList, hooks
from conformance.reference.calling import Calling
from conformance.reference.hooks import BackwardHooks, HookList, RemovableHandle, forward_hooks, forward_pre_hooks
from conformance.reference.registry import Registry
from selftests.faults import fault

# Calls


@fault("calls/call-passes-arguments-to-forward")
def calls_drop_keyword_arguments(patch):
    call = Calling.__call__
    patch.setattr(Calling, "__call__", lambda self, *args, **kwargs: call(self, *args))


@fault("calls/any-output-is-returned-as-it-is")
def calls_copy_what_forward_returned(patch):
    call = Calling.__call__
    patch.setattr(Calling, "__call__", lambda self, *args, **kwargs: copy.copy(call(self, *args, **kwargs)))


@fault("calls/call-equals-forward-without-hooks")
def a_module_called_again_answers_what_it_answered_first(patch):
    call = Calling.__call__

    def wrong(self, *args, **kwargs):
        if "_answer" not in vars(self):
            vars(self)["_answer"] = call(self, *args, **kwargs)
        return self._answer

    patch.setattr(Calling, "__call__", wrong)


@fault("calls/forward-ignores-hooks")
def forward_called_directly_runs_hooks(patch):
    forward = Chain.forward

    def wrong(self, x):
        for hook in self._forward_hooks:
            hook.function(self, (x,), x)
        for hook in self._forward_pre_hooks:
            hook.function(self, (x,), {})
        return forward(self, x)

    patch.setattr(Chain, "forward", wrong)


@fault("calls/pre-hooks-then-forward-then-hooks", "calls/whole-tree-with-hooks")
def forward_hooks_run_before_forward(patch):
    run = Calling._run_forward_hooks

    def wrong(self, call):
        run(self, call)
        self._run_forward_pre_hooks(call)
        call.output = self.forward(*call.args, **call.kwargs)

    patch.setattr(Calling, "_run", wrong)


@fault("calls/whole-tree-with-hooks", "hooks_forward/hooks-fire-every-time")
def forward_hooks_fire_once_in_their_life(patch):
    run = Calling._run_forward_hook

    def wrong(self, hook, call):
        if not vars(hook).setdefault("fired", False):
            hook.fired = True
            run(self, hook, call)

    patch.setattr(Calling, "_run_forward_hook", wrong)


@fault("calls/exception-skips-forward-hooks", "hooks_global/always_call-when-the-call-raises")
def all_forward_hooks_run_when_the_call_raises(patch):
    def wrong(self, call):
        for hook in (*forward_hooks, *self._forward_hooks):
            self._run_forward_hook(hook, call)

    patch.setattr(Calling, "_run_remaining_always_called_hooks", wrong)


@fault("calls/module-without-forward-cannot-be-called")
def a_missing_forward_returns_none(patch):
    patch.setattr(Calling, "forward", lambda self, *args, **kwargs: None)


@fault("parameter_list/cannot-be-called")
def parameter_containers_answer_calls(patch):
    for container in (ParameterList, ParameterDict):
        patch.setattr(container, "__call__", lambda self, *args, **kwargs: self)


# What forward pre-hooks receive and return


@fault("hooks_forward/pre_hook-receives-positional-arguments", "hooks_global/pre_hook-receives-positional-arguments")
def pre_hooks_receive_keyword_arguments_too(patch):
    def wrong(self, call):
        for hook in (*forward_pre_hooks, *self._forward_pre_hooks):
            if hook.with_kwargs:
                self._replace_arguments(call, hook.function(self, call.args, call.kwargs))
            else:
                self._replace_args(call, hook.function(self, (*call.args, *call.kwargs.values())))

    patch.setattr(Calling, "_run_forward_pre_hooks", wrong)


@fault("hooks_forward/pre_hook-none-leaves-arguments", "hooks_global/pre_hook-receives-positional-arguments")
def none_from_a_pre_hook_becomes_the_argument(patch):
    def wrong(self, call, result):
        call.args = result if isinstance(result, tuple) else (result,)

    patch.setattr(Calling, "_replace_args", wrong)


@fault(
    "hooks_forward/pre_hook-tuple-replaces-arguments",
    "hooks_forward/pre_hook-replaces-kwargs",
    "hooks_global/pre_hook-replaces-arguments",
)
def tuples_from_pre_hooks_are_wrapped_once_more(patch):
    def wrong(self, call, result):
        if result is not None:
            call.args = (result,)

    patch.setattr(Calling, "_replace_args", wrong)


@fault("hooks_forward/pre_hook-single-value-is-wrapped", "hooks_global/pre_hook-replaces-arguments")
def lists_from_pre_hooks_are_taken_for_tuples(patch):
    def wrong(self, call, result):
        if result is not None:
            call.args = tuple(result) if isinstance(result, (tuple, list)) else (result,)

    patch.setattr(Calling, "_replace_args", wrong)


@fault("hooks_forward/pre_hook-receives-kwargs")
def pre_hooks_with_kwargs_receive_only_those_they_may_change(patch):
    def wrong(self, call):
        for hook in (*forward_pre_hooks, *self._forward_pre_hooks):
            if hook.with_kwargs:
                self._replace_arguments(call, hook.function(self, call.args, {}))
            else:
                self._replace_args(call, hook.function(self, call.args))

    patch.setattr(Calling, "_run_forward_pre_hooks", wrong)


@fault("hooks_forward/pre_hook-replaces-kwargs", "hooks_forward/hook-sees-what-pre_hooks-made")
def keyword_arguments_from_pre_hooks_are_merged(patch):
    def wrong(self, call, result):
        if result is not None:
            call.args, call.kwargs = result[0], {**call.kwargs, **result[1]}

    patch.setattr(Calling, "_replace_arguments", wrong)


@fault("hooks_forward/pre_hook-refuses-other-results")
def pre_hooks_with_kwargs_may_return_arguments_alone(patch):
    replace = Calling._replace_arguments

    def wrong(self, call, result):
        pair = result is None or (isinstance(result, tuple) and len(result) == 2)
        (replace if pair else Calling._replace_args)(self, call, result)

    patch.setattr(Calling, "_replace_arguments", wrong)


@fault("hooks_forward/hooks-chain")
def every_pre_hook_receives_the_arguments_of_the_call(patch):
    def wrong(self, call):
        args = call.args
        for hook in (*forward_pre_hooks, *self._forward_pre_hooks):
            if hook.with_kwargs:
                self._replace_arguments(call, hook.function(self, args, call.kwargs))
            else:
                self._replace_args(call, hook.function(self, args))

    patch.setattr(Calling, "_run_forward_pre_hooks", wrong)


# What forward hooks receive and return


@fault("hooks_forward/hook-receives-args-and-output", "hooks_global/hook-receives-args-and-output")
def forward_hooks_receive_the_output_in_a_tuple(patch):
    def wrong(self, hook, call):
        call.begun.append(hook)
        result = hook.function(self, call.args, *([call.kwargs] if hook.with_kwargs else []), (call.output,))
        call.output = call.output if result is None else result

    patch.setattr(Calling, "_run_forward_hook", wrong)


@fault(
    "hooks_forward/hook-replaces-output",
    "hooks_forward/hook-receives-kwargs",
    "hooks_global/hook-replaces-output",
)
def empty_results_of_forward_hooks_are_ignored(patch):
    def wrong(self, hook, call):
        call.begun.append(hook)
        result = hook.function(self, call.args, *([call.kwargs] if hook.with_kwargs else []), call.output)
        call.output = result or call.output

    patch.setattr(Calling, "_run_forward_hook", wrong)


@fault("hooks_forward/hook-receives-kwargs", "hooks_global/hook-with_kwargs")
def forward_hooks_with_kwargs_receive_none(patch):
    def wrong(self, hook, call):
        call.begun.append(hook)
        result = hook.function(self, call.args, *([{}] if hook.with_kwargs else []), call.output)
        call.output = call.output if result is None else result

    patch.setattr(Calling, "_run_forward_hook", wrong)


@fault("hooks_forward/hook-sees-what-pre_hooks-made")
def forward_hooks_see_the_arguments_from_before_the_pre_hooks(patch):
    run_pre, run = Calling._run_forward_pre_hooks, Calling._run_forward_hooks

    def remember(self, call):
        call.given = call.args
        run_pre(self, call)

    def wrong(self, call):
        call.args = call.given
        run(self, call)

    patch.setattr(Calling, "_run_forward_pre_hooks", remember)
    patch.setattr(Calling, "_run_forward_hooks", wrong)


@fault("hooks_forward/hook-changes-input-too-late")
def forward_hooks_run_once_before_forward_too(patch):
    run = Calling._run

    def wrong(self, call):
        for hook in self._forward_hooks:
            hook.function(self, call.args, None)
        run(self, call)

    patch.setattr(Calling, "_run", wrong)


# The order of hooks


@fault(
    "hooks_forward/pre_hooks-in-registration-order",
    "hooks_forward/hooks-in-registration-order",
    "hooks_backward/hook-prepend",
)
def later_hooks_fire_first(patch):
    register = HookList.register
    patch.setattr(HookList, "register", lambda self, function, prepend=False, **flags: register(self, function, True))


@fault(
    "hooks_forward/pre_hook-prepend",
    "hooks_forward/hook-prepend",
    "hooks_backward/hook-prepend",
    "hooks_backward/pre_hook-prepend",
)
def prepend_is_ignored(patch):
    register = HookList.register
    patch.setattr(
        HookList, "register", lambda self, function, prepend=False, **flags: register(self, function, False, **flags)
    )


@fault("hooks_forward/hooks-fire-every-time")
def forward_hooks_are_skipped_in_evaluation_mode(patch):
    run = Calling._run_forward_hooks
    patch.setattr(Calling, "_run_forward_hooks", lambda self, call: run(self, call) if self.training else None)


@fault("hooks_forward/hooks-fire-for-their-module-only")
def forward_hooks_fire_for_the_children_too(patch):
    def wrong(self, hook, **options):
        for child in self.children():
            child._forward_hooks.register(hook, **options)
        return self._forward_hooks.register(hook, **options)

    patch.setattr(Calling, "register_forward_hook", wrong)


# always_call


@fault("hooks_forward/always_call-once-whatever-is-raised")
def always_called_hooks_run_again_when_a_later_hook_raises(patch):
    remaining = Calling._run_remaining_always_called_hooks

    def wrong(self, call):
        call.begun.clear()
        remaining(self, call)

    patch.setattr(Calling, "_run_remaining_always_called_hooks", wrong)


@fault("hooks_forward/always_call-after-any-base-exception")
def always_called_hooks_are_skipped_on_a_keyboard_interrupt(patch):
    def wrong(self, *args, **kwargs):
        from conformance.reference.calling import Call

        call = Call(args, kwargs)
        try:
            self._run(call)
        except Exception:
            self._run_remaining_always_called_hooks(call)
            raise
        return call.output

    patch.setattr(Calling, "__call__", wrong)


@fault("hooks_forward/always_call-own-error-gives-way")
def an_error_in_an_always_called_hook_replaces_the_one_under_way(patch):
    def wrong(self, call):
        for hook in (*forward_hooks, *self._forward_hooks):
            if hook.always_call and hook not in call.begun:
                self._run_forward_hook(hook, call)

    patch.setattr(Calling, "_run_remaining_always_called_hooks", wrong)


@fault("hooks_global/always_call-and-with_kwargs")
def global_always_called_hooks_miss_the_keyword_arguments_on_an_exception(patch):
    remaining = Calling._run_remaining_always_called_hooks

    def wrong(self, call):
        for hook in forward_hooks:
            if hook.always_call and hook.with_kwargs:
                call.begun.append(hook)  # called with too few arguments, it raises, and its error is silenced
        remaining(self, call)

    patch.setattr(Calling, "_run_remaining_always_called_hooks", wrong)


# Global hooks


@fault("hooks_global/pre_hook-before-own-pre_hooks", "hooks_global/hook-before-own-hooks")
def global_hooks_fire_after_the_module_s_own(patch):
    def wrong_pre(self, call):
        for hook in (*self._forward_pre_hooks, *forward_pre_hooks):
            if hook.with_kwargs:
                self._replace_arguments(call, hook.function(self, call.args, call.kwargs))
            else:
                self._replace_args(call, hook.function(self, call.args))

    def wrong(self, call):
        for hook in (*self._forward_hooks, *forward_hooks):
            self._run_forward_hook(hook, call)

    patch.setattr(Calling, "_run_forward_pre_hooks", wrong_pre)
    patch.setattr(Calling, "_run_forward_hooks", wrong)


@fault("hooks_global/pre_hook-before-every-forward", "hooks_global/hook-after-every-forward")
def global_hooks_skip_modules_with_children(patch):
    run_pre, run = Calling._run_forward_pre_hooks, Calling._run_forward_hooks
    patch.setattr(Calling, "_run_forward_pre_hooks", lambda self, call: None if self._modules else run_pre(self, call))
    patch.setattr(Calling, "_run_forward_hooks", lambda self, call: None if self._modules else run(self, call))


@fault("hooks_global/full_backward_hook-on-every-module", "hooks_global/full_backward_pre_hook-on-every-module")
def global_backward_hooks_fire_after_the_module_s_own(patch):
    init = BackwardHooks.__init__

    def wrong(self, module):
        init(self, module)
        self.pre_hooks = (*module._backward_pre_hooks, *hooks.full_backward_pre_hooks)
        self.hooks = (*module._backward_hooks, *hooks.full_backward_hooks)

    patch.setattr(BackwardHooks, "__init__", wrong)


# Hooks on registration


@fault("hooks_global/module_registration-every-child", "hooks_global/parameter_registration-every-parameter")
def registration_hooks_are_not_asked_on_assignment(patch):
    patch.setattr(
        Registry, "_assign", lambda self, kind, name, value: vars(self)["_" + kind + "s"].__setitem__(name, value)
    )


@fault("hooks_global/buffer_registration-every-buffer", "hooks_global/parameter_registration-of-none")
def registration_hooks_are_not_asked_about_none(patch):
    ask = Registry._after_registration_hooks
    patch.setattr(
        Registry,
        "_after_registration_hooks",
        lambda self, kind, name, member: None if member is None else ask(self, kind, name, member),
    )


# Handles


@fault("handles/remove-its-own-hook-only", "handles/remove-backward-hooks", "handles/remove-global-hook")
def a_handle_removes_the_last_hook(patch):
    def wrong(self):
        registered, hook = self._hooks(), self._hook()
        if registered is not None and hook in registered:
            registered.pop()

    patch.setattr(RemovableHandle, "remove", wrong)


@fault("handles/one-callable-registered-twice")
def a_handle_removes_every_registration_of_its_function(patch):
    def wrong(self):
        registered, hook = self._hooks(), self._hook()
        if registered is not None and hook in registered:
            registered[:] = [other for other in registered if other.function is not hook.function]

    patch.setattr(RemovableHandle, "remove", wrong)


@fault("handles/remove-between-calls-and-add-again")
def hooks_are_numbered_by_their_count_and_replaced_by_number(patch):
    register = HookList.register

    def wrong(self, function, prepend=False, **flags):
        number = len(self)
        self[:] = [hook for hook in self if hook.number != number]
        handle = register(self, function, prepend, **flags)
        handle._hook().number = number
        return handle

    patch.setattr(HookList, "register", wrong)


@fault("handles/remove-twice", "handles/remove-after-the-module-is-gone")
def a_handle_that_finds_no_hook_raises(patch):
    patch.setattr(RemovableHandle, "remove", lambda self: self._hooks().remove(self._hook()))


def keeping(patch, what):
    """Let the handle of a forward hook or pre-hook hold ``what(module, handle)``."""

    def wrong(method):
        def register(self, hook, **options):
            handle = method(self, hook, **options)
            handle.kept = what(self, handle)
            return handle

        return register

    for name in ("register_forward_pre_hook", "register_forward_hook"):
        patch.setattr(Calling, name, wrong(getattr(Calling, name)))


@fault("handles/keep-neither-module-nor-hook-alive")
def a_handle_keeps_its_module_alive(patch):
    keeping(patch, lambda module, handle: module)


@fault("handles/keep-neither-module-nor-hook-alive")
def a_handle_keeps_the_hooks_of_its_module_alive(patch):
    keeping(patch, lambda module, handle: handle._hooks())


@fault("handles/keep-neither-module-nor-hook-alive", target="torch")
def a_handle_refers_to_the_hooks_strongly(patch):
    from torch.utils.hooks import RemovableHandle

    def wrong(self, hooks_dict, **options):
        right(self, hooks_dict, **options)
        self.hooks_dict_ref = lambda: hooks_dict

    right = RemovableHandle.__init__
    patch.setattr(RemovableHandle, "__init__", wrong)


@fault("handles/context-manager-removes")
def a_handle_keeps_its_hook_when_the_block_is_left_by_an_exception(patch):
    patch.setattr(RemovableHandle, "__exit__", lambda self, kind, *rest: None if kind else self.remove())


@fault("handles/remove-inside-a-call")
def hooks_that_are_due_are_looked_up_while_others_run(patch):
    def wrong_pre(self, call):
        for hook in self._forward_pre_hooks:
            hook.function(self, call.args)

    def wrong(self, call):
        for hook in self._forward_hooks:
            self._run_forward_hook(hook, call)

    patch.setattr(Calling, "_run_forward_pre_hooks", wrong_pre)
    patch.setattr(Calling, "_run_forward_hooks", wrong)


# Full backward hooks


@fault("hooks_backward/hook-receives-gradients")
def backward_hooks_receive_grad_output_first(patch):
    def wrong(self, grad_input):
        for hook in self.hooks:
            hook.function(self.module, self.grad_output, grad_input)
        return grad_input

    patch.setattr(BackwardHooks, "_run_hooks", wrong)


@fault("hooks_backward/pre_hook-receives-grad_output")
def backward_pre_hooks_receive_a_list(patch):
    def wrong(self, grad_output):
        for hook in self.pre_hooks:
            hook.function(self.module, list(grad_output))
        return grad_output

    patch.setattr(BackwardHooks, "_run_pre_hooks", wrong)


@fault("hooks_backward/hooks-fire-in-the-backward-pass")
def backward_hooks_fire_in_the_first_backward_pass_only(patch):
    run = BackwardHooks._run_hooks

    def wrong(self, grad_input):
        if vars(self.module).setdefault("_fired", False):
            return grad_input
        vars(self.module)["_fired"] = True
        return run(self, grad_input)

    patch.setattr(BackwardHooks, "_run_hooks", wrong)


@fault("hooks_backward/hook-replaces-grad_input", "hooks_backward/list-replaces-grad_input")
def results_of_backward_hooks_are_ignored(patch):
    run = BackwardHooks._run_hooks

    def wrong(self, grad_input):
        run(self, grad_input)
        return grad_input

    patch.setattr(BackwardHooks, "_run_hooks", wrong)


@fault("hooks_backward/list-replaces-grad_input")
def lists_from_backward_hooks_are_ignored(patch):
    replacement = hooks._replacement

    def wrong(result, gradients, *names):
        return replacement(None if isinstance(result, list) else result, gradients, *names)

    patch.setattr(hooks, "_replacement", wrong)


@fault("hooks_backward/pre_hook-replaces-grad_output")
def results_of_backward_pre_hooks_reach_backward_hooks_only(patch):
    reached = BackwardHooks._reached_outputs

    def wrong(self, *gradients):
        reached(self, *gradients)
        return list(gradients)

    patch.setattr(BackwardHooks, "_reached_outputs", wrong)


@fault("hooks_backward/backward-hooks-see-the-replaced-grad_output")
def backward_hooks_see_the_gradient_from_before_the_pre_hooks(patch):
    reached = BackwardHooks._reached_outputs

    def wrong(self, *gradients):
        result = reached(self, *gradients)
        self.grad_output = hooks._spread(self.outputs, gradients)
        return result

    patch.setattr(BackwardHooks, "_reached_outputs", wrong)


@fault("hooks_backward/none-leaves-everything")
def a_backward_hook_that_returns_none_cancels_the_gradient(patch):
    replacement = hooks._replacement

    def wrong(result, gradients, *names):
        gradients = tuple(g if g is None else g * 0.0 for g in gradients) if result is None else gradients
        return replacement(result, gradients, *names)

    patch.setattr(hooks, "_replacement", wrong)


@fault("hooks_backward/inputs-without-grad")
def backward_hooks_wait_for_inputs_that_require_grad(patch):
    patch.setattr(BackwardHooks, "_run_hooks_without_inputs", lambda self: None)


@fault("hooks_backward/outputs-without-grad")
def backward_hooks_fire_at_once_where_no_output_requires_grad(patch):
    watch = BackwardHooks.watch_output

    def wrong(self, output):
        if getattr(output, "requires_grad", True) is False:
            self.grad_output = (None,)
            self._run_hooks((None,) * len(self.inputs))
        return watch(self, output)

    patch.setattr(BackwardHooks, "watch_output", wrong)


@fault("hooks_backward/none-for-what-is-no-tensor")
def gradients_have_no_entries_for_what_is_no_tensor(patch):
    def wrong(self, grad_input):
        grad_output = tuple(grad for grad in self.grad_output if grad is not None)
        for hook in self.hooks:
            hook.function(self.module, tuple(grad for grad in grad_input if grad is not None), grad_output)
        return grad_input

    patch.setattr(BackwardHooks, "_run_hooks", wrong)


@fault("hooks_backward/keyword-arguments-left-out")
def grad_input_has_entries_for_keyword_arguments(patch):
    views = BackwardHooks.pass_as_views

    def count(self, kwargs):
        self.keywords = len(kwargs)
        return views(self, kwargs)

    def wrong(self, grad_input):
        for hook in self.hooks:
            hook.function(self.module, (*grad_input, *[None] * self.keywords), self.grad_output)
        return grad_input

    patch.setattr(BackwardHooks, "pass_as_views", count)
    patch.setattr(BackwardHooks, "_run_hooks", wrong)


@fault("hooks_backward/outputs-in-a-dict-or-list")
def backward_hooks_miss_outputs_in_a_dict(patch):
    watch = BackwardHooks.watch_output
    patch.setattr(
        BackwardHooks, "watch_output", lambda self, output: output if isinstance(output, dict) else watch(self, output)
    )


@fault("hooks_backward/pre_hook-may-return-a-tensor", "hooks_backward/wrong-number-of-gradients")
def a_wrong_number_of_gradients_is_ignored(patch):
    def wrong(result, gradients, *names):
        return result if isinstance(result, tuple) and len(result) == len(gradients) else gradients

    patch.setattr(hooks, "_replacement", wrong)


@fault(
    "hooks_backward/inplace-change-is-refused",
    "hooks_backward/pre_hook-inplace-change-is-refused",
    "hooks_backward/inplace-change-of-input-without-grad",
)
def views_for_backward_hooks_may_be_written(patch):
    make = hooks.identity_views

    def wrong(tensors, backward):
        views = make(tensors, backward)
        for view in views:
            view._frozen = False
        return views

    patch.setattr(hooks, "identity_views", wrong)


@fault("hooks_backward/forward-receives-and-returns-views")
def backward_pre_hooks_alone_leave_inputs_as_they_are(patch):
    watch = BackwardHooks.watch_inputs

    def wrong(self, args):
        watched = watch(self, args)
        return watched if self.hooks else args

    patch.setattr(BackwardHooks, "watch_inputs", wrong)


@fault("hooks_backward/keyword-tensors-are-views")
def keyword_tensors_are_passed_as_they_are(patch):
    patch.setattr(BackwardHooks, "pass_as_views", lambda self, kwargs: kwargs)


@fault("hooks_backward/regular-and-full-exclude-each-other", target="torch")
def regular_and_full_backward_hooks_are_both_taken(patch):
    from torch.nn import Module

    for name in ("register_backward_hook", "register_full_backward_hook"):
        register = getattr(Module, name)

        def wrong(self, hook, register=register):
            self._is_full_backward_hook = None
            return register(self, hook)

        patch.setattr(Module, name, wrong)
