"""Full backward hooks and pre-hooks: which gradients they receive, what their results replace, and when they fire."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from conformance import model
from conformance.contract import OBSERVED, RECOMMENDED, clause, for_any_module, given
from conformance.model.hooks import backward
from conformance.suite.support.gradients import doubling, leaf, read_grad
from conformance.suite.support.numbers import approximately
from strategies.hooks import linears
from strategies.inputs import rows

PRE = "torch.nn.Module.register_full_backward_pre_hook"
POST = "torch.nn.Module.register_full_backward_hook"
PRE_HOOKS = ("autograd", "Module.register_full_backward_pre_hook")
HOOKS = ("autograd", "Module.register_full_backward_hook")
BOTH = ("autograd", "Module.register_full_backward_pre_hook", "Module.register_full_backward_hook(prepend)")
KINDS = ("full_backward_pre", "full_backward")


@clause(
    "hooks_backward/hook-receives-gradients",
    POST,
    "The :attr:`grad_input` and :attr:`grad_output` are tuples that contain the gradients with respect to the inputs "
    "and outputs respectively.",
    since="1.8",
    needs=("computation", *HOOKS),
)
@for_any_module(blueprint=linears(), rows=rows())
def test_a_backward_hook_receives_the_gradients_of_input_and_output(implementation, device, blueprint, rows):
    """A full backward hook is called as hook(module, grad_input, grad_output) with tuples of the gradients of the
    module's inputs and outputs, at every module of a tree."""
    subject, seen = implementation.build(blueprint, device), {}

    def record(module, *grads):
        assert [type(grad) for grad in grads] == [tuple, tuple]
        seen[subject.path(module)] = [[implementation.read(g).flat for g in grad] for grad in grads]

    for module in subject.model.modules():
        subject[module.path].register_full_backward_hook(record)
    implementation.backward(subject.module(leaf(implementation, rows, device)))
    expected = backward(subject.model, rows).received
    assert set(seen) == set(expected)
    for path, grads in expected.items():
        assert seen[path] == [[approximately(grad)] for grad in grads], path


@clause(
    "hooks_backward/pre_hook-receives-grad_output",
    PRE,
    "The :attr:`grad_output` is a tuple.",
    since="2.0",
    needs=("computation", *PRE_HOOKS),
)
@for_any_module(blueprint=linears(), rows=rows())
def test_a_backward_pre_hook_receives_the_gradient_of_the_output(implementation, device, blueprint, rows):
    """A full backward pre-hook is called as hook(module, grad_output) with a tuple of the gradients of the module's
    outputs, at every module of a tree."""
    subject, seen = implementation.build(blueprint, device), {}

    def record(module, *grads):
        assert [type(grad) for grad in grads] == [tuple]
        seen[subject.path(module)] = [implementation.read(grad).flat for grad in grads[0]]

    for module in subject.model.modules():
        subject[module.path].register_full_backward_pre_hook(record)
    implementation.backward(subject.module(leaf(implementation, rows, device)))
    expected = backward(subject.model, rows).received
    assert set(seen) == set(expected)
    for path, (_, grad_output) in expected.items():
        assert seen[path] == [approximately(grad_output)], path


@clause(
    "hooks_backward/hooks-fire-in-the-backward-pass",
    POST,
    "The hook will be called every time the gradients with respect to a module are computed",
    since="2.0",
    needs=("computation", *BOTH),
)
@for_any_module(blueprint=linears(*KINDS, prepend=False, adds=False), rows=rows(), times=st.integers(1, 3))
def test_backward_hooks_fire_in_every_backward_pass_and_not_before(implementation, device, blueprint, rows, times):
    """Full backward pre-hooks and hooks fire in every backward pass, and not during the forward pass."""
    subject = implementation.build(blueprint, device)
    expected = backward(subject.model, rows).log
    for done in range(times):
        output = subject.module(leaf(implementation, rows, device))
        assert subject.log == expected * done
        implementation.backward(output)
        assert subject.log == expected * (done + 1)


@clause(
    "hooks_backward/hook-prepend",
    POST,
    "If true, the provided ``hook`` will be fired before all existing ``backward`` hooks on this",
    since="2.0",
    needs=("computation", "autograd", "Module.register_full_backward_hook(prepend)"),
)
@for_any_module(blueprint=linears("full_backward", adds=False, min_hooks=2), rows=rows())
def test_backward_hooks_fire_in_order_prepended_ones_first(implementation, device, blueprint, rows):
    """Full backward hooks of a module fire in registration order, one registered with prepend=True before all existing
    ones."""
    subject = implementation.build(blueprint, device)
    implementation.backward(subject.module(leaf(implementation, rows, device)))
    assert subject.log == backward(subject.model, rows).log


@clause(
    "hooks_backward/pre_hook-prepend",
    PRE,
    "If true, the provided ``hook`` will be fired before all existing ``backward_pre`` hooks on this",
    since="2.0",
    needs=("computation", "Module.register_full_backward_pre_hook(prepend)"),
)
@for_any_module(blueprint=linears("full_backward_pre", adds=False, min_hooks=2), rows=rows())
def test_backward_pre_hooks_fire_in_order_prepended_ones_first(implementation, device, blueprint, rows):
    """Full backward pre-hooks of a module fire in registration order, one registered with prepend=True before all
    existing ones."""
    subject = implementation.build(blueprint, device)
    implementation.backward(subject.module(leaf(implementation, rows, device)))
    assert subject.log == backward(subject.model, rows).log


@clause(
    "hooks_backward/hook-replaces-grad_input",
    POST,
    "it can optionally return a new gradient with respect to the input that will be used in place of "
    ":attr:`grad_input` in subsequent computations.",
    since="2.0",
    needs=("computation", "autograd", "Module.register_full_backward_hook(prepend)"),
)
@for_any_module(blueprint=linears("full_backward"), rows=rows())
def test_what_a_backward_hook_returns_replaces_grad_input(implementation, device, blueprint, rows):
    """A tuple that a full backward hook returns takes the place of grad_input in the rest of the backward pass; the
    gradients of the module's own parameters stay as they are."""
    subject = implementation.build(blueprint, device)
    x = leaf(implementation, rows, device)
    implementation.backward(subject.module(x))
    expected = backward(subject.model, rows).grads
    assert read_grad(implementation, x) == approximately(expected.pop("input"))
    for path, grad in expected.items():
        assert read_grad(implementation, subject[path]) == approximately(grad), path


@clause(
    "hooks_backward/pre_hook-replaces-grad_output",
    PRE,
    "it can optionally return a new gradient with respect to the output that will be used in place of "
    ":attr:`grad_output` in subsequent computations.",
    since="2.0",
    needs=("computation", *BOTH),
)
@for_any_module(blueprint=linears(*KINDS), rows=rows())
def test_what_a_backward_pre_hook_returns_replaces_grad_output(implementation, device, blueprint, rows):
    """A tuple that a full backward pre-hook returns takes the place of grad_output: the gradients of the module's input
    and parameters are computed from it, and pre-hooks fire before backward hooks."""
    subject = implementation.build(blueprint, device)
    x = leaf(implementation, rows, device)
    implementation.backward(subject.module(x))
    expected = backward(subject.model, rows)
    assert subject.log == expected.log
    assert read_grad(implementation, x) == approximately(expected.grads.pop("input"))
    for path, grad in expected.grads.items():
        assert read_grad(implementation, subject[path]) == approximately(grad), path


@clause(
    "hooks_backward/backward-hooks-see-the-replaced-grad_output",
    PRE,
    "a new gradient with respect to the output that will be used in place of :attr:`grad_output` in subsequent "
    "computations.",
    since="2.0",
    needs=("computation", *BOTH),
)
@for_any_module(blueprint=linears(), rows=rows(), factor=st.integers(-4, 4))
def test_backward_hooks_see_what_the_pre_hooks_made_of_grad_output(implementation, device, blueprint, rows, factor):
    """A full backward hook receives the grad_output that the module's backward pre-hooks returned."""
    subject, seen = implementation.build(blueprint, device), []
    subject.module.register_full_backward_hook(lambda module, grad_input, grad_output: seen.append(grad_output[0]))
    subject.module.register_full_backward_pre_hook(lambda module, grad_output: (grad_output[0] * factor,))
    output = subject.module(leaf(implementation, rows, device))
    implementation.backward(output)
    assert [implementation.read(grad).flat for grad in seen] == [tuple(float(factor) for row in rows for _ in row)]


@clause(
    "hooks_backward/none-leaves-everything",
    POST,
    "hook(module, grad_input, grad_output) -> tuple(Tensor) or None",
    since="2.0",
    needs=("computation", *BOTH),
)
@for_any_module(blueprint=linears(*KINDS, adds=False), rows=rows())
def test_backward_hooks_that_return_none_change_nothing(implementation, device, blueprint, rows):
    """Full backward hooks and pre-hooks that return None change neither the output nor any gradient."""
    subject = implementation.build(blueprint, device)
    x = leaf(implementation, rows, device)
    output = subject.module(x)
    implementation.backward(output)
    expected = backward(subject.model, rows)
    assert implementation.read(output).flat == approximately(model.forward(subject.model, rows))
    assert read_grad(implementation, x) == approximately(expected.grads.pop("input"))
    for path, grad in expected.grads.items():
        assert read_grad(implementation, subject[path]) == approximately(grad), path


@clause(
    "hooks_backward/list-replaces-grad_input",
    "https://docs.pytorch.org/docs/stable/notes/modules.html",
    "new_grad_inputs = [torch.ones_like(gi) * 42. for gi in grad_inputs]",
    severity=RECOMMENDED,
    since="1.8",
    needs=("computation", *HOOKS),
)
@for_any_module(blueprint=linears(), rows=rows(), factor=st.integers(-4, 4))
def test_a_list_returned_by_a_backward_hook_replaces_grad_input(implementation, device, blueprint, rows, factor):
    """A full backward hook may return its gradients as a list."""
    subject, x = implementation.build(blueprint, device), leaf(implementation, rows, device)
    subject.module.register_full_backward_hook(lambda module, grad_input, _: [grad * factor for grad in grad_input])
    implementation.backward(subject.module(x))
    plain = backward(subject.model, rows).grads["input"]
    assert read_grad(implementation, x) == approximately([[factor * g for g in row] for row in plain])


@clause(
    "hooks_backward/pre_hook-may-return-a-tensor",
    PRE,
    "hook(module, grad_output) -> tuple[Tensor, ...], Tensor or None",
    since="2.0",
    needs=PRE_HOOKS,
)
@given(rows=rows(), factor=st.integers(-4, 4))
def test_a_single_tensor_returned_by_a_backward_pre_hook_replaces_grad_output(implementation, device, rows, factor):
    """A full backward pre-hook of a module with one output may return the new gradient as a single tensor."""
    module, x = doubling(implementation), leaf(implementation, rows, device)
    module.register_full_backward_pre_hook(lambda module, grad_output: grad_output[0] * factor)
    implementation.backward(module(x))
    assert read_grad(implementation, x) == approximately([[2.0 * factor for _ in row] for row in rows])


@clause(
    "hooks_backward/wrong-number-of-gradients",
    "source:torch.utils.hooks.BackwardHook",
    "Backward hook returned an invalid number of grad_input, ",
    severity=OBSERVED,
    since="2.0",
    needs=BOTH,
)
@given(pre=st.booleans(), count=st.sampled_from((0, 2, 3)), rows=rows())
def test_a_wrong_number_of_gradients_is_an_error(implementation, device, pre, count, rows):
    """Where a full backward hook or pre-hook returns another number of gradients than it received, the backward pass
    raises RuntimeError and reaches no input."""
    seen = []
    module, x = doubling(implementation), leaf(implementation, rows, device)
    register = module.register_full_backward_pre_hook if pre else module.register_full_backward_hook
    register(lambda module, grads, *others: seen.append(len(grads)) or grads * count)
    with pytest.raises(RuntimeError):
        implementation.backward(module(x))
    assert seen == [1]
    assert implementation.grad(x) is None


@clause(
    "hooks_backward/regular-and-full-exclude-each-other",
    "source:torch.nn.Module.register_full_backward_hook",
    "Cannot use both regular backward hooks and full backward hooks on a",
    severity=OBSERVED,
    since="1.8",
    needs=("Module.register_backward_hook", "Module.register_full_backward_hook"),
)
@given(full_first=st.booleans())
def test_a_module_takes_regular_or_full_backward_hooks(implementation, device, full_first):
    """Registering a full backward hook on a module that has a regular one, or the other way round, raises
    RuntimeError."""
    module = doubling(implementation)
    registers = [module.register_full_backward_hook, module.register_backward_hook]
    first, second = registers if full_first else reversed(registers)
    first(lambda *given: None)
    with pytest.raises(RuntimeError):
        second(lambda *given: None)
    first(lambda *given: None)
