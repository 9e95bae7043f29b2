"""Full backward hooks and pre-hooks: which gradients they receive, what their results replace, and when they fire."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import strategies as st

from conformance import model
from conformance.contract import OBSERVED, RECOMMENDED, clause, given
from conformance.model.hooks import backward, ones
from conformance.suite.support.numbers import approximately
from strategies.hooks import linears
from strategies.inputs import rows, single_values

PRE = "torch.nn.Module.register_full_backward_pre_hook"
POST = "torch.nn.Module.register_full_backward_hook"
PRE_HOOKS = ("autograd", "Module.register_full_backward_pre_hook")
HOOKS = ("autograd", "Module.register_full_backward_hook")
BOTH = ("autograd", "Module.register_full_backward_pre_hook", "Module.register_full_backward_hook(prepend)")
INPLACE = "Modifying inputs or outputs inplace is not allowed when using backward hooks and will raise an error."
KINDS = ("full_backward_pre", "full_backward")


def leaf(implementation, rows, device):
    """An input that collects its gradient."""
    return implementation.parameter(implementation.tensor(rows, device=device))


def read_grad(implementation, tensor):
    """The elements of the gradient that backward left on the tensor."""
    return implementation.read(implementation.grad(tensor)).flat


def doubling(implementation, change=lambda output: output):
    """A module whose forward doubles its first argument, with the argument or the output passed through ``change``."""

    class Double(implementation.Module):
        def forward(self, x):
            return change(x * 2.0)

    return Double()


@clause(
    "hooks_backward/hook-receives-gradients",
    POST,
    "The :attr:`grad_input` and :attr:`grad_output` are tuples that contain the gradients with respect to the inputs "
    "and outputs respectively.",
    since="1.8",
    needs=HOOKS,
)
@given(blueprint=linears(), rows=rows())
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
    needs=PRE_HOOKS,
)
@given(blueprint=linears(), rows=rows())
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
    needs=BOTH,
)
@given(blueprint=linears(*KINDS, prepend=False, adds=False), rows=rows(), times=st.integers(1, 3))
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
    needs=("autograd", "Module.register_full_backward_hook(prepend)"),
)
@given(blueprint=linears("full_backward", adds=False, min_hooks=2), rows=rows())
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
    needs="Module.register_full_backward_pre_hook(prepend)",
)
@given(blueprint=linears("full_backward_pre", adds=False, min_hooks=2), rows=rows())
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
    needs=("autograd", "Module.register_full_backward_hook(prepend)"),
)
@given(blueprint=linears("full_backward"), rows=rows())
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
    needs=BOTH,
)
@given(blueprint=linears(*KINDS), rows=rows())
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
    needs=BOTH,
)
@given(blueprint=linears(), rows=rows(), factor=st.integers(-4, 4))
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
    needs=BOTH,
)
@given(blueprint=linears(*KINDS, adds=False), rows=rows())
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
    "hooks_backward/inputs-without-grad",
    POST,
    "If none of the module inputs require gradients, the hook will fire when the gradients are computed with respect "
    "to module outputs.",
    since="2.1",
    needs=(*HOOKS, "Linear"),
)
@given(blueprint=linears(), rows=rows())
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
    needs=(*BOTH, "Module.requires_grad_"),
)
@given(blueprint=linears(*KINDS, adds=False), rows=rows())
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
    "hooks_backward/list-replaces-grad_input",
    "https://docs.pytorch.org/docs/stable/notes/modules.html",
    "new_grad_inputs = [torch.ones_like(gi) * 42. for gi in grad_inputs]",
    severity=RECOMMENDED,
    since="1.8",
    needs=HOOKS,
)
@given(blueprint=linears(), rows=rows(), factor=st.integers(-4, 4))
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


@clause(
    "hooks_backward/inplace-change-is-refused",
    POST,
    INPLACE,
    since="1.8",
    needs=HOOKS,
)
@given(output=st.booleans(), rows=rows())
def test_a_module_with_a_backward_hook_refuses_in_place_changes(implementation, device, output, rows):
    """Where a module has a full backward hook, modifying its input or its output in place raises an error; without the
    hook it is allowed."""

    class Net(implementation.Module):
        def forward(self, x):
            return x * 2.0 if output else x.add_(1.0)

    def use(module):
        result = module(leaf(implementation, rows, device) * 1.0)
        return result.add_(1.0) if output else result

    module = Net()
    use(module)
    module.register_full_backward_hook(lambda module, grad_input, grad_output: None)
    with pytest.raises(RuntimeError):
        use(module)


@clause(
    "hooks_backward/pre_hook-inplace-change-is-refused",
    PRE,
    "Modifying inputs inplace is not allowed when using backward hooks and will raise an error.",
    since="2.0",
    needs=PRE_HOOKS,
)
@given(rows=rows())
def test_a_module_with_a_backward_pre_hook_refuses_in_place_changes(implementation, device, rows):
    """Where a module has a full backward pre-hook, modifying its input in place raises an error."""

    class Net(implementation.Module):
        def forward(self, x):
            return x.add_(1.0)

    module = Net()
    module(leaf(implementation, rows, device) * 1.0)
    module.register_full_backward_pre_hook(lambda module, grad_output: None)
    with pytest.raises(RuntimeError):
        module(leaf(implementation, rows, device) * 1.0)


@clause(
    "hooks_backward/inplace-change-of-input-without-grad",
    POST,
    INPLACE,
    since="1.8",
    needs=HOOKS,
)
@given(rows=rows())
def test_in_place_changes_are_refused_for_inputs_without_grad_too(implementation, device, rows):
    """Where a module has a full backward hook, modifying an input that requires no gradients in place raises an
    error."""
    weight = leaf(implementation, rows, device)

    class Net(implementation.Module):
        def forward(self, x):
            return x.add_(1.0) * weight

    module = Net()
    module.register_full_backward_hook(lambda module, grad_input, grad_output: None)
    with pytest.raises(RuntimeError):
        module(implementation.tensor(rows, device=device))


@clause(
    "hooks_backward/forward-receives-and-returns-views",
    POST,
    "its forward function will receive a view of each Tensor passed to the Module. Similarly the caller will receive "
    "a view of each Tensor returned by the Module's forward function.",
    since="2.0",
    needs=BOTH,
)
@given(pre=st.booleans(), rows=rows())
def test_with_a_backward_hook_tensors_are_passed_as_views(implementation, device, pre, rows):
    """Where a module has a full backward hook or pre-hook, forward receives a view of each tensor passed as a
    positional argument, and the caller a view of each tensor that forward returns."""
    inside = []

    class Net(implementation.Module):
        def forward(self, x):
            inside.extend((x, x * 2.0))
            return inside[1]

    module, x = Net(), leaf(implementation, rows, device)
    getattr(module, f"register_full_backward{'_pre' if pre else ''}_hook")(lambda *given: None)
    output = module(x)
    for view, made in ((inside[0], x), (output, inside[1])):
        assert view is not made
        assert implementation.same_storage(view, made)
        assert implementation.read(view) == implementation.read(made)


@clause(
    "hooks_backward/keyword-tensors-are-views",
    POST,
    "its forward function will receive a view of each Tensor passed to the Module.",
    since="1.8",
    needs=HOOKS,
)
@given(rows=rows())
def test_with_a_backward_hook_keyword_tensors_are_passed_as_views(implementation, device, rows):
    """Where a module has a full backward hook, forward receives a view of each tensor passed as a keyword argument."""
    inside = []

    class Net(implementation.Module):
        def forward(self, x, scale):
            inside.append(scale)
            return x * scale

    module, scale = Net(), leaf(implementation, rows, device)
    module.register_full_backward_hook(lambda module, grad_input, grad_output: None)
    module(leaf(implementation, rows, device), scale=scale)
    assert inside[0] is not scale
    assert implementation.same_storage(inside[0], scale)


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
    """A full backward hook or pre-hook that returns another number of gradients than it received raises
    RuntimeError."""
    module = doubling(implementation)
    register = module.register_full_backward_pre_hook if pre else module.register_full_backward_hook
    register(lambda module, grads, *others: grads * count)
    with pytest.raises(RuntimeError):
        implementation.backward(module(leaf(implementation, rows, device)))


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
