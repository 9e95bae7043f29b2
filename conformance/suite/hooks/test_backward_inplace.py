"""Full backward hooks and tensors changed in place: a hooked module passes on views that refuse it."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from conformance.contract import clause, given
from conformance.suite.support.gradients import leaf
from strategies.inputs import rows

PRE = "torch.nn.Module.register_full_backward_pre_hook"
POST = "torch.nn.Module.register_full_backward_hook"
PRE_HOOKS = ("autograd", "Module.register_full_backward_pre_hook")
HOOKS = ("autograd", "Module.register_full_backward_hook")
BOTH = ("autograd", "Module.register_full_backward_pre_hook", "Module.register_full_backward_hook(prepend)")
INPLACE = "Modifying inputs or outputs inplace is not allowed when using backward hooks and will raise an error."


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
    """Where a module has a full backward hook, modifying an input that requires no gradients in place raises an error;
    without the hook it is allowed."""
    weight = leaf(implementation, rows, device)

    class Net(implementation.Module):
        def forward(self, x):
            return x.add_(1.0) * weight

    module = Net()
    module(implementation.tensor(rows, device=device))
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
