"""Forward hooks with always_call: they run although the call raises."""

from __future__ import annotations

import builtins
import warnings

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, clause, given
from strategies.inputs import arguments, keywords

POST = "torch.nn.Module.register_forward_hook"
PRE_HOOKS = "Module.register_forward_pre_hook"
HOOKS = "Module.register_forward_hook"


class Stop(Exception):
    """What the properties below raise inside a call."""


@clause(
    "hooks_forward/always_call-once-whatever-is-raised",
    POST,
    "If ``True`` the ``hook`` will be run regardless of whether an exception is raised while calling the Module.",
    since="2.1",
    needs=(f"{HOOKS}(always_call)", f"{HOOKS}(with_kwargs)", PRE_HOOKS),
)
@given(
    where=st.sampled_from(("nowhere", "pre-hook", "forward", "hook before", "hook after")),
    args=arguments(),
    kwargs=keywords(),
    with_kwargs=st.booleans(),
)
def test_an_always_call_hook_runs_once_wherever_an_exception_is_raised(
    implementation, device, where, args, kwargs, with_kwargs
):
    """A forward hook registered with always_call=True runs exactly once per call, also when a hook or forward raises,
    and the exception still reaches the caller."""
    error, caught, seen = Stop(where), None, []

    def stop(here):
        if here == where:
            raise error

    class Net(implementation.Module):
        def forward(self, *args, **kwargs):
            stop("forward")

    module = Net()
    module.register_forward_pre_hook(lambda *given: stop("pre-hook"))
    module.register_forward_hook(lambda *given: stop("hook before"))
    module.register_forward_hook(lambda *given: seen.append(given[:-1]), always_call=True, with_kwargs=with_kwargs)
    module.register_forward_hook(lambda *given: stop("hook after"))
    try:
        module(*args, **kwargs)
    except Stop as raised:
        caught = raised
    assert caught is (None if where == "nowhere" else error)
    assert seen == [(module, args, kwargs) if with_kwargs else (module, args)]


@clause(
    "hooks_forward/always_call-after-any-base-exception",
    POST,
    "If ``True`` the ``hook`` will be run regardless of whether an exception is raised while calling the Module.",
    since="2.1",
    needs=f"{HOOKS}(always_call)",
)
@given(kind=st.sampled_from(("KeyboardInterrupt", "SystemExit", "GeneratorExit")))
def test_an_always_call_hook_runs_when_a_base_exception_is_raised(implementation, device, kind):
    """A forward hook registered with always_call=True also runs when forward raises KeyboardInterrupt, SystemExit or
    GeneratorExit."""
    error, log = getattr(builtins, kind), []

    class Net(implementation.Module):
        def forward(self):
            raise error

    module = Net()
    module.register_forward_hook(lambda *given: log.append("hook"), always_call=True)
    with pytest.raises(error):
        module()
    assert log == ["hook"]


@clause(
    "hooks_forward/always_call-own-error-gives-way",
    "source:torch.nn.Module._call_impl",
    "that was silenced as another error was raised in forward",
    severity=OBSERVED,
    since="2.1",
    needs=f"{HOOKS}(always_call)",
)
@given(count=st.integers(1, 3))
def test_an_error_in_an_always_call_hook_gives_way_to_the_one_under_way(implementation, device, count):
    """While an exception of forward is under way, one raised by an always_call hook is silenced, and the always_call
    hooks after it still run."""
    log = []

    class Net(implementation.Module):
        def forward(self):
            raise Stop("forward")

    def fail(*given):
        log.append("hook")
        raise ValueError("hook")

    module = Net()
    for _ in range(count):
        module.register_forward_hook(fail, always_call=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(Stop):
            module()
    assert log == ["hook"] * count
