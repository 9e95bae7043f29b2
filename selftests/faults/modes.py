"""Wrong ways to switch modes, to freeze parameters and to drop gradients."""

from __future__ import annotations

from conformance.reference import BatchNorm1d, Dropout
from conformance.reference.module import Module
from conformance.reference.tensor import Tensor
from selftests.faults import fault


@fault("modes/train-reaches-every-descendant", "modes/train-of-a-part")
def train_reaches_children_but_not_what_is_below_them(patch):
    def wrong(self, mode=True):
        for module in (self, *self.children()):
            module.training = mode
        return self

    patch.setattr(Module, "train", wrong)


@fault("modes/train-without-argument", "modes/train-returns-self")
def train_without_an_argument_only_tells_the_mode(patch):
    train = Module.train
    patch.setattr(Module, "train", lambda self, mode=None: self.training if mode is None else train(self, mode))


@fault("modes/eval-is-train-false")
def eval_skips_modules_without_parameters(patch):
    def wrong(self):
        for module in self.modules():
            if any(True for _ in module.parameters()):
                module.training = False
        return self

    patch.setattr(Module, "eval", wrong)


@fault("modes/train-returns-self")
def eval_returns_nothing(patch):
    train = Module.train

    def wrong(self):
        train(self, False)

    patch.setattr(Module, "eval", wrong)


@fault("modes/train-of-a-part")
def modules_of_one_class_have_one_mode(patch):
    modes = {}

    def mode(self):
        return modes[type(self)]

    def set_mode(self, training):
        modes[type(self)] = training

    patch.setattr(Module, "training", property(mode, set_mode), raising=False)


@fault("modes/train-changes-only-the-mode", "modes/evaluation-still-records-gradients")
def evaluation_mode_freezes_the_parameters(patch):
    train = Module.train

    def wrong(self, mode=True):
        for parameter in self.parameters():
            if not mode and parameter.dtype.is_differentiable:
                parameter.requires_grad_(False)
        return train(self, mode)

    patch.setattr(Module, "train", wrong)


@fault("modes/train-refuses-other-values")
def train_takes_anything_for_a_mode(patch):
    train = Module.train
    patch.setattr(Module, "train", lambda self, mode=True: train(self, bool(mode)))


@fault("modes/train-honours-overrides")
def train_sets_the_flags_of_all_descendants_itself(patch):
    def wrong(self, mode=True):
        for module in self.modules():
            module.training = mode
        return self

    patch.setattr(Module, "train", wrong)


@fault("modes/new-modules-train")
def a_child_takes_the_mode_of_its_parent_when_added(patch):
    store = Module._store

    def wrong(self, kind, name, member):
        if kind == "module" and member is not None:
            member.train(self.training)
        store(self, kind, name, member)

    patch.setattr(Module, "_store", wrong)


@fault("modes/dropout-in-evaluation", "modes/evaluation-is-deterministic")
def dropout_ignores_evaluation_mode(patch):
    forward = Dropout.forward

    def wrong(self, input):
        training, self.training = self.training, True
        output = forward(self, input)
        self.training = training
        return output

    patch.setattr(Dropout, "forward", wrong)


@fault("modes/dropout-in-training")
def dropout_scales_by_what_it_drops(patch):
    forward = Dropout.forward

    def wrong(self, input):
        return forward(self, input) * (1 - self.p) if self.training else input

    patch.setattr(Dropout, "forward", wrong)


@fault("modes/batch-norm-in-evaluation", "modes/evaluation-is-deterministic")
def batch_norm_tracks_in_evaluation_mode_too(patch):
    forward = BatchNorm1d.forward

    def wrong(self, input):
        if not self.training:
            self.num_batches_tracked.add_(1)
        return forward(self, input)

    patch.setattr(BatchNorm1d, "forward", wrong)


@fault("modes/batch-norm-in-evaluation")
def batch_norm_normalizes_by_the_batch_in_evaluation_mode(patch):
    def wrong(self, input):
        return (input - input.mean(0)) * (self.running_var + self.eps) ** -0.5 * self.weight + self.bias

    patch.setattr(BatchNorm1d, "forward", wrong)


@fault("modes/batch-norm-in-training")
def batch_norm_tracks_the_biased_variance(patch):
    track = BatchNorm1d._track
    patch.setattr(
        BatchNorm1d,
        "_track",
        lambda self, batch, mean, variance: track(self, batch, mean, variance * ((batch - 1) / batch)),
    )


@fault("modes/requires_grad_-sets-every-parameter", "modes/requires_grad_-of-a-part", "modes/requires_grad_-freezes")
def requires_grad_reaches_the_first_parameter_only(patch):
    def wrong(self, requires_grad=True):
        for parameter in list(self.parameters())[:1]:
            parameter.requires_grad_(requires_grad)
        return self

    patch.setattr(Module, "requires_grad_", wrong)


@fault("modes/requires_grad_-sets-every-parameter", "modes/requires_grad_-of-a-part")
def requires_grad_reaches_buffers_too(patch):
    def wrong(self, requires_grad=True):
        for tensor in (*self.parameters(), *self.buffers()):
            if tensor.dtype.is_differentiable:
                tensor.requires_grad_(requires_grad)
        return self

    patch.setattr(Module, "requires_grad_", wrong)


@fault("modes/requires_grad_-default-and-result")
def requires_grad_without_an_argument_inverts_the_flags(patch):
    def wrong(self, requires_grad=None):
        for parameter in self.parameters():
            parameter.requires_grad_(not parameter.requires_grad if requires_grad is None else requires_grad)
        return self

    patch.setattr(Module, "requires_grad_", wrong)


@fault("modes/zero_grad-sets-gradients-to-none")
def zero_grad_fills_with_zeros_by_default(patch):
    zero = Module.zero_grad
    patch.setattr(Module, "zero_grad", lambda self, set_to_none=False: zero(self, set_to_none))


@fault("modes/zero_grad-in-place")
def zero_grad_makes_zeros_where_there_were_no_gradients(patch):
    def wrong(self, set_to_none=True):
        for parameter in self.parameters():
            parameter.grad = None if set_to_none else parameter.detach() * 0.0

    patch.setattr(Module, "zero_grad", wrong)


@fault("modes/zero_grad-starts-afresh", "modes/zero_grad-sets-gradients-to-none")
def zero_grad_leaves_the_children(patch):
    def wrong(self, set_to_none=True):
        for parameter in self.parameters(recurse=False):
            parameter.grad = None

    patch.setattr(Module, "zero_grad", wrong)


@fault("modes/zero_grad-sets-gradients-to-none", "modes/zero_grad-in-place")
def zero_grad_skips_frozen_parameters(patch):
    def wrong(self, set_to_none=True):
        for parameter in self.parameters():
            if parameter.requires_grad:
                parameter.grad = None if set_to_none or parameter.grad is None else parameter.grad * 0.0

    patch.setattr(Module, "zero_grad", wrong)


@fault("modes/dropout-in-training")
def dropout_keeps_with_the_probability_of_dropping(patch):
    forward = Dropout.forward

    def wrong(self, input):
        if not self.training:
            return forward(self, input)
        p, self.p = self.p, 1 - self.p
        output = forward(self, input) * (p / (1 - p))
        self.p = p
        return output

    patch.setattr(Dropout, "forward", wrong)


@fault("modes/train-changes-only-the-mode")
def train_unfreezes_the_own_parameters_of_what_was_in_evaluation_mode(patch):
    def wrong(self, mode=True):
        was = self.training
        train(self, mode)
        for parameter in self.parameters(recurse=False) if mode and not was else ():
            if parameter.dtype.is_differentiable:
                parameter.requires_grad_(True)
        return self

    train = Module.train
    patch.setattr(Module, "train", wrong)


@fault(
    "modes/zero_grad-sets-gradients-to-none",
    "modes/zero_grad-in-place",
    "behaviour/zero_grad-forgets-the-backward-pass",
    "behaviour/frozen-module-gets-no-gradients",
)
def backward_fills_no_gradients(patch):
    patch.setattr(Tensor, "backward", lambda self, *args, **kwargs: None)
