"""Wrong ways to copy and to pickle modules."""

from __future__ import annotations

import copy

from conformance import reference
from conformance.reference.hooks import Hook, HookList
from conformance.reference.module import Module
from conformance.reference.state import Stateful
from conformance.reference.tensor import Tensor, rebuild_tensor
from selftests.faults import fault


def set_state(patch, **changed):
    """Let a copy of a module begin with these attributes, whatever the module has."""

    def wrong(self, state):
        fresh = {name: copy.copy(value) for name, value in changed.items()}
        vars(self).update({**self._initial_state(), **state, **fresh})

    patch.setattr(Module, "__setstate__", wrong)


@fault("copying/deepcopy-keeps-modes-and-attributes", "copying/pickle-keeps-modes-and-attributes")
def copies_begin_in_training_mode(patch):
    set_state(patch, training=True)


@fault("copying/deepcopy-keeps-persistence", "copying/pickle-keeps-persistence")
def all_buffers_of_a_copy_are_persistent(patch):
    set_state(patch, _non_persistent_buffers_set=set())


@fault("copying/deepcopy-keeps-hooks", "copying/pickle-keeps-hooks")
def copies_have_no_forward_hooks(patch):
    set_state(patch, _forward_hooks=HookList())


@fault("copying/deepcopy-keeps-backward-hooks", "copying/pickle-keeps-backward-hooks")
def copies_have_no_backward_hooks(patch):
    set_state(patch, _backward_hooks=HookList(), _backward_pre_hooks=HookList())


@fault("copying/deepcopy-keeps-state_dict-hooks", "copying/pickle-keeps-state_dict-hooks")
def copies_have_no_hooks_after_state_dict(patch):
    set_state(patch, _state_dict_hooks=HookList())


@fault("copying/deepcopy-keeps-state_dict-hooks", "copying/pickle-keeps-state_dict-hooks")
def copies_have_no_hooks_before_load_state_dict(patch):
    set_state(patch, _load_state_dict_pre_hooks=HookList())


def set_option(patch, **changed):
    """Let a copy of a hook have these options, whatever it was registered with."""
    patch.setattr(Hook, "__setstate__", lambda self, state: vars(self).update({**state, **changed}), raising=False)


@fault("copying/deepcopy-keeps-hook-options", "copying/pickle-keeps-hook-options")
def the_hooks_of_copies_get_no_keyword_arguments(patch):
    set_option(patch, with_kwargs=False)


@fault("copying/deepcopy-keeps-hook-options", "copying/pickle-keeps-hook-options")
def the_hooks_of_copies_are_not_always_called(patch):
    set_option(patch, always_call=False)


@fault("copying/deepcopy-keeps-hook-options", target="torch")
def deep_copies_forget_which_hooks_get_keyword_arguments(patch):
    from torch import nn

    def wrong(self, state):
        right(self, state)
        self._forward_hooks_with_kwargs = {}

    right = nn.Module.__setstate__
    patch.setattr(nn.Module, "__setstate__", wrong)


@fault(
    "copying/deepcopy-keeps-hooks", "copying/deepcopy-keeps-backward-hooks", "copying/deepcopy-keeps-state_dict-hooks"
)
def deep_copies_share_the_hooks_of_the_module(patch):
    patch.setattr(HookList, "__deepcopy__", lambda self, memo: self, raising=False)


@fault("copying/deepcopy-keeps-ties", "copying/pickle-keeps-ties")
def tied_parameters_come_apart_in_copies(patch):
    def state(self):
        own = {name: copy.deepcopy(parameter) for name, parameter in self._parameters.items()}
        return {**vars(self), "_parameters": own}

    patch.setattr(Module, "__getstate__", state, raising=False)


@fault("copying/deepcopy-keeps-ties", "copying/pickle-keeps-ties")
def tied_buffers_come_apart_in_copies(patch):
    def state(self):
        own = {name: copy.deepcopy(buffer) for name, buffer in self._buffers.items()}
        return {**vars(self), "_buffers": own}

    patch.setattr(Module, "__getstate__", state, raising=False)


@fault("copying/deepcopy-shares-nothing", "copying/deepcopy-of-a-state_dict-is-a-snapshot")
def deep_copies_of_tensors_look_at_the_same_storage(patch):
    def wrong(self, memo):
        made = type(self)._over(self._storage, self._offset, self._shape)
        made._requires_grad = self._requires_grad
        return memo.setdefault(id(self), made)

    patch.setattr(Tensor, "__deepcopy__", wrong)


@fault("copying/deepcopy-of-a-state_dict-is-a-snapshot")
def a_state_dict_holds_copies(patch):
    state_dict = Stateful.state_dict
    patch.setattr(Stateful, "state_dict", lambda self, **options: copy.deepcopy(state_dict(self, **options)))


@fault("copying/deepcopy-keeps-names-and-values")
def a_deep_copied_parameter_requires_no_gradients(patch):
    deepcopy = Tensor.__deepcopy__

    def wrong(self, memo):
        made = deepcopy(self, memo)
        made._requires_grad = False
        return made

    patch.setattr(Tensor, "__deepcopy__", wrong)


@fault("copying/pickle-keeps-names-and-values")
def pickled_tensors_are_float32(patch):
    def wrong(self, protocol):
        cast = self.detach().to(reference.float32) if self.is_floating_point() else self
        return rebuild_tensor, (
            type(self),
            cast._storage,
            cast._offset,
            self._shape,
            self.requires_grad,
            dict(self.__dict__),
        )

    patch.setattr(Tensor, "__reduce_ex__", wrong)
