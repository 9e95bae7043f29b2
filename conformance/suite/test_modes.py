"""Training and evaluation mode, requires_grad_ and zero_grad: what they reach in a tree and what they leave alone."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from conformance import model
from conformance.contract import OBSERVED, clause, given
from conformance.language import blueprint as bp
from conformance.model.hooks import backward
from conformance.suite.support.numbers import approximately, flat
from strategies import blueprints, callables, fills
from strategies.hooks import linears
from strategies.inputs import rows
from strategies.tensors import FLOATING

TRAIN = "torch.nn.Module.train"
EVAL = "torch.nn.Module.eval"


def modes(subject):
    """The training flag of every module of the built tree, by path."""
    return {module.path: subject[module.path].training for module in subject.model.modules()}


def freeze(implementation, subject, places):
    """Freeze the parameters at the places that the bits of the number say; none for 0."""
    for place, (_, path) in enumerate(subject.model.named_parameters()):
        if places >> place % 4 & 1:
            subject[path].requires_grad = False


def chosen(subject, place):
    """One module of the tree, and the paths of all modules below it and its own."""
    module = subject.model.modules()[place % len(subject.model.modules())]
    return subject[module.path], {below.path for below in module.modules()}


@clause(
    "modes/train-reaches-every-descendant",
    TRAIN,
    "whether to set training mode (``True``) or evaluation mode (``False``). Default: ``True``.",
)
@given(blueprint=blueprints(), mode=st.booleans())
def test_train_sets_the_mode_of_the_module_and_every_descendant(implementation, device, blueprint, mode):
    """train(mode) sets training to mode on the module and on every module below it, whatever their modes were, shared
    modules too."""
    subject = implementation.build(blueprint, device)
    subject.module.train(mode)
    assert modes(subject) == dict.fromkeys(subject.model.modes(), mode)


@clause(
    "modes/train-without-argument",
    TRAIN,
    "Set the module in training mode.",
)
@given(blueprint=blueprints())
def test_train_without_an_argument_means_training_mode(implementation, device, blueprint):
    """train() sets training to True on the module and on every module below it."""
    subject = implementation.build(blueprint.replace(training=False), device)
    subject.module.train()
    assert modes(subject) == dict.fromkeys(subject.model.modes(), True)


@clause(
    "modes/eval-is-train-false",
    EVAL,
    "This is equivalent with :meth:`self.train(False) <torch.nn.Module.train>`.",
)
@given(blueprint=blueprints())
def test_eval_sets_evaluation_mode_everywhere(implementation, device, blueprint):
    """eval() sets training to False on the module and on every module below it."""
    subject = implementation.build(blueprint, device)
    subject.module.eval()
    assert modes(subject) == dict.fromkeys(subject.model.modes(), False)


@clause(
    "modes/train-returns-self",
    TRAIN,
    "Returns: Module: self",
)
@given(blueprint=blueprints(), mode=st.booleans(), place=st.integers(0, 23))
def test_train_and_eval_return_the_module_itself(implementation, device, blueprint, mode, place):
    """train(), train(mode) and eval() return the module that they were called on."""
    module, _ = chosen(implementation.build(blueprint, device), place)
    assert module.train() is module
    assert module.train(mode) is module
    assert module.eval() is module


@clause(
    "modes/train-of-a-part",
    TRAIN,
    "Set the module in training mode.",
)
@given(blueprint=blueprints(), mode=st.booleans(), place=st.integers(0, 23))
def test_train_of_a_submodule_leaves_the_rest_of_the_tree(implementation, device, blueprint, mode, place):
    """train(mode) of one module of a tree changes the modes of that module and those below it only."""
    subject = implementation.build(blueprint, device)
    module, below = chosen(subject, place)
    module.train(mode)
    assert modes(subject) == {path: mode if path in below else was for path, was in subject.model.modes().items()}


@clause(
    "modes/train-changes-only-the-mode",
    TRAIN,
    "This has an effect only on certain modules.",
)
@given(blueprint=blueprints(attributes=False), mode=st.booleans())
def test_train_and_eval_change_neither_tensors_nor_requires_grad(implementation, device, blueprint, mode):
    """train(mode) leaves the parameters and buffers the same objects with the same values, and requires_grad as it
    was."""
    subject = implementation.build(blueprint, device)
    subject.module.train(mode)
    assert subject.named(subject.module.named_parameters()) == subject.model.named_parameters()
    assert subject.named(subject.module.named_buffers()) == subject.model.named_buffers()
    assert subject.readings() == subject.expected_readings()
    expected = {path: tensor.requires_grad for path, tensor in subject.model.tensors().items()}
    assert {path: implementation.requires_grad(subject[path]) for path in expected} == expected


@clause(
    "modes/train-refuses-other-values",
    "source:torch.nn.Module.train",
    'raise ValueError("training mode is expected to be boolean")',
    severity=OBSERVED,
    since="1.9",
)
@given(blueprint=blueprints(), mode=st.sampled_from((0, 1, None, "eval", 1.0, (), [True])))
def test_train_refuses_a_mode_that_is_no_bool(implementation, device, blueprint, mode):
    """train(mode) raises ValueError where mode is no bool, and no mode changes."""
    subject = implementation.build(blueprint, device)
    with pytest.raises(ValueError):
        subject.module.train(mode)
    assert modes(subject) == subject.model.modes()


@clause(
    "modes/train-honours-overrides",
    "source:torch.nn.Module.train",
    "module.train(mode)",
    severity=OBSERVED,
)
@given(blueprint=blueprints(), mode=st.booleans(), name=st.sampled_from(("pinned", "last")))
def test_train_goes_through_the_children_s_own_train(implementation, device, blueprint, mode, name):
    """train(mode) is passed on by calling train(mode) of every child, so that a class which overrides train is
    honoured."""
    subject, seen = implementation.build(blueprint, device), []

    class Pinned(implementation.Module):
        def train(self, mode=True):
            seen.append(mode)
            return super().train(False)

    pinned = Pinned()
    subject.module.add_module(name, pinned)
    subject.module.train(mode)
    assert seen == [mode]
    assert pinned.training is False
    assert modes(subject) == dict.fromkeys(subject.model.modes(), mode)


@clause(
    "modes/new-modules-train",
    "https://docs.pytorch.org/docs/stable/notes/modules.html",
    "Modules default to training mode and can be switched between training and evaluation modes using",
    needs="Module.train",
)
@given(
    kind=st.sampled_from(("Module", "Sequential", "ModuleList", "ModuleDict", "Identity", "ReLU", "Dropout")),
    parent_mode=st.booleans(),
)
def test_a_new_module_is_in_training_mode_and_stays_so_when_added(implementation, device, kind, parent_mode):
    """A new module is in training mode, and adding it to a module in either mode changes neither mode."""
    child, parent = getattr(implementation, kind)(), implementation.Module()
    assert child.training is True
    parent.train(parent_mode)
    parent.child = child
    assert (parent.training, child.training) == (parent_mode, True)


@clause(
    "modes/dropout-in-evaluation",
    "torch.nn.Dropout",
    "during evaluation the module simply computes an identity function.",
    needs="Dropout",
)
@given(p=st.sampled_from((0.5, 0.0, 0.25, 0.9)), rows=rows())
def test_dropout_in_evaluation_mode_is_the_identity(implementation, device, p, rows):
    """Dropout in evaluation mode returns its input unchanged."""
    module = implementation.Dropout(p).eval()
    assert implementation.read(module(implementation.tensor(rows, device=device))).flat == tuple(flat(rows))


@clause(
    "modes/dropout-in-training",
    "torch.nn.Dropout",
    r"the outputs are scaled by a factor of :math:`\frac{1}{1-p}` during training.",
    needs="Dropout",
)
@given(p=st.sampled_from((0.5, 0.25, 0.75)), x=st.sampled_from((1.0, -2.0, 0.25)))
def test_dropout_in_training_mode_zeroes_or_scales_every_element(implementation, device, p, x):
    """Dropout(p) in training mode sets elements of its input to zero with probability p and multiplies the others by
    1/(1-p)."""
    module = implementation.Dropout(p).train()
    output = implementation.read(module(implementation.tensor([[x] * 2000], device=device))).flat
    assert sorted(set(output), key=abs) == [0.0, pytest.approx(x / (1 - p))]
    # 0.15 is more than 13 standard deviations of the share: chance does not come that far.
    assert abs(output.count(0.0) / 2000 - p) < 0.15


@clause(
    "modes/batch-norm-in-evaluation",
    "torch.nn.BatchNorm1d",
    "this layer keeps running estimates of its computed mean and variance, which are then used for normalization "
    "during evaluation.",
    needs="BatchNorm1d",
)
@given(fill=fills(), rows=rows())
def test_batch_norm_in_evaluation_mode_uses_and_keeps_its_running_statistics(implementation, device, fill, rows):
    """BatchNorm1d in evaluation mode normalizes with its running mean and variance and leaves them and every other
    state as they are."""
    subject = implementation.build(bp.BatchNorm1d(2, fill=fill, training=False), device)
    output = subject.module(implementation.tensor(rows, device=device))
    assert implementation.read(output).flat == approximately(model.forward(subject.model, rows))
    assert subject.readings() == subject.expected_readings()


@clause(
    "modes/batch-norm-in-training",
    "torch.nn.BatchNorm1d",
    r"\hat{x}_\text{new} = (1 - \text{momentum}) \times \hat{x} + \text{momentum} \times x_t",
    needs="BatchNorm1d",
)
@given(fill=fills(), rows=rows(min_size=2))
def test_batch_norm_in_training_mode_updates_its_running_statistics(implementation, device, fill, rows):
    """BatchNorm1d in training mode moves its running mean and variance by the momentum 0.1 towards the batch's mean and
    unbiased variance, and leaves its weight and bias."""
    subject = implementation.build(bp.BatchNorm1d(2, fill=fill), device)
    before = subject.expected_readings()
    subject.module(implementation.tensor(rows, device=device))
    after = subject.readings()
    mean = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    variance = [
        sum((x - m) ** 2 for x in column) / (len(rows) - 1)
        for column, m in zip(zip(*rows, strict=True), mean, strict=False)
    ]
    for name, batch in {"running_mean": mean, "running_var": variance}.items():
        assert after[name].flat == approximately(
            [[0.9 * x + 0.1 * b for x, b in zip(before[name].flat, batch, strict=True)]]
        )
    assert (after["weight"], after["bias"]) == (before["weight"], before["bias"])


@clause(
    "modes/evaluation-is-deterministic",
    EVAL,
    "i.e. whether they are affected, e.g. :class:`Dropout`, :class:`BatchNorm`, etc.",
)
@given(blueprint=callables(), rows=rows(), times=st.integers(1, 3))
def test_a_tree_in_evaluation_mode_computes_the_same_every_time(implementation, device, blueprint, rows, times):
    """After eval() every call of a tree with Dropout and BatchNorm layers gives the same output, and no parameter or
    buffer changes."""
    subject = implementation.build(blueprint, device)
    subject.module.eval()
    expected = approximately(model.forward(subject.model, rows))
    for _ in range(times):
        assert implementation.read(subject.module(implementation.tensor(rows, device=device))).flat == expected
    assert subject.readings() == subject.expected_readings()


@clause(
    "modes/evaluation-still-records-gradients",
    TRAIN,
    "This has an effect only on certain modules.",
    needs=("autograd", "Linear"),
)
@given(blueprint=linears(), mode=st.booleans(), rows=rows())
def test_gradients_are_the_same_in_either_mode(implementation, device, blueprint, mode, rows):
    """Layers that the mode does not concern compute the same gradients in training and in evaluation mode."""
    subject = implementation.build(blueprint, device)
    subject.module.train(mode)
    implementation.backward(subject.module(implementation.tensor(rows, device=device)))
    for path, expected in backward(subject.model, rows).of_parameters().items():
        assert implementation.read(implementation.grad(subject[path])).flat == approximately(expected), path


@clause(
    "modes/requires_grad_-sets-every-parameter",
    "torch.nn.Module.requires_grad_",
    "This method sets the parameters' :attr:`requires_grad` attributes in-place.",
    since="1.2",
    needs="Module.requires_grad_",
)
@given(blueprint=blueprints(dtypes=FLOATING), flag=st.booleans())
def test_requires_grad_sets_the_flag_of_every_parameter_in_place(implementation, device, blueprint, flag):
    """requires_grad_(flag) sets requires_grad of every parameter of the tree, which stay the same objects with the same
    values, and of no buffer."""
    subject = implementation.build(blueprint, device)
    subject.module.requires_grad_(flag)
    for path, tensor in subject.model.tensors().items():
        assert implementation.requires_grad(subject[path]) is (flag and tensor.kind == "parameter"), path
    assert subject.named(subject.module.named_parameters()) == subject.model.named_parameters()
    assert subject.readings() == subject.expected_readings()


@clause(
    "modes/requires_grad_-default-and-result",
    "torch.nn.Module.requires_grad_",
    "whether autograd should record operations on parameters in this module. Default: ``True``. Returns: Module: self",
    since="1.2",
    needs="Module.requires_grad_",
)
@given(blueprint=blueprints(dtypes=FLOATING), flag=st.booleans())
def test_requires_grad_defaults_to_true_and_returns_the_module(implementation, device, blueprint, flag):
    """requires_grad_() means requires_grad_(True), and both return the module."""
    subject = implementation.build(blueprint, device)
    assert subject.module.requires_grad_(flag) is subject.module
    assert subject.module.requires_grad_() is subject.module
    parameters = [path for _, path in subject.model.named_parameters()]
    assert all(implementation.requires_grad(subject[path]) for path in parameters)


@clause(
    "modes/requires_grad_-of-a-part",
    "torch.nn.Module.requires_grad_",
    "This method is helpful for freezing part of the module for finetuning or training parts of a model individually",
    since="1.2",
    needs="Module.requires_grad_",
)
@given(blueprint=blueprints(dtypes=FLOATING), flag=st.booleans(), place=st.integers(0, 23))
def test_requires_grad_of_a_submodule_leaves_the_other_parameters(implementation, device, blueprint, flag, place):
    """requires_grad_(flag) of one module of a tree sets the parameters of that module and those below it only."""
    subject = implementation.build(blueprint, device)
    modules = subject.model.modules()
    part = modules[place % len(modules)]
    subject[part.path].requires_grad_(flag)
    inside = {path for _, path in part.named_parameters()}
    for path, tensor in subject.model.tensors().items():
        assert implementation.requires_grad(subject[path]) is (flag if path in inside else tensor.requires_grad), path


@clause(
    "modes/requires_grad_-freezes",
    "torch.nn.Module.requires_grad_",
    "Change if autograd should record operations on parameters in this module.",
    since="1.2",
    needs=("autograd", "Module.requires_grad_", "Linear"),
)
@given(blueprint=linears(), place=st.integers(0, 2), rows=rows())
def test_a_frozen_part_collects_no_gradients(implementation, device, blueprint, place, rows):
    """After requires_grad_(False) of one layer a backward pass leaves no gradients on its parameters, and the same
    gradients as ever on the others and the input."""
    subject = implementation.build(blueprint, device)
    layer = list(subject.model.modules_.values())[place % len(subject.model.modules_)]
    subject[layer.path].requires_grad_(False)
    x = implementation.parameter(implementation.tensor(rows, device=device))
    implementation.backward(subject.module(x))
    result, frozen = backward(subject.model, rows), {path for _, path in layer.named_parameters()}
    assert implementation.read(implementation.grad(x)).flat == approximately(result.grads["input"])
    for path, expected in result.of_parameters().items():
        grad = implementation.grad(subject[path])
        if path in frozen:
            assert grad is None, path
        else:
            assert implementation.read(grad).flat == approximately(expected), path


@clause(
    "modes/zero_grad-sets-gradients-to-none",
    "torch.optim.Optimizer.zero_grad",
    "Instead of setting to zero, set the grads to None. Default: ``True``",
    since="2.0",
    needs=("autograd", "Module.zero_grad(set_to_none)", "Linear"),
)
@given(blueprint=linears(), rows=rows(), given_argument=st.booleans(), frozen=st.integers(0, 15))
def test_zero_grad_sets_every_gradient_to_none(implementation, device, blueprint, rows, given_argument, frozen):
    """zero_grad() and zero_grad(set_to_none=True) set the gradient of every parameter of the tree to None, of those
    frozen meanwhile too, and leave the values."""
    subject = implementation.build(blueprint, device)
    implementation.backward(subject.module(implementation.tensor(rows, device=device)))
    freeze(implementation, subject, frozen)
    result = subject.module.zero_grad(set_to_none=True) if given_argument else subject.module.zero_grad()
    assert result is None
    assert {path: implementation.grad(subject[path]) for path in subject.model.tensors()} == dict.fromkeys(
        subject.model.tensors()
    )
    assert subject.readings() == subject.expected_readings()


@clause(
    "modes/zero_grad-in-place",
    "torch.nn.Module.zero_grad",
    "set_to_none (bool): instead of setting to zero, set the grads to None.",
    since="1.7",
    needs=("autograd", "Module.zero_grad(set_to_none)", "Linear"),
)
@given(blueprint=linears(), rows=rows(), place=st.integers(0, 2), frozen=st.integers(0, 15))
def test_zero_grad_without_none_fills_gradients_with_zeros(implementation, device, blueprint, rows, place, frozen):
    """zero_grad(set_to_none=False) sets every gradient that is there to zero, also of parameters frozen meanwhile, and
    leaves the values and those gradients that are None."""
    subject = implementation.build(blueprint, device)
    layer = list(subject.model.modules_.values())[place % len(subject.model.modules_)]
    implementation.backward(subject[layer.path](implementation.tensor(rows, device=device)))
    reached = backward(layer, rows).of_parameters()
    freeze(implementation, subject, frozen)
    subject.module.zero_grad(set_to_none=False)
    for path, tensor in subject.model.tensors().items():
        grad = implementation.grad(subject[path])
        if path in reached:
            assert implementation.read(grad).flat == (0.0,) * len(tensor.flat), path
        else:
            assert grad is None, path
    assert subject.readings() == subject.expected_readings()


@clause(
    "modes/zero_grad-starts-afresh",
    "torch.nn.Module.zero_grad",
    "Reset gradients of all model parameters.",
    needs=("autograd", "Linear"),
)
@given(blueprint=linears(), first_rows=rows(), second_rows=rows(), reset=st.booleans())
def test_after_zero_grad_gradients_are_those_of_the_next_pass_alone(
    implementation, device, blueprint, first_rows, second_rows, reset
):
    """Gradients add up over backward passes; after zero_grad() they are those of the passes since."""
    subject = implementation.build(blueprint, device)
    for batch in (first_rows, second_rows):
        if reset:
            subject.module.zero_grad()
        implementation.backward(subject.module(implementation.tensor(batch, device=device)))
    last, before = (backward(subject.model, batch).of_parameters() for batch in (second_rows, first_rows))
    for path in last:
        expected = (
            flat(last[path]) if reset else [a + b for a, b in zip(flat(last[path]), flat(before[path]), strict=True)]
        )
        assert implementation.read(implementation.grad(subject[path])).flat == approximately([expected]), path
