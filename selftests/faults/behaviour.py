"""Modules that compute something else after, or because of, what should leave their computation alone."""

from __future__ import annotations

from conformance import reference
from conformance.reference.calling import Calling
from conformance.reference.module import Module
from conformance.reference.state import Stateful
from conformance.reference.tensor import Tensor
from selftests.faults import fault


def halved(value):
    return value * 0.5 if isinstance(value, Tensor) else value


@fault("behaviour/call-gives-what-forward-gives")
def calls_halve_what_forward_returns(patch):
    call = Calling.__call__
    patch.setattr(Calling, "__call__", lambda self, *args, **kwargs: halved(call(self, *args, **kwargs)))


@fault("behaviour/state-carries-the-computation")
def biases_are_not_loaded(patch):
    load = Stateful.load_state_dict

    def wrong(self, state_dict, strict=True, assign=False):
        kept = {key: value for key, value in state_dict.items() if not key.endswith("bias")}
        return load(self, kept, strict=False, assign=assign)

    patch.setattr(Stateful, "load_state_dict", wrong)


@fault("behaviour/saved-module-computes-the-same")
def loading_a_module_resets_its_parameters(patch):
    load = reference.load

    def wrong(*args, **kwargs):
        loaded = load(*args, **kwargs)
        if isinstance(loaded, Module):
            with reference.no_grad():
                for parameter in loaded.parameters():
                    parameter.zero_()
        return loaded

    patch.setattr(reference, "load", wrong)


@fault("behaviour/deep-copy-computes-the-same")
def deep_copies_of_tensors_are_zero(patch):
    copied = Tensor.__deepcopy__

    def wrong(self, memo):
        made = copied(self, memo)
        with reference.no_grad():
            made.zero_()
        return made

    patch.setattr(Tensor, "__deepcopy__", wrong)


@fault("behaviour/looking-changes-nothing")
def asking_for_the_state_doubles_it(patch):
    state_dict = Stateful.state_dict

    def wrong(self, *args, **kwargs):
        state = state_dict(self, *args, **kwargs)
        with reference.no_grad():
            for value in state.values():
                value.copy_(value + value)
        return state

    patch.setattr(Stateful, "state_dict", wrong)


@fault("behaviour/pre_hook-before-and-hook-after-forward")
def forward_hooks_get_no_output(patch):
    def wrong(self, hook, call):
        call.begun.append(hook)
        hook.function(self, call.args, None)

    patch.setattr(Calling, "_run_forward_hook", wrong)


@fault("hooks_forward/hook-replaces-output")
def what_forward_hooks_return_is_dropped(patch):
    def wrong(self, hook, call):
        call.begun.append(hook)
        hook.function(self, call.args, call.output)

    patch.setattr(Calling, "_run_forward_hook", wrong)


@fault("behaviour/zero_grad-forgets-the-backward-pass")
def zero_grad_skips_biases(patch):
    def wrong(self, set_to_none=True):
        for name, parameter in self.named_parameters():
            if not name.endswith("bias"):
                parameter.grad = None

    patch.setattr(Module, "zero_grad", wrong)


@fault("behaviour/frozen-module-gets-no-gradients")
def requires_grad_reaches_weights_only(patch):
    def wrong(self, requires_grad=True):
        for name, parameter in self.named_parameters():
            if name.endswith("weight"):
                parameter.requires_grad_(requires_grad)
        return self

    patch.setattr(Module, "requires_grad_", wrong)
