"""Calling a module: what reaches forward, what comes back, and what a call runs besides."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from conformance import model
from conformance.contract import OBSERVED, clause, for_any_module, given
from conformance.language import blueprint as bp
from conformance.suite.support import echo
from conformance.suite.support.numbers import approximately
from strategies import callables
from strategies.hooks import OPTIONS, hooks
from strategies.inputs import arguments, keywords, rows, values

MODULES_NOTE = "https://docs.pytorch.org/docs/stable/notes/modules.html"


@clause(
    "calls/call-passes-arguments-to-forward",
    "torch.nn.Module.forward",
    "Define the computation performed at every call.",
)
@given(args=arguments(), kwargs=keywords())
def test_calling_a_module_calls_forward_with_the_same_arguments(implementation, device, args, kwargs):
    """module(*args, **kwargs) calls forward with these positional and keyword arguments and returns its result."""
    module = echo.define(implementation.Module)()
    assert module(*args, **kwargs) == (args, kwargs)


@clause(
    "calls/any-output-is-returned-as-it-is",
    MODULES_NOTE,
    "implementation for a module can perform arbitrary computation involving any number of inputs and outputs.",
    needs=("Module.register_forward_pre_hook", "Module.register_forward_hook"),
)
@given(output=values(), hooked=st.booleans())
def test_whatever_forward_returns_is_the_result_of_the_call(implementation, device, output, hooked):
    """A call returns the very object that forward returned, whatever its type, also where hooks that return None are
    registered."""

    class Net(implementation.Module):
        def forward(self):
            return output

    module = Net()
    if hooked:
        module.register_forward_pre_hook(lambda module, args: None)
        module.register_forward_hook(lambda module, args, output: None)
    assert module() is output


@clause(
    "calls/call-equals-forward-without-hooks",
    MODULES_NOTE,
    "the module itself is callable, and that calling it invokes its",
    needs="computation",
)
@for_any_module(blueprint=callables(), first_rows=rows(), second_rows=rows())
def test_without_hooks_a_call_equals_forward(implementation, device, blueprint, first_rows, second_rows):
    """Without hooks module(x) and module.forward(x) compute the same output, on every call."""
    subject = implementation.build(blueprint, device)
    subject.module.eval()
    for batch in (first_rows, second_rows):
        expected = approximately(model.forward(subject.model, batch))
        assert implementation.read(subject.module(implementation.tensor(batch, device=device))).flat == expected
        assert implementation.read(subject.module.forward(implementation.tensor(batch, device=device))).flat == expected


@clause(
    "calls/forward-ignores-hooks",
    "torch.nn.Module.forward",
    "since the former takes care of running the registered hooks while the latter silently ignores them.",
    since="2.0",
    needs=("computation", *OPTIONS),
)
@for_any_module(blueprint=callables(hooks=True), own=hooks("forward_pre", "forward"), rows=rows())
def test_forward_called_directly_runs_none_of_the_module_s_own_hooks(implementation, device, blueprint, own, rows):
    """module.forward(x) runs none of the module's own hooks, while the modules that forward calls run theirs."""
    subject = implementation.build(blueprint.replace(hooks=own), device)
    subject.module.eval()
    output = subject.module.forward(implementation.tensor(rows, device=device))
    log = []
    subject.model.hooks = ()
    assert implementation.read(output).flat == approximately(model.forward(subject.model, rows, log))
    assert subject.log == log


@clause(
    "calls/pre-hooks-then-forward-then-hooks",
    MODULES_NOTE,
    "These hooks will be called respectively just before the forward function is called and just after it is called.",
    needs=("Module.register_forward_pre_hook", "Module.register_forward_hook"),
)
@given(kinds=st.lists(st.sampled_from(("forward_pre", "forward")), min_size=1, max_size=5))
def test_a_call_runs_pre_hooks_then_forward_then_forward_hooks(implementation, device, kinds):
    """A call runs the forward pre-hooks, then forward, then the forward hooks, in whatever order they were
    registered."""
    log = []

    class Net(implementation.Module):
        def forward(self):
            log.append("the module's forward")

    module = Net()
    for kind in kinds:
        getattr(module, f"register_{kind}_hook")(lambda *given, kind=kind: log.append(kind))
    module()
    before, after = kinds.count("forward_pre"), kinds.count("forward")
    assert log == ["forward_pre"] * before + ["the module's forward"] + ["forward"] * after


@clause(
    "calls/whole-tree-with-hooks",
    "torch.nn.Module.forward",
    "one should call the :class:`Module` instance afterwards instead of this since the former takes care of running "
    "the registered hooks",
    since="2.0",
    needs=("computation", *OPTIONS),
)
@for_any_module(blueprint=callables(hooks=True), own=hooks("forward_pre", "forward"), rows=rows())
def test_a_call_of_a_tree_runs_every_hook_on_its_way(implementation, device, blueprint, own, rows):
    """A call of a tree runs the hooks of every module that is called, once per visit of a shared module, and computes
    what the layers and the hooks' results say."""
    shared = (("twice", bp.Sequential(hooks=own)), ("again", bp.Shared("twice")))
    subject = implementation.build(blueprint.replace(members=(*blueprint.members, *shared)), device)
    subject.module.eval()
    output = subject.module(implementation.tensor(rows, device=device))
    log = []
    assert implementation.read(output).flat == approximately(model.forward(subject.model, rows, log))
    assert subject.log == log


@clause(
    "calls/exception-skips-forward-hooks",
    "torch.nn.Module.register_forward_hook",
    "The hook will be called every time after :func:`forward` has computed an output.",
    needs=("Module.register_forward_pre_hook", "Module.register_forward_hook"),
)
@given(in_hook=st.booleans(), count=st.integers(1, 3))
def test_an_exception_reaches_the_caller_and_no_forward_hook_runs(implementation, device, in_hook, count):
    """An exception raised by a forward pre-hook or by forward reaches the caller unchanged, no forward hook runs, and
    the next call is a normal one."""
    error, log = ValueError("stop"), []
    failing = [True]

    def stop(*given):
        if failing:
            raise error

    class Net(implementation.Module):
        def forward(self):
            return None if in_hook else stop()

    module = Net()
    if in_hook:
        module.register_forward_pre_hook(stop)
    for _ in range(count):
        module.register_forward_hook(lambda *given: log.append("forward hook"))
    with pytest.raises(ValueError) as caught:
        module()
    assert caught.value is error
    assert log == []
    failing.clear()
    module()
    assert log == ["forward hook"] * count


@clause(
    "calls/module-without-forward-cannot-be-called",
    "source:torch.nn.Module.forward",
    "raise NotImplementedError(",
    severity=OBSERVED,
    since="1.10",
)
@given(kind=st.sampled_from(("Module", "ModuleList", "ModuleDict")), args=arguments())
def test_a_module_without_a_forward_raises_not_implemented_error(implementation, device, kind, args):
    """Calling a module whose class defines no forward raises NotImplementedError; ModuleList and ModuleDict are
    such."""
    base = getattr(implementation, kind)

    class Net(base):
        def forward(self, *given):
            return given

    with pytest.raises(NotImplementedError):
        base()(*args)
    assert Net()(*args) == args
