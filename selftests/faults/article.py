"""What the founding article says wrongly, or what it warns of, as implementations."""

from __future__ import annotations

from conformance.reference import BatchNorm1d, DataParallel, Module, ModuleList
from conformance.reference import Tensor as ReferenceTensor
from selftests.faults import fault

setattr_ = Module.__setattr__


@fault("article/members-filed-by-type")
def plain_tensors_become_buffers(patch):
    def wrong(self, name, value):
        setattr_(self, name, value)
        if type(value) is ReferenceTensor and self._slot(name) is None:
            object.__delattr__(self, name)
            self.register_buffer(name, value)

    patch.setattr(Module, "__setattr__", wrong)


@fault("article/layers-in-a-plain-list-are-lost", "registration/optimizer-says-empty-parameter-list")
def layers_in_a_plain_list_are_registered(patch):
    def wrong(self, name, value):
        if isinstance(value, list) and value and isinstance(value[0], Module):
            value = ModuleList(value)
        setattr_(self, name, value)

    patch.setattr(Module, "__setattr__", wrong)


@fault("article/module_list-keys-count-the-pooling-layer")
def a_list_counts_layers_with_parameters_only(patch):
    def wrong(self, *args, destination=None, prefix="", keep_vars=False):
        numbers = {}
        state = state_dict(self, *args, destination=destination, prefix=prefix, keep_vars=keep_vars)
        for key in [key for key in state if key.startswith("gemfield.")]:
            _, number, name = key.split(".")
            numbers.setdefault(number, str(len(numbers)))
            state[f"gemfield.{numbers[number]}.{name}"] = state.pop(key)
        return state

    state_dict = Module.state_dict
    patch.setattr(Module, "state_dict", wrong)


@fault("article/state_dict-keys", "article/data_parallel-keys")
def biases_are_not_saved(patch):
    def wrong(self):
        return {name: tensor for name, tensor in own_state(self).items() if name != "bias"}

    own_state = Module._own_state
    patch.setattr(Module, "_own_state", wrong)


@fault("article/strict-load-requires-equal-keys")
def keys_are_never_compared(patch):
    patch.setattr(Module, "_strict_errors", lambda self, keys: [])


@fault("article/data_parallel-keys", "article/data_parallel-checkpoint-without-prefix")
def data_parallel_hides_its_prefix(patch):
    patch.setattr(DataParallel, "state_dict", lambda self, *args, **kwargs: self.module.state_dict(*args, **kwargs))


@fault("article/buffers-are-kept-with-the-parameters")
def running_statistics_are_plain_attributes(patch):
    def wrong(self, *args, **kwargs):
        init(self, *args, **kwargs)
        mean = self.running_mean
        del self.running_mean
        object.__setattr__(self, "running_mean", mean)

    init = BatchNorm1d.__init__
    patch.setattr(BatchNorm1d, "__init__", wrong)
    # The adapter assigns the known values afterwards, which must not file them either.


@fault("article/call-runs-forward-and-its-hooks", "article/hooks-can-change-the-output")
def forward_hooks_see_no_output(patch):
    def wrong(self, call):
        self._run_forward_hooks(call)
        call.output = self.forward(*call.args, **call.kwargs)

    patch.setattr(Module, "_run", wrong)


@fault("article/pre-hooks-can-change-the-input")
def pre_hooks_cannot_change_the_input(patch):
    patch.setattr(Module, "_replace_args", lambda self, call, result: None)


@fault("article/hooks-can-change-the-output")
def forward_hooks_cannot_change_the_output(patch):
    def wrong(self, hook, call):
        output = call.output
        run(self, hook, call)
        call.output = output

    run = Module._run_forward_hook
    patch.setattr(Module, "_run_forward_hook", wrong)


@fault("article/backward-hooks-wait-for-the-backward-pass")
def backward_hooks_run_in_the_call(patch):
    patch.setattr(
        Module, "register_full_backward_hook", lambda self, hook, prepend=False: self.register_forward_hook(hook)
    )


@fault("article/eval-makes-the-output-repeatable")
def eval_stops_at_the_children(patch):
    def train(self, mode=True):
        self.training = mode
        return self

    patch.setattr(Module, "train", train)


@fault("article/save-and-load-a-state_dict")
def loading_leaves_the_first_entry_alone(patch):
    def wrong(self, state_dict, *args, **kwargs):
        own = self.state_dict()
        first = next(iter(own))
        return load(self, {**state_dict, first: own[first]}, *args, **kwargs)

    load = Module.load_state_dict
    patch.setattr(Module, "load_state_dict", wrong)
