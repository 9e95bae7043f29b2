"""Training and evaluation mode: what train() and eval() reach in a tree, and what the layers do in either."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from conformance import model
from conformance.contract import OBSERVED, clause, for_any_module, given
from conformance.language import blueprint as bp
from conformance.model.hooks import backward
from conformance.suite.support.numbers import approximately, flat
from strategies import blueprints, callables, fills
from strategies.hooks import linears
from strategies.inputs import rows

TRAIN = "torch.nn.Module.train"
EVAL = "torch.nn.Module.eval"


def modes(subject):
    """The training flag of every module of the built tree, by path."""
    return {module.path: subject[module.path].training for module in subject.model.modules()}


def chosen(subject, place):
    """One module of the tree, and the paths of all modules below it and its own."""
    module = subject.model.modules()[place % len(subject.model.modules())]
    return subject[module.path], {below.path for below in module.modules()}


@clause(
    "modes/train-reaches-every-descendant",
    TRAIN,
    "whether to set training mode (``True``) or evaluation mode (``False``). Default: ``True``.",
)
@for_any_module(blueprint=blueprints(), mode=st.booleans())
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
@for_any_module(blueprint=blueprints())
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
@for_any_module(blueprint=blueprints())
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
@for_any_module(blueprint=blueprints(), mode=st.booleans(), place=st.integers(0, 23))
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
@for_any_module(blueprint=blueprints(), mode=st.booleans(), place=st.integers(0, 23))
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
@for_any_module(blueprint=blueprints(attributes=False), mode=st.booleans())
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
@for_any_module(blueprint=blueprints(), mode=st.sampled_from((0, 1, None, "eval", 1.0, (), [True])))
def test_train_refuses_a_mode_that_is_no_bool(implementation, device, blueprint, mode):
    """train(mode) raises ValueError where mode is no bool, and no mode changes."""
    subject = implementation.build(blueprint, device)
    with pytest.raises(ValueError):
        subject.module.train(mode)
    assert modes(subject) == subject.model.modes()
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "modes/train-honours-overrides",
    "source:torch.nn.Module.train",
    "module.train(mode)",
    severity=OBSERVED,
)
@for_any_module(blueprint=blueprints(), mode=st.booleans(), name=st.sampled_from(("pinned", "last")))
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
    needs="computation",
)
@for_any_module(blueprint=callables(), rows=rows(), times=st.integers(1, 3))
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
    needs=("computation", "autograd", "Linear"),
)
@for_any_module(blueprint=linears(), mode=st.booleans(), rows=rows())
def test_gradients_are_the_same_in_either_mode(implementation, device, blueprint, mode, rows):
    """Layers that the mode does not concern compute the same gradients in training and in evaluation mode."""
    subject = implementation.build(blueprint, device)
    subject.module.train(mode)
    implementation.backward(subject.module(implementation.tensor(rows, device=device)))
    for path, expected in backward(subject.model, rows).of_parameters().items():
        assert implementation.read(implementation.grad(subject[path])).flat == approximately(expected), path
