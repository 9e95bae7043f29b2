"""requires_grad_ and zero_grad: what they reach in a tree, and what they leave alone."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.contract import clause, for_any_module
from conformance.model.hooks import backward
from conformance.suite.support.numbers import approximately, flat
from strategies import blueprints
from strategies.hooks import linears
from strategies.inputs import rows
from strategies.tensors import FLOATING


def freeze(implementation, subject, places):
    """Freeze the parameters at the places that the bits of the number say; none for 0."""
    for place, (_, path) in enumerate(subject.model.named_parameters()):
        if places >> place % 4 & 1:
            subject[path].requires_grad = False


@clause(
    "modes/requires_grad_-sets-every-parameter",
    "torch.nn.Module.requires_grad_",
    "This method sets the parameters' :attr:`requires_grad` attributes in-place.",
    since="1.2",
    needs="Module.requires_grad_",
)
@for_any_module(blueprint=blueprints(dtypes=FLOATING), flag=st.booleans())
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
@for_any_module(blueprint=blueprints(dtypes=FLOATING), flag=st.booleans())
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
@for_any_module(blueprint=blueprints(dtypes=FLOATING), flag=st.booleans(), place=st.integers(0, 23))
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
    needs=("computation", "autograd", "Module.requires_grad_", "Linear"),
)
@for_any_module(blueprint=linears(), place=st.integers(0, 2), rows=rows())
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
    needs=("computation", "autograd", "Module.zero_grad(set_to_none)", "Linear"),
)
@for_any_module(blueprint=linears(), rows=rows(), given_argument=st.booleans(), frozen=st.integers(0, 15))
def test_zero_grad_sets_every_gradient_to_none(implementation, device, blueprint, rows, given_argument, frozen):
    """zero_grad() and zero_grad(set_to_none=True) set the gradient of every parameter of the tree to None, of those
    frozen meanwhile too, and leave the values."""
    subject = implementation.build(blueprint, device)
    implementation.backward(subject.module(implementation.tensor(rows, device=device)))
    for path, gradient in backward(subject.model, rows).of_parameters().items():
        assert implementation.read(implementation.grad(subject[path])).flat == approximately(gradient), path
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
    needs=("computation", "autograd", "Module.zero_grad(set_to_none)", "Linear"),
)
@for_any_module(blueprint=linears(), rows=rows(), place=st.integers(0, 2), frozen=st.integers(0, 15))
def test_zero_grad_without_none_fills_gradients_with_zeros(implementation, device, blueprint, rows, place, frozen):
    """zero_grad(set_to_none=False) sets every gradient that is there to zero, also of parameters frozen meanwhile, and
    leaves the values and those gradients that are None."""
    subject = implementation.build(blueprint, device)
    layer = list(subject.model.modules_.values())[place % len(subject.model.modules_)]
    implementation.backward(subject[layer.path](implementation.tensor(rows, device=device)))
    reached = backward(layer, rows).of_parameters()
    for path, gradient in reached.items():
        assert implementation.read(implementation.grad(subject[path])).flat == approximately(gradient), path
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
    needs=("computation", "autograd", "Linear"),
)
@for_any_module(blueprint=linears(), first_rows=rows(), second_rows=rows(), reset=st.booleans())
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
