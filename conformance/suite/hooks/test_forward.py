"""Forward pre-hooks and forward hooks: what they receive, what their results replace, and when they fire."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from conformance import model
from conformance.contract import OBSERVED, clause, for_any_module, given
from conformance.language import blueprint as bp
from conformance.suite.support import echo
from conformance.suite.support.numbers import approximately
from strategies import callables, fills
from strategies.hooks import hooks
from strategies.inputs import arguments, keywords, rows, single_values, values

PRE = "torch.nn.Module.register_forward_pre_hook"
POST = "torch.nn.Module.register_forward_hook"
PRE_HOOKS = "Module.register_forward_pre_hook"
HOOKS = "Module.register_forward_hook"
BOTH = (PRE_HOOKS, HOOKS)


@clause(
    "hooks_forward/pre_hook-receives-positional-arguments",
    PRE,
    "the input contains only the positional arguments given to the module. Keyword arguments won't be passed to the "
    "hooks and only to the ``forward``.",
    needs=PRE_HOOKS,
)
@given(args=arguments(), kwargs=keywords())
def test_a_pre_hook_receives_the_positional_arguments_as_a_tuple(implementation, device, args, kwargs):
    """A forward pre-hook is called as hook(module, args) with the positional arguments as a tuple; keyword arguments
    reach forward only."""
    module, seen = echo.define(implementation.Module)(), []
    module.register_forward_pre_hook(lambda *given: seen.append(given))
    assert module(*args, **kwargs) == (args, kwargs)
    assert seen == [(module, args)]


@clause(
    "hooks_forward/pre_hook-none-leaves-arguments",
    PRE,
    "hook(module, args) -> None or modified input",
    needs=PRE_HOOKS,
)
@given(args=arguments(), kwargs=keywords(), count=st.integers(1, 3))
def test_a_pre_hook_that_returns_none_leaves_the_arguments(implementation, device, args, kwargs, count):
    """Where forward pre-hooks return None, forward receives the arguments of the call."""
    module = echo.define(implementation.Module)()
    for _ in range(count):
        module.register_forward_pre_hook(lambda module, args: None)
    assert module(*args, **kwargs) == (args, kwargs)


@clause(
    "hooks_forward/pre_hook-tuple-replaces-arguments",
    PRE,
    "User can either return a tuple or a single modified value in the hook.",
    since="1.2",
    needs=PRE_HOOKS,
)
@given(args=arguments(), kwargs=keywords(), changed=arguments())
def test_a_tuple_returned_by_a_pre_hook_replaces_the_arguments(implementation, device, args, kwargs, changed):
    """A tuple that a forward pre-hook returns replaces the positional arguments; keyword arguments stay."""
    module = echo.define(implementation.Module)()
    module.register_forward_pre_hook(lambda module, args: changed)
    assert module(*args, **kwargs) == (changed, kwargs)


@clause(
    "hooks_forward/pre_hook-single-value-is-wrapped",
    PRE,
    "We will wrap the value into a tuple if a single value is returned (unless that value is already a tuple).",
    since="1.2",
    needs=PRE_HOOKS,
)
@given(args=arguments(), changed=single_values())
def test_a_single_value_returned_by_a_pre_hook_becomes_the_only_argument(implementation, device, args, changed):
    """A value that is neither None nor a tuple, returned by a forward pre-hook, becomes the only positional
    argument."""
    module = echo.define(implementation.Module)()
    module.register_forward_pre_hook(lambda module, args: changed)
    assert module(*args) == ((changed,), {})


@clause(
    "hooks_forward/pre_hook-receives-kwargs",
    PRE,
    "the forward pre-hook will be passed the kwargs given to the forward function.",
    since="2.0",
    needs=f"{PRE_HOOKS}(with_kwargs)",
)
@given(args=arguments(), kwargs=keywords())
def test_with_kwargs_a_pre_hook_receives_the_keyword_arguments(implementation, device, args, kwargs):
    """A forward pre-hook registered with with_kwargs=True is called as hook(module, args, kwargs); None leaves both."""
    module, seen = echo.define(implementation.Module)(), []
    module.register_forward_pre_hook(lambda *given: seen.append(given), with_kwargs=True)
    assert module(*args, **kwargs) == (args, kwargs)
    assert seen == [(module, args, kwargs)]


@clause(
    "hooks_forward/pre_hook-replaces-kwargs",
    PRE,
    "if the hook modifies the input, both the args and kwargs should be returned.",
    since="2.0",
    needs=f"{PRE_HOOKS}(with_kwargs)",
)
@given(args=arguments(), kwargs=keywords(), changed=st.tuples(arguments(), keywords()))
def test_with_kwargs_a_pre_hook_replaces_args_and_kwargs(implementation, device, args, kwargs, changed):
    """A pair (args, kwargs) returned by a with_kwargs forward pre-hook replaces both kinds of arguments."""
    module = echo.define(implementation.Module)()
    module.register_forward_pre_hook(lambda module, args, kwargs: changed, with_kwargs=True)
    assert module(*args, **kwargs) == changed


@clause(
    "hooks_forward/pre_hook-refuses-other-results",
    "source:torch.nn.Module._call_impl",
    "forward pre-hook must return None or a tuple",
    severity=OBSERVED,
    since="2.0",
    needs=f"{PRE_HOOKS}(with_kwargs)",
)
@given(changed=st.one_of(single_values(), st.sampled_from(((), (1,), ((), {}, None)))))
def test_with_kwargs_a_pre_hook_that_returns_no_pair_is_an_error(implementation, device, changed):
    """Where a with_kwargs forward pre-hook returns neither None nor a tuple of two, the call raises RuntimeError and
    forward is not run."""
    called = []

    class Net(implementation.Module):
        def forward(self, *args, **kwargs):
            called.append((args, kwargs))

    module = Net()
    module()
    module.register_forward_pre_hook(lambda module, args, kwargs: changed, with_kwargs=True)
    with pytest.raises(RuntimeError):
        module()
    assert called == [((), {})]


@clause(
    "hooks_forward/hooks-chain",
    "https://docs.pytorch.org/docs/stable/notes/modules.html",
    "All hooks allow the user to return an updated value that will be used throughout the remaining computation.",
    since="1.2",
    needs=BOTH,
)
@given(args=arguments(), pre=st.lists(values(), min_size=1, max_size=3), post=st.lists(values(), max_size=3))
def test_each_hook_sees_what_the_hooks_before_it_returned(implementation, device, args, pre, post):
    """Each forward pre-hook receives the arguments, and each forward hook the output, as the hooks before it left
    them."""
    module, seen = echo.define(implementation.Module)(), []
    for value in pre:
        module.register_forward_pre_hook(lambda module, args, value=value: seen.append(args) or (*args, value))
    for value in post:
        module.register_forward_hook(lambda module, args, output, value=value: seen.append(output) or [*output, value])
    output = module(*args)
    inputs = [(*args, *pre[:i]) for i in range(len(pre) + 1)]
    outputs = [(inputs[-1], {})] + [[inputs[-1], {}, *post[:i]] for i in range(1, len(post) + 1)]
    assert seen == inputs[:-1] + outputs[:-1]
    assert output == outputs[-1]


@clause(
    "hooks_forward/hook-receives-args-and-output",
    POST,
    "hook(module, args, output) -> None or modified output",
    needs=HOOKS,
)
@given(args=arguments(), kwargs=keywords())
def test_a_forward_hook_receives_args_and_output(implementation, device, args, kwargs):
    """A forward hook is called as hook(module, args, output) after forward, without the keyword arguments; None leaves
    the output."""
    module, seen = echo.define(implementation.Module)(), []
    module.register_forward_hook(lambda *given: seen.append(given))
    assert module(*args, **kwargs) == (args, kwargs)
    assert seen == [(module, args, (args, kwargs))]


@clause(
    "hooks_forward/hook-replaces-output",
    POST,
    "The hook can modify the output.",
    since="1.2",
    needs=("example", HOOKS),
)
@for_any_module(blueprint=callables(hooks=False), rows=rows(), changed=values().filter(lambda value: value is not None))
def test_what_a_forward_hook_returns_replaces_the_output(implementation, device, blueprint, rows, changed):
    """Anything but None that a forward hook returns replaces the output of whatever module was called, as it is."""
    module = implementation.build(blueprint, device).module.eval()
    module.register_forward_hook(lambda module, args, output: changed)
    assert module(*implementation.example(rows, device)) is changed


@clause(
    "hooks_forward/hook-receives-kwargs",
    POST,
    "the forward hook will be passed the ``kwargs`` given to the forward function",
    since="2.0",
    needs=f"{HOOKS}(with_kwargs)",
)
@given(args=arguments(), kwargs=keywords(), changed=values())
def test_with_kwargs_a_forward_hook_receives_the_keyword_arguments(implementation, device, args, kwargs, changed):
    """A forward hook registered with with_kwargs=True is called as hook(module, args, kwargs, output)."""
    module, seen = echo.define(implementation.Module)(), []
    module.register_forward_hook(lambda *given: seen.append(given) or changed, with_kwargs=True)
    assert module(*args, **kwargs) == ((args, kwargs) if changed is None else changed)
    assert seen == [(module, args, kwargs, (args, kwargs))]


@clause(
    "hooks_forward/hook-sees-what-pre_hooks-made",
    POST,
    "the forward hook will be passed the ``kwargs`` given to the forward function",
    since="2.0",
    needs=(f"{PRE_HOOKS}(with_kwargs)", f"{HOOKS}(with_kwargs)"),
)
@given(args=arguments(), kwargs=keywords(), changed=st.tuples(arguments(), keywords()))
def test_forward_hooks_see_the_arguments_that_forward_received(implementation, device, args, kwargs, changed):
    """The args and kwargs that a forward hook receives are those given to forward, after the pre-hooks' changes."""
    module, seen = echo.define(implementation.Module)(), []
    module.register_forward_pre_hook(lambda module, args, kwargs: changed, with_kwargs=True)
    module.register_forward_hook(lambda *given: seen.append(given), with_kwargs=True)
    module.register_forward_hook(lambda *given: seen.append(given))
    module(*args, **kwargs)
    assert seen == [(module, *changed, changed), (module, changed[0], changed)]


@clause(
    "hooks_forward/hook-changes-input-too-late",
    POST,
    "It can modify the input inplace but it will not have effect on forward since this is called after "
    ":func:`forward` is called.",
    needs=(HOOKS, "Linear"),
)
@given(fill=fills(), rows=rows(), changed=rows())
def test_a_forward_hook_that_changes_its_input_leaves_the_output(implementation, device, fill, rows, changed):
    """A forward hook that modifies its input in place has no effect on the output of that call."""
    subject = implementation.build(bp.Linear(2, 2, fill=fill), device)
    new = [changed[i % len(changed)] for i in range(len(rows))]
    subject.module.register_forward_hook(lambda module, args, output: implementation.write(args[0], new))
    x = implementation.tensor(rows, device=device)
    assert implementation.read(subject.module(x)).flat == approximately(model.forward(subject.model, rows))
    assert implementation.read(x).flat == approximately(new)


@clause(
    "hooks_forward/pre_hooks-in-registration-order",
    PRE,
    "the provided ``hook`` will be fired after all existing ``forward_pre`` hooks on this",
    needs=PRE_HOOKS,
)
@given(own=hooks("forward_pre", prepend=False, with_kwargs=False, adds=False), rows=rows())
def test_pre_hooks_fire_in_registration_order(implementation, device, own, rows):
    """Forward pre-hooks of one module fire in the order in which they were registered."""
    subject = implementation.build(bp.Chain(hooks=own), device)
    subject.module(implementation.tensor(rows, device=device))
    assert subject.log == [(hook.name, "") for hook in own]


@clause(
    "hooks_forward/hooks-in-registration-order",
    POST,
    "``hook`` will be fired after all existing ``forward`` hooks on this",
    needs=HOOKS,
)
@given(own=hooks("forward", prepend=False, with_kwargs=False, adds=False), rows=rows())
def test_forward_hooks_fire_in_registration_order(implementation, device, own, rows):
    """Forward hooks of one module fire in the order in which they were registered."""
    subject = implementation.build(bp.Chain(hooks=own), device)
    subject.module(implementation.tensor(rows, device=device))
    assert subject.log == [(hook.name, "") for hook in own]


@clause(
    "hooks_forward/pre_hook-prepend",
    PRE,
    "If true, the provided ``hook`` will be fired before all existing ``forward_pre`` hooks on this",
    since="2.0",
    needs=(f"{PRE_HOOKS}(prepend)", f"{PRE_HOOKS}(with_kwargs)"),
)
@given(own=hooks("forward_pre", min_size=2), rows=rows())
def test_prepend_puts_a_pre_hook_before_the_existing_ones(implementation, device, own, rows):
    """A forward pre-hook registered with prepend=True fires before all pre-hooks that the module already has."""
    subject = implementation.build(bp.Chain(hooks=own), device)
    output, log = subject.module(implementation.tensor(rows, device=device)), []
    assert implementation.read(output).flat == approximately(model.forward(subject.model, rows, log))
    assert subject.log == log


@clause(
    "hooks_forward/hook-prepend",
    POST,
    "the provided ``hook`` will be fired before all existing ``forward`` hooks on this",
    since="2.0",
    needs=(f"{HOOKS}(prepend)", f"{HOOKS}(with_kwargs)"),
)
@given(own=hooks("forward", min_size=2), rows=rows())
def test_prepend_puts_a_forward_hook_before_the_existing_ones(implementation, device, own, rows):
    """A forward hook registered with prepend=True fires before all forward hooks that the module already has."""
    subject = implementation.build(bp.Chain(hooks=own), device)
    output, log = subject.module(implementation.tensor(rows, device=device)), []
    assert implementation.read(output).flat == approximately(model.forward(subject.model, rows, log))
    assert subject.log == log


@clause(
    "hooks_forward/hooks-fire-every-time",
    POST,
    "The hook will be called every time after :func:`forward` has computed an output.",
    since="1.2",
    needs=BOTH,
)
@given(
    own=hooks("forward_pre", "forward", prepend=False, with_kwargs=False),
    modes=st.lists(st.booleans(), min_size=1, max_size=4),
    rows=rows(),
)
def test_hooks_fire_on_every_call_in_either_mode(implementation, device, own, modes, rows):
    """Forward pre-hooks and forward hooks fire on every call, in training and in evaluation mode."""
    subject, log = implementation.build(bp.Chain(hooks=own), device), []
    for mode in modes:
        subject.module.train(mode)
        output = subject.module(implementation.tensor(rows, device=device))
        assert implementation.read(output).flat == approximately(model.forward(subject.model, rows, log))
    assert subject.log == log


@clause(
    "hooks_forward/hooks-fire-for-their-module-only",
    PRE,
    "Register a forward pre-hook on the module.",
    needs=("computation", *BOTH),
)
@for_any_module(
    blueprint=callables(), place=st.integers(0, 11), kind=st.sampled_from(("forward_pre", "forward")), rows=rows()
)
def test_a_hook_fires_for_the_module_it_is_registered_on_only(implementation, device, blueprint, place, kind, rows):
    """A hook fires on the calls of the module it was registered on, and of no parent, child or other module."""
    subject, log, expected = implementation.build(blueprint, device), [], []
    subject.module.eval()
    chosen = subject.model.modules()[place % len(subject.model.modules())]
    chosen.hooks = (bp.Hook(kind, "it"),)
    register = getattr(subject[chosen.path], f"register_{kind}_hook")
    register(lambda module, *given: log.append(("it", subject.path(module))))
    subject.module(implementation.tensor(rows, device=device))
    model.forward(subject.model, rows, expected)
    assert log == expected
