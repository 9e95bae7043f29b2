"""Handles: what removing a hook removes, and what it leaves."""

from __future__ import annotations

import dataclasses
import gc
import weakref

from hypothesis import strategies as st

from conformance import model
from conformance.contract import OBSERVED, clause, for_any_module, given
from conformance.language import blueprint as bp
from conformance.model.hooks import backward
from conformance.suite.support import echo
from conformance.suite.support.numbers import approximately
from strategies import callables
from strategies.hooks import OPTIONS, hooks, linears
from strategies.inputs import rows

REMOVE = "a handle that can be used to remove the added hook by calling ``handle.remove()``"
FORWARD_KINDS = ("forward_pre", "forward")
BOTH = ("Module.register_forward_pre_hook", "Module.register_forward_hook", "hooks.handle")


def remove_some(subject, choice):
    """Remove the hooks whose bit is set in the number, from the built tree and from its model; the names removed."""
    removed = {name for i, name in enumerate(subject.handles) if choice >> i & 1}
    for name in removed:
        subject.handles[name].remove()
    for module in subject.model.modules():
        module.hooks = tuple(hook for hook in module.hooks if hook.name not in removed)


@clause(
    "handles/remove-its-own-hook-only",
    "torch.nn.Module.register_forward_hook",
    REMOVE,
    since="2.0",
    needs=("computation", *OPTIONS, "hooks.handle"),
)
@for_any_module(blueprint=callables(hooks=True), own=hooks(*FORWARD_KINDS), choice=st.integers(0, 1023), rows=rows())
def test_removing_some_forward_hooks_leaves_the_others_in_order(implementation, device, blueprint, own, choice, rows):
    """handle.remove() removes the forward pre-hook or forward hook that the handle was returned for; the other hooks
    still fire, in their order."""
    subject, log = implementation.build(blueprint.replace(hooks=own), device), []
    subject.module.eval()
    remove_some(subject, choice)
    output = subject.module(implementation.tensor(rows, device=device))
    assert implementation.read(output).flat == approximately(model.forward(subject.model, rows, log))
    assert subject.log == log


@clause(
    "handles/remove-backward-hooks",
    "torch.nn.Module.register_full_backward_hook",
    REMOVE,
    since="2.0",
    needs=(
        "computation",
        "autograd",
        "Module.register_full_backward_hook(prepend)",
        "Module.register_full_backward_pre_hook",
    ),
)
@for_any_module(blueprint=linears("full_backward", "full_backward_pre"), choice=st.integers(0, 1023), rows=rows())
def test_removing_some_backward_hooks_leaves_the_others_in_order(implementation, device, blueprint, choice, rows):
    """handle.remove() removes the full backward hook or pre-hook that the handle was returned for; the other hooks
    still fire, in their order."""
    subject = implementation.build(blueprint, device)
    remove_some(subject, choice)
    x = implementation.parameter(implementation.tensor(rows, device=device))
    implementation.backward(subject.module(x))
    expected = backward(subject.model, rows)
    assert subject.log == expected.log
    assert implementation.read(implementation.grad(x)).flat == approximately(expected.grads["input"])


@clause(
    "handles/remove-between-calls-and-add-again",
    "torch.nn.Module.register_forward_pre_hook",
    "the provided ``hook`` will be fired after all existing ``forward_pre`` hooks on this",
    since="1.2",
    needs=BOTH,
)
@given(
    first=hooks(*FORWARD_KINDS, prepend=False, with_kwargs=False),
    second=hooks(*FORWARD_KINDS, prepend=False, with_kwargs=False),
    choice=st.integers(0, 15),
    rows=rows(),
)
def test_a_hook_registered_after_a_removal_fires_last(implementation, device, first, second, choice, rows):
    """A hook registered after others were removed fires after all that are left, and displaces none of them."""
    subject, log = implementation.build(bp.Chain(hooks=first), device), []
    remove_some(subject, choice)
    later = tuple(dataclasses.replace(hook, name=f"later {hook.name}") for hook in second)
    for hook in later:
        subject.register(hook, subject.module)
    subject.model.hooks += later
    output = subject.module(implementation.tensor(rows, device=device))
    assert implementation.read(output).flat == approximately(model.forward(subject.model, rows, log))
    assert subject.log == log


@clause(
    "handles/one-callable-registered-twice",
    "torch.nn.Module.register_forward_hook",
    REMOVE,
    needs=BOTH,
)
@given(kind=st.sampled_from(FORWARD_KINDS), count=st.integers(2, 4), removed=st.integers(0, 15))
def test_one_callable_registered_several_times_has_a_handle_each(implementation, device, kind, count, removed):
    """A callable registered n times fires n times per call, and each of its handles removes one registration."""
    module, log = echo.define(implementation.Module)(), []

    def record(*given):
        log.append("hook")

    handles = [getattr(module, f"register_{kind}_hook")(record) for _ in range(count)]
    module()
    assert log == ["hook"] * count
    for i, handle in enumerate(handles):
        if removed >> i & 1:
            handle.remove()
    log.clear()
    module()
    assert log == ["hook"] * sum(not removed >> i & 1 for i in range(count))


@clause(
    "handles/remove-global-hook",
    "torch.nn.modules.module.register_module_forward_hook",
    REMOVE,
    since="1.5",
    needs=("register_module_forward_pre_hook", "register_module_forward_hook"),
)
@given(kinds=st.lists(st.sampled_from(FORWARD_KINDS), min_size=1, max_size=4), removed=st.integers(0, 15))
def test_a_handle_removes_its_own_global_hook_only(implementation, device, kinds, removed):
    """handle.remove() of a global hook stops that hook for all modules; other global hooks still fire."""
    module, log, handles = echo.define(implementation.Module)(), [], []
    try:
        for i, kind in enumerate(kinds):
            register = getattr(implementation, f"register_module_{kind}_hook")
            handles.append(register(lambda *given, i=i: log.append(i)))
        for i, handle in enumerate(handles):
            if removed >> i & 1:
                handle.remove()
        module()
    finally:
        for handle in handles:
            handle.remove()
    left = [i for i in range(len(kinds)) if not removed >> i & 1]
    assert log == sorted(left, key=lambda i: (kinds[i] == "forward", i))
    log.clear()
    module()
    assert log == []


@clause(
    "handles/remove-twice",
    "source:torch.utils.hooks.RemovableHandle.remove",
    "if hooks_dict is not None and self.id in hooks_dict:",
    severity=OBSERVED,
    since="1.2",
    needs=BOTH,
)
@given(own=hooks(*FORWARD_KINDS, prepend=False, with_kwargs=False), choice=st.integers(0, 15), rows=rows())
def test_removing_a_hook_twice_does_nothing_more(implementation, device, own, choice, rows):
    """A second handle.remove() does nothing: it raises no error and the other hooks still fire."""
    subject, log = implementation.build(bp.Chain(hooks=own), device), []
    remove_some(subject, choice)
    remove_some(subject, choice)
    subject.module(implementation.tensor(rows, device=device))
    model.forward(subject.model, rows, log)
    assert subject.log == log


@clause(
    "handles/context-manager-removes",
    "source:torch.utils.hooks.RemovableHandle.__exit__",
    "self.remove()",
    severity=OBSERVED,
    needs=BOTH,
)
@given(kind=st.sampled_from(FORWARD_KINDS), raises=st.booleans())
def test_leaving_the_with_block_of_a_handle_removes_its_hook(implementation, device, kind, raises):
    """A handle is a context manager: its hook fires inside the with block and is removed on leaving it, also by an
    exception."""
    module, log = echo.define(implementation.Module)(), []
    try:
        with getattr(module, f"register_{kind}_hook")(lambda *given: log.append("hook")):
            module()
            if raises:
                raise KeyError
    except KeyError:
        pass
    module()
    assert log == ["hook"]


@clause(
    "handles/remove-inside-a-call",
    "source:torch.nn.Module._call_impl",
    "*self._forward_hooks.items(),",
    severity=OBSERVED,
    needs=BOTH,
)
@given(kind=st.sampled_from(FORWARD_KINDS), count=st.integers(1, 4), place=st.integers(0, 3))
def test_a_hook_may_remove_itself_while_it_runs(implementation, device, kind, count, place):
    """A hook that removes itself while it runs does not fire again; the hooks due in that call still fire."""
    module, log, handles = echo.define(implementation.Module)(), [], []

    def hook(i):
        log.append(i)
        if i == place % count:
            handles[i].remove()

    for i in range(count):
        handles.append(getattr(module, f"register_{kind}_hook")(lambda *given, i=i: hook(i)))
    module()
    assert log == list(range(count))
    log.clear()
    module()
    assert log == [i for i in range(count) if i != place % count]


@clause(
    "handles/remove-after-the-module-is-gone",
    "source:torch.utils.hooks.RemovableHandle.remove",
    "hooks_dict = self.hooks_dict_ref()",
    severity=OBSERVED,
    needs=BOTH,
)
@given(kind=st.sampled_from(FORWARD_KINDS), times=st.integers(1, 2))
def test_a_handle_may_outlive_its_module(implementation, device, kind, times):
    """handle.remove() after its module is gone does nothing and raises no error."""
    module, log = echo.define(implementation.Module)(), []
    handle = getattr(module, f"register_{kind}_hook")(lambda *given: log.append("hook"))
    module()
    del module
    for _ in range(times):
        handle.remove()
    assert log == ["hook"]


@clause(
    "handles/keep-neither-module-nor-hook-alive",
    "source:torch.utils.hooks.RemovableHandle.__init__",
    "self.hooks_dict_ref = weakref.ref(hooks_dict)",
    severity=OBSERVED,
    needs=BOTH,
)
@given(kinds=st.lists(st.sampled_from(FORWARD_KINDS), min_size=1, max_size=3))
def test_a_module_and_its_hooks_are_gone_although_their_handles_live(implementation, device, kinds):
    """A handle keeps neither the module alive that its hook was registered on, nor the hook; handle.remove() then does
    nothing."""
    module, handles, references = echo.define(implementation.Module)(), [], []
    for kind in kinds:

        def hook(*given):
            pass

        handles.append(getattr(module, f"register_{kind}_hook")(hook))
        references.append(weakref.ref(hook))
    references.append(weakref.ref(module))
    module()
    del module, hook
    if any(reference() is not None for reference in references):
        gc.collect()  # a whole framework is walked only for what a circle of references keeps
    assert [reference() for reference in references] == [None] * len(references)
    for handle in handles:
        handle.remove()
