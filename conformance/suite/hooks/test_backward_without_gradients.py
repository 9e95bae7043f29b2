"""Full backward hooks where some input or output has no gradient, or is no tensor."""

from __future__ import annotations

import warnings

from hypothesis import strategies as st

from conformance.contract import clause, for_any_module, given
from conformance.model.hooks import ones
from conformance.suite.support.gradients import doubling, leaf, read_grad
from conformance.suite.support.numbers import approximately
from strategies.hooks import linears
from strategies.inputs import rows, single_values

POST = "torch.nn.Module.register_full_backward_hook"
HOOKS = ("autograd", "Module.register_full_backward_hook")
BOTH = ("autograd", "Module.register_full_backward_pre_hook", "Module.register_full_backward_hook(prepend)")
KINDS = ("full_backward_pre", "full_backward")


@clause(
    "hooks_backward/inputs-without-grad",
    POST,
    "If none of the module inputs require gradients, the hook will fire when the gradients are computed with respect "
    "to module outputs.",
    since="2.1",
    needs=("computation", *HOOKS, "Linear"),
)
@for_any_module(blueprint=linears(), rows=rows())
def test_without_inputs_that_require_grad_the_hook_fires_for_the_outputs(implementation, device, blueprint, rows):
    """Where no input requires gradients, a full backward hook fires when the gradients of the outputs are computed,
    with None for every entry of grad_input."""
    subject, seen = implementation.build(blueprint, device), []
    subject.module.register_full_backward_hook(lambda module, *grads: seen.append(grads))
    output = subject.module(implementation.tensor(rows, device=device))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces this case
        implementation.backward(output)
    assert [grad_input for grad_input, _ in seen] == [(None,)]
    assert [implementation.read(grad).flat for _, grads in seen for grad in grads] == [approximately(ones(rows))]


@clause(
    "hooks_backward/outputs-without-grad",
    POST,
    "If none of the module outputs require gradients, then the hooks will not fire.",
    since="2.1",
    needs=("computation", *BOTH, "Module.requires_grad_"),
)
@for_any_module(blueprint=linears(*KINDS, adds=False), rows=rows())
def test_without_outputs_that_require_grad_no_backward_hook_fires(implementation, device, blueprint, rows):
    """Where no output of the module requires gradients, its full backward hooks and pre-hooks do not fire in a backward
    pass through what is computed from it."""
    subject = implementation.build(blueprint, device)
    subject.module.requires_grad_(False)
    other = leaf(implementation, rows, device)
    implementation.backward(subject.module(implementation.tensor(rows, device=device)) + other)
    assert read_grad(implementation, other) == approximately(ones(rows))
    assert subject.log == []


@clause(
    "hooks_backward/none-for-what-is-no-tensor",
    POST,
    "Entries in :attr:`grad_input` and :attr:`grad_output` will be ``None`` for all non-Tensor arguments.",
    since="1.8",
    needs=HOOKS,
)
@given(before=st.lists(single_values(), max_size=2), after=st.lists(single_values(), max_size=2), rows=rows())
def test_entries_of_the_gradients_are_none_where_there_is_no_tensor(implementation, device, before, after, rows):
    """grad_input and grad_output have an entry for every positional argument and every output, None for those that are
    no tensors."""
    place, seen = len(before), []

    class Net(implementation.Module):
        def forward(self, *args):
            return (*args[:place], args[place] * 2.0, *args[place + 1 :])

    module = Net()
    module.register_full_backward_hook(lambda module, *grads: seen.extend(grads))
    implementation.backward(module(*before, leaf(implementation, rows, device), *after)[place])
    observed = [[grad if grad is None else implementation.read(grad).flat for grad in grads] for grads in seen]
    twos = [[2.0] * len(row) for row in rows]
    nothing = [None] * len(before), [None] * len(after)
    assert observed == [[*nothing[0], approximately(grad), *nothing[1]] for grad in (twos, ones(rows))]


@clause(
    "hooks_backward/keyword-arguments-left-out",
    POST,
    ":attr:`grad_input` will only correspond to the inputs given as positional arguments and all kwarg arguments are "
    "ignored.",
    since="1.8",
    needs=HOOKS,
)
@given(rows=rows(), factor=st.integers(-3, 3))
def test_grad_input_has_no_entry_for_keyword_arguments(implementation, device, rows, factor):
    """grad_input has one entry per positional argument and none for keyword arguments, whose gradients are computed all
    the same."""
    seen = []

    class Net(implementation.Module):
        def forward(self, x, scale):
            return x * scale

    module, x = Net(), leaf(implementation, rows, device)
    scale = leaf(implementation, [[float(factor)] * 2 for _ in rows], device)
    module.register_full_backward_hook(lambda module, grad_input, grad_output: seen.append(grad_input))
    implementation.backward(module(x, scale=scale))
    assert [len(grad_input) for grad_input in seen] == [1]
    assert implementation.read(seen[0][0]).flat == (float(factor),) * 2 * len(rows)
    assert read_grad(implementation, scale) == approximately(rows)


@clause(
    "hooks_backward/outputs-in-a-dict-or-list",
    POST,
    "The hook will be called every time the gradients with respect to a module are computed",
    since="1.8",
    needs=HOOKS,
)
@given(as_list=st.booleans(), rows=rows())
def test_a_backward_hook_fires_for_a_module_that_returns_a_dict_or_list(implementation, device, as_list, rows):
    """A full backward hook fires also for a module whose forward returns its tensors in a dict or in a list."""
    module = doubling(implementation, lambda output: [output] if as_list else {0: output})
    log = []
    module.register_full_backward_hook(lambda module, grad_input, grad_output: log.append("hook"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces this case
        output = module(leaf(implementation, rows, device))
    implementation.backward(output[0])
    assert log == ["hook"]
