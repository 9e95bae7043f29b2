"""The hooks around state_dict(): what they receive, and what they may change."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, clause, for_any_module, given
from conformance.model.state import chosen, prefixes, readings
from conformance.suite.support.nesting import nest
from strategies import blueprints, fills
from strategies.state import name_paths

PRE_HOOKS = "Module.register_state_dict_pre_hook"
POST_HOOKS = "Module.register_state_dict_post_hook"


@clause(
    "state_dict/pre_hook-receives-prefix-and-keep_vars",
    "torch.nn.Module.register_state_dict_pre_hook",
    "hook(module, prefix, keep_vars) -> None",
    since="2.0",
    needs=PRE_HOOKS,
)
@for_any_module(blueprint=blueprints(), prefix=st.sampled_from(("", "a.", "module.")), keep_vars=st.booleans())
def test_a_pre_hook_is_called_for_its_module_at_every_name(implementation, device, blueprint, prefix, keep_vars):
    """A state_dict pre-hook is called as hook(module, prefix, keep_vars), with the prefix of the keys of its module,
    also where its module lies below the one whose state_dict() is called, once for each of its names."""
    subject = implementation.build(blueprint, device)
    seen = []
    for module in subject.model.modules():
        subject[module.path].register_state_dict_pre_hook(lambda *given: seen.append(given))
    subject.module.state_dict(prefix=prefix, keep_vars=keep_vars)
    expected = [(path, prefix, keep_vars) for path, prefix in prefixes(subject.model, prefix)]
    assert sorted((subject.path(module), *rest) for module, *rest in seen) == sorted(expected)


@clause(
    "state_dict/pre_hook-runs-before-collection",
    "torch.nn.Module.register_state_dict_pre_hook",
    "The registered hooks can be used to perform pre-processing before the ``state_dict`` call is made.",
    since="2.0",
    needs=PRE_HOOKS,
)
@for_any_module(blueprint=blueprints(), which=st.integers(0, 63), fill=fills())
def test_what_a_pre_hook_registers_is_in_the_state_dict(implementation, device, blueprint, which, fill):
    """What a state_dict pre-hook registers on its module is already part of the state_dict being built."""
    subject = implementation.build(blueprint, device)
    (chosen_one,) = chosen(subject.model.modules(), [which])
    values = [float(fill), -0.5]

    def register(module, prefix, keep_vars):
        module.register_buffer("late", implementation.tensor(values, "float32", device))

    subject[chosen_one.path].register_state_dict_pre_hook(register)
    state = subject.module.state_dict()
    added = {prefix + "late" for path, prefix in prefixes(subject.model) if path == chosen_one.path}
    assert set(state) == {key for key, _ in subject.model.state_dict()} | added
    assert all(implementation.read(state[key]) == ((2,), "float32", tuple(values)) for key in added)


@clause(
    "state_dict/post_hook-sees-the-collected-entries",
    "torch.nn.Module.register_state_dict_post_hook",
    "hook(module, state_dict, prefix, local_metadata) -> None",
    since="2.5",
    needs=POST_HOOKS,
)
@for_any_module(blueprint=blueprints())
def test_a_post_hook_is_called_with_the_entries_of_its_module(implementation, device, blueprint):
    """A state_dict post-hook is called as hook(module, state_dict, prefix, local_metadata) when all entries of its
    module and of those below are in state_dict, once for each name of its module."""
    subject = implementation.build(blueprint, device)
    seen = []

    def record(module, state_dict, prefix, local_metadata):
        seen.append((subject.path(module), prefix, sorted(key for key in state_dict if key.startswith(prefix))))

    for module in subject.model.modules():
        subject[module.path].register_state_dict_post_hook(record)
    subject.module.state_dict()
    own = {module.path: module for module in subject.model.modules()}
    expected = [(path, prefix, sorted(dict(own[path].state_dict(prefix)))) for path, prefix in prefixes(subject.model)]
    assert sorted(seen) == sorted(expected)


@clause(
    "state_dict/post_hook-edits-the-result",
    "torch.nn.Module.register_state_dict_post_hook",
    "The registered hooks can modify the ``state_dict`` inplace.",
    since="2.5",
    needs=POST_HOOKS,
)
@for_any_module(blueprint=blueprints(shared=False), which=st.integers(0, 63))
def test_what_a_post_hook_changes_in_place_is_in_the_result(implementation, device, blueprint, which):
    """Entries that a state_dict post-hook renames in place have their new key in the result, whether its module is the
    root or lies below it; all others are as they were."""
    subject = implementation.build(blueprint, device)
    ((path, own),) = chosen(prefixes(subject.model), [which])

    def renamed(key):
        return f"{own}renamed.{key.removeprefix(own)}" if key.startswith(own) else key

    def rename(module, state_dict, prefix, local_metadata):
        for key in [key for key in state_dict if key.startswith(prefix)]:
            state_dict[f"{prefix}renamed.{key.removeprefix(prefix)}"] = state_dict.pop(key)

    subject[path].register_state_dict_post_hook(rename)
    observed = {key: implementation.read(value) for key, value in subject.module.state_dict().items()}
    assert observed == {renamed(key): reading for key, reading in readings(subject.model.state()).items()}


@clause(
    "state_dict/post_hook-may-be-a-bound-method",
    "torch.nn.Module.register_state_dict_post_hook",
    "It should have the following signature::",
    since="2.5",
    needs=POST_HOOKS,
)
@given(names=name_paths())
def test_a_bound_method_of_that_signature_is_a_post_hook(implementation, device, names):
    """A bound method with the signature (module, state_dict, prefix, local_metadata) is called like any other
    state_dict post-hook."""

    class Net(implementation.Module):
        def record(self, module, state_dict, prefix, local_metadata):
            seen.append((self, module, prefix))

    seen, module = [], Net()
    module.register_state_dict_post_hook(module.record)
    nest(implementation.Module, names, module).state_dict()
    assert seen == [(module, module, "".join(f"{name}." for name in names))]


@clause(
    "state_dict/post_hook-must-return-none",
    "source:torch.nn.Module.state_dict",
    "state_dict post-hook must return None",
    severity=OBSERVED,
    since="2.5",
    needs=POST_HOOKS,
)
@given(names=name_paths(), result=st.sampled_from((0, "", [], {}, False)))
def test_a_post_hook_that_returns_a_value_is_refused(implementation, device, names, result):
    """state_dict() raises RuntimeError where a state_dict post-hook returns anything but None."""
    module = implementation.Module()
    module.register_state_dict_post_hook(lambda *given: result)
    with pytest.raises(RuntimeError, match="state_dict post-hook must return None"):
        nest(implementation.Module, names, module).state_dict()


@clause(
    "state_dict/hooks-run-in-registration-order",
    "source:torch.nn.Module.state_dict",
    "for hook in self._state_dict_hooks.values():",
    severity=OBSERVED,
    since="2.5",
    needs=(PRE_HOOKS, POST_HOOKS),
)
@given(names=name_paths(), count=st.integers(2, 4))
def test_several_hooks_of_a_module_run_in_registration_order(implementation, device, names, count):
    """The state_dict pre-hooks of a module run in the order in which they were registered, and so do its state_dict
    post-hooks."""
    module, seen = implementation.Module(), []
    for number in range(count):
        module.register_state_dict_post_hook(lambda *given, number=number: seen.append(("post", number)))
        module.register_state_dict_pre_hook(lambda *given, number=number: seen.append(("pre", number)))
    nest(implementation.Module, names, module).state_dict()
    assert seen == [(kind, number) for kind in ("pre", "post") for number in range(count)]
