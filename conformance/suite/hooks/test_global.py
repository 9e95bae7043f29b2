"""Global hooks: common to all modules, run before a module's own hooks."""

from __future__ import annotations

import contextlib
import warnings
from types import SimpleNamespace

import pytest
from hypothesis import strategies as st

from conformance import model
from conformance.contract import OBSERVED, clause, for_any_module, given
from conformance.language import blueprint as bp
from conformance.model.hooks import backward, everywhere
from conformance.suite.support import echo
from conformance.suite.support.installing import installed
from conformance.suite.support.numbers import approximately
from strategies import callables
from strategies.hooks import OPTIONS, hooks, linears
from strategies.inputs import arguments, keywords, rows, single_values, values

MODULE = "torch.nn.modules.module"
PRE = f"{MODULE}.register_module_forward_pre_hook"
POST = f"{MODULE}.register_module_forward_hook"
GLOBAL_PRE = "register_module_forward_pre_hook"
GLOBAL = "register_module_forward_hook"


@contextlib.contextmanager
def recorded(implementation, subject, own):
    """Global hooks that, while it is open, write into the subject's log and add numbers as its own hooks do."""
    kinds = {hook.kind for hook in own}
    place = SimpleNamespace(
        **{f"register_{kind}_hook": getattr(implementation, f"register_module_{kind}_hook") for kind in kinds}
    )
    handles = []
    try:
        for hook in own:
            handles.append(subject.register(hook, place))
        yield
    finally:
        for handle in handles:
            handle.remove()


@clause(
    "hooks_global/pre_hook-before-every-forward",
    PRE,
    "Register a forward pre-hook common to all modules.",
    since="1.5",
    needs=("computation", GLOBAL_PRE),
)
@for_any_module(blueprint=callables(), common=hooks("forward_pre", prepend=False, with_kwargs=False), rows=rows())
def test_a_global_pre_hook_fires_before_every_forward_of_every_module(implementation, device, blueprint, common, rows):
    """A global forward pre-hook fires on every call of every module; what it returns replaces the arguments there."""
    subject, log = implementation.build(blueprint, device), []
    subject.module.eval()
    with recorded(implementation, subject, common):
        output = subject.module(implementation.tensor(rows, device=device))
    everywhere(subject.model, common)
    assert implementation.read(output).flat == approximately(model.forward(subject.model, rows, log))
    assert subject.log == log


@clause(
    "hooks_global/hook-after-every-forward",
    POST,
    "Register a global forward hook for all the modules.",
    since="1.5",
    needs=("computation", GLOBAL),
)
@for_any_module(blueprint=callables(), common=hooks("forward", prepend=False, with_kwargs=False), rows=rows())
def test_a_global_forward_hook_fires_after_every_forward_of_every_module(
    implementation, device, blueprint, common, rows
):
    """A global forward hook fires on every call of every module; what it returns replaces the output there."""
    subject, log = implementation.build(blueprint, device), []
    subject.module.eval()
    with recorded(implementation, subject, common):
        output = subject.module(implementation.tensor(rows, device=device))
    everywhere(subject.model, common)
    assert implementation.read(output).flat == approximately(model.forward(subject.model, rows, log))
    assert subject.log == log


@clause(
    "hooks_global/pre_hook-before-own-pre_hooks",
    PRE,
    "This hook has precedence over the specific module hooks registered with ``register_forward_pre_hook``.",
    since="2.0",
    needs=("computation", GLOBAL_PRE, *OPTIONS),
)
@for_any_module(blueprint=callables(hooks=True), own=hooks("forward_pre"), rows=rows())
def test_global_pre_hooks_fire_before_the_module_s_own(implementation, device, blueprint, own, rows):
    """Global forward pre-hooks fire before all pre-hooks of the module itself, also before those registered with
    prepend=True and before those registered earlier."""
    subject, log = implementation.build(blueprint.replace(hooks=own), device), []
    subject.module.eval()
    common = (bp.Hook("forward_pre", "global"),)
    with recorded(implementation, subject, common):
        subject.module(implementation.tensor(rows, device=device))
    everywhere(subject.model, common)
    model.forward(subject.model, rows, log)
    assert subject.log == log


@clause(
    "hooks_global/hook-before-own-hooks",
    POST,
    "This hook will be executed before specific module hooks registered with ``register_forward_hook``.",
    since="2.0",
    needs=("computation", GLOBAL, *OPTIONS),
)
@for_any_module(blueprint=callables(hooks=True), own=hooks("forward"), rows=rows())
def test_global_forward_hooks_fire_before_the_module_s_own(implementation, device, blueprint, own, rows):
    """Global forward hooks fire before all forward hooks of the module itself, also before those registered with
    prepend=True and before those registered earlier."""
    subject, log = implementation.build(blueprint.replace(hooks=own), device), []
    subject.module.eval()
    common = (bp.Hook("forward", "global"),)
    with recorded(implementation, subject, common):
        subject.module(implementation.tensor(rows, device=device))
    everywhere(subject.model, common)
    model.forward(subject.model, rows, log)
    assert subject.log == log


@clause(
    "hooks_global/pre_hook-receives-positional-arguments",
    PRE,
    "The input contains only the positional arguments given to the module. Keyword arguments won't be passed to the "
    "hooks and only to the ``forward``.",
    since="1.5",
    needs=GLOBAL_PRE,
)
@given(args=arguments(), kwargs=keywords())
def test_a_global_pre_hook_receives_the_positional_arguments(implementation, device, args, kwargs):
    """A global forward pre-hook is called as hook(module, args) with the positional arguments as a tuple; None leaves
    them."""
    module, seen = echo.define(implementation.Module)(), []
    with installed(implementation, "forward_pre", lambda *given: seen.append(given)):
        assert module(*args, **kwargs) == (args, kwargs)
    assert seen == [(module, args)]


@clause(
    "hooks_global/pre_hook-replaces-arguments",
    PRE,
    "We will wrap the value into a tuple if a single value is returned(unless that value is already a tuple).",
    since="1.5",
    needs=GLOBAL_PRE,
)
@given(args=arguments(), kwargs=keywords(), changed=st.one_of(arguments(), single_values()))
def test_what_a_global_pre_hook_returns_replaces_the_arguments(implementation, device, args, kwargs, changed):
    """A tuple that a global forward pre-hook returns replaces the positional arguments; any other value but None
    becomes the only one."""
    module = echo.define(implementation.Module)()
    with installed(implementation, "forward_pre", lambda module, args: changed):
        output = module(*args, **kwargs)
    assert output == (changed if isinstance(changed, tuple) else (changed,), kwargs)


@clause(
    "hooks_global/hook-receives-args-and-output",
    POST,
    "The input contains only the positional arguments given to the module. Keyword arguments won't be passed to the "
    "hooks and only to the ``forward``.",
    since="1.5",
    needs=GLOBAL,
)
@given(args=arguments(), kwargs=keywords())
def test_a_global_forward_hook_receives_args_and_output(implementation, device, args, kwargs):
    """A global forward hook is called as hook(module, args, output), without the keyword arguments; None leaves the
    output."""
    module, seen = echo.define(implementation.Module)(), []
    with installed(implementation, "forward", lambda *given: seen.append(given)):
        assert module(*args, **kwargs) == (args, kwargs)
    assert seen == [(module, args, (args, kwargs))]


@clause(
    "hooks_global/hook-replaces-output",
    POST,
    "You can optionally modify the output of the module by returning a new value that will replace the output from the "
    ":func:`forward` function.",
    since="1.5",
    needs=GLOBAL,
)
@given(args=arguments(), changed=values().filter(lambda value: value is not None))
def test_what_a_global_forward_hook_returns_replaces_the_output(implementation, device, args, changed):
    """Anything but None that a global forward hook returns replaces the output, as it is."""
    module = echo.define(implementation.Module)()
    with installed(implementation, "forward", lambda module, args, output: changed):
        output = module(*args)
    assert output is changed


@clause(
    "hooks_global/hook-with_kwargs",
    "source:torch.nn.modules.module.register_module_forward_hook",
    "_global_forward_hooks_with_kwargs[handle.id] = True",
    severity=OBSERVED,
    since="2.6",
    needs=f"{GLOBAL}(with_kwargs)",
)
@given(args=arguments(), kwargs=keywords())
def test_with_kwargs_a_global_forward_hook_receives_the_keyword_arguments(implementation, device, args, kwargs):
    """A global forward hook registered with with_kwargs=True is called as hook(module, args, kwargs, output)."""
    module, seen = echo.define(implementation.Module)(), []
    with installed(implementation, "forward", lambda *given: seen.append(given), with_kwargs=True):
        module(*args, **kwargs)
    assert seen == [(module, args, kwargs, (args, kwargs))]


class Stop(Exception):
    """What the properties below raise inside a call."""


@clause(
    "hooks_global/always_call-when-the-call-raises",
    POST,
    "If ``True`` the ``hook`` will be run regardless of whether an exception is raised while calling the Module.",
    since="2.1",
    needs=f"{GLOBAL}(always_call)",
)
@given(args=arguments(), raises=st.booleans(), always=st.booleans())
def test_a_global_always_call_hook_runs_although_the_call_raises(implementation, device, args, raises, always):
    """A global forward hook runs once per call; where the call raises, it runs if registered with always_call=True and
    not by default, and the exception still reaches the caller."""
    seen = []

    class Net(implementation.Module):
        def forward(self, *args):
            if raises:
                raise Stop

    module = Net()
    with installed(implementation, "forward", lambda *given: seen.append(given[:2]), always_call=always):
        with pytest.raises(Stop) if raises else contextlib.nullcontext():
            module(*args)
    assert seen == ([] if raises and not always else [(module, args)])


@clause(
    "hooks_global/always_call-and-with_kwargs",
    POST,
    "If ``True`` the ``hook`` will be run regardless of whether an exception is raised while calling the Module.",
    since="2.6",
    needs=(f"{GLOBAL}(always_call)", f"{GLOBAL}(with_kwargs)"),
)
@given(args=arguments(), kwargs=keywords())
def test_a_global_always_call_hook_with_kwargs_runs_although_the_call_raises(implementation, device, args, kwargs):
    """A global forward hook registered with always_call=True and with_kwargs=True runs when the call raises, with the
    keyword arguments, and the exception still reaches the caller."""
    seen = []

    class Net(implementation.Module):
        def forward(self, *args, **kwargs):
            raise Stop

    def record(module, args, kwargs, output):
        seen.append((module, args, kwargs))

    module = Net()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch turns an error in the hook into a warning
        with installed(implementation, "forward", record, with_kwargs=True, always_call=True), pytest.raises(Stop):
            module(*args, **kwargs)
    assert seen == [(module, args, kwargs)]


@clause(
    "hooks_global/full_backward_hook-on-every-module",
    f"{MODULE}.register_module_full_backward_hook",
    "Hooks registered using this function will be called before hooks registered using "
    ":meth:`torch.nn.Module.register_full_backward_hook`.",
    since="2.0",
    needs=(
        "computation",
        "autograd",
        "register_module_full_backward_hook",
        "Module.register_full_backward_hook(prepend)",
    ),
)
@for_any_module(
    blueprint=linears("full_backward"),
    common=hooks("full_backward", prepend=False, with_kwargs=False, max_size=2).map(
        lambda own: tuple(bp.Hook(hook.kind, f"global{i}", adds=hook.adds) for i, hook in enumerate(own))
    ),
    rows=rows(),
)
def test_global_backward_hooks_fire_on_every_module_before_its_own(implementation, device, blueprint, common, rows):
    """A global full backward hook fires for every module in the backward pass, before the module's own, and what it
    returns replaces grad_input."""
    subject = implementation.build(blueprint, device)
    x = implementation.parameter(implementation.tensor(rows, device=device))
    with recorded(implementation, subject, common):
        implementation.backward(subject.module(x))
    everywhere(subject.model, common)
    expected = backward(subject.model, rows)
    assert subject.log == expected.log
    assert implementation.read(implementation.grad(x)).flat == approximately(expected.grads["input"])


@clause(
    "hooks_global/full_backward_pre_hook-on-every-module",
    f"{MODULE}.register_module_full_backward_pre_hook",
    "Hooks registered using this function will be called before hooks registered using "
    ":meth:`torch.nn.Module.register_full_backward_pre_hook`.",
    since="2.0",
    needs=(
        "computation",
        "autograd",
        "register_module_full_backward_pre_hook",
        "Module.register_full_backward_pre_hook",
    ),
)
@for_any_module(
    blueprint=linears("full_backward_pre"),
    common=hooks("full_backward_pre", prepend=False, with_kwargs=False, max_size=2).map(
        lambda own: tuple(bp.Hook(hook.kind, f"global{i}", adds=hook.adds) for i, hook in enumerate(own))
    ),
    rows=rows(),
)
def test_global_backward_pre_hooks_fire_on_every_module_before_its_own(implementation, device, blueprint, common, rows):
    """A global full backward pre-hook fires for every module in the backward pass, before the module's own, and what it
    returns replaces grad_output."""
    subject = implementation.build(blueprint, device)
    x = implementation.parameter(implementation.tensor(rows, device=device))
    with recorded(implementation, subject, common):
        implementation.backward(subject.module(x))
    everywhere(subject.model, common)
    expected = backward(subject.model, rows)
    assert subject.log == expected.log
    assert implementation.read(implementation.grad(x)).flat == approximately(expected.grads["input"])
