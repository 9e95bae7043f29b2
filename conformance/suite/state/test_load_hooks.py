"""Subclasses that load their own entries, and the hooks around load_state_dict()."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, clause, for_any_module, given
from conformance.language import blueprint as bp
from conformance.language.transform import extended, refilled
from conformance.model.state import chosen, loaded, prefixes, readings, strangers
from conformance.suite.support.loading import contents, keys, remove
from conformance.suite.support.nesting import nest
from strategies import blueprints, fills, names, parameters
from strategies.state import name_paths, picks, stranger_names

LOAD_OWN = "torch.nn.Module._load_from_state_dict"
PRE_HOOK = "torch.nn.Module.register_load_state_dict_pre_hook"
POST_HOOK = "torch.nn.Module.register_load_state_dict_post_hook"
PRE_HOOKS = "Module.register_load_state_dict_pre_hook"
POST_HOOKS = "Module.register_load_state_dict_post_hook"


@clause(
    "load_state_dict/load_from_state_dict-of-every-submodule",
    LOAD_OWN,
    "This is called on every submodule in :meth:`~torch.nn.Module.load_state_dict`.",
    needs="Module._load_from_state_dict",
)
@given(names=name_paths(), parameter=parameters())
def test_a_subclass_may_load_its_own_entries(implementation, device, names, parameter):
    """Where a subclass overrides _load_from_state_dict(state_dict, prefix, ...), it is called with the prefix of that
    module at any depth, and may change the entries it is given before they are loaded."""

    class Net(implementation.Module):
        def _load_from_state_dict(self, state_dict, prefix, *rest):
            state_dict[f"{prefix}own"] = state_dict.pop(f"{prefix}old_own")
            super()._load_from_state_dict(state_dict, prefix, *rest)

    parameter = implementation.restrict(parameter)
    module, changed = Net(), refilled(bp.Module({"own": parameter})).at("own")
    module.own = implementation.parameter(implementation.make(parameter, device), parameter.differentiable)
    entry = implementation.make(bp.Tensor(changed.shape, changed.dtype, changed.fill), device)
    nest(implementation.Module, names, module).load_state_dict({".".join([*names, "old_own"]): entry})
    assert implementation.read(module.own) == (changed.shape, changed.dtype, changed.flat)


@clause(
    "load_state_dict/version-reaches-the-subclass",
    LOAD_OWN,
    "Subclasses can achieve class-specific backward compatible loading using the version number at "
    '`local_metadata.get("version", None)`.',
    needs=("Module._load_from_state_dict", "Module._version"),
)
@given(names=name_paths(), version=st.integers(2, 9))
def test_the_version_of_the_saved_module_is_in_local_metadata(implementation, device, names, version):
    """local_metadata, as _load_from_state_dict() gets it, holds the _version of the class that was saved; it is empty
    for a state_dict without metadata, such as a plain dict."""

    class Saved(implementation.Module):
        _version = version

    class Net(implementation.Module):
        def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
            seen.append(dict(local_metadata))

    seen, state = [], nest(implementation.Module, names, Saved()).state_dict()
    for given_one in (state, dict(state)):
        nest(implementation.Module, names, Net()).load_state_dict(given_one)
    assert (seen[0].get("version"), seen[1]) == (version, {})


@clause(
    "load_state_dict/pre_hook-receives-its-prefix",
    PRE_HOOK,
    "hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs) -> None",
    since="2.5",
    needs=PRE_HOOKS,
)
@for_any_module(blueprint=blueprints())
def test_a_load_pre_hook_is_called_for_its_module_at_every_name(implementation, device, blueprint):
    """A load_state_dict pre-hook is called as hook(module, state_dict, prefix, local_metadata, strict, missing_keys,
    unexpected_keys, error_msgs), with the entries under that prefix, also below the module that is loaded."""
    subject = implementation.build(blueprint, device)
    seen = []

    def record(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs):
        seen.append((subject.path(module), prefix, sorted(key for key in state_dict if key.startswith(prefix))))

    for module in subject.model.modules():
        subject[module.path].register_load_state_dict_pre_hook(record)
    subject.module.load_state_dict(subject.module.state_dict())
    own = {module.path: module for module in subject.model.modules()}
    expected = [(path, prefix, sorted(dict(own[path].state_dict(prefix)))) for path, prefix in prefixes(subject.model)]
    assert sorted(seen) == sorted(expected)


@clause(
    "load_state_dict/pre_hook-may-rename-keys",
    PRE_HOOK,
    "Register a pre-hook to be run before module's :meth:`~nn.Module.load_state_dict` is called.",
    since="2.5",
    needs=PRE_HOOKS,
)
@for_any_module(blueprint=blueprints(shared=False), which=st.integers(0, 63))
def test_keys_that_a_pre_hook_renames_are_loaded_under_their_new_names(implementation, device, blueprint, which):
    """A load_state_dict pre-hook runs before the entries of its module are looked up: keys that it renames in
    state_dict load under their new names, and the caller's dictionary keeps the old ones."""
    subject = implementation.build(blueprint, device)
    source = implementation.build(refilled(blueprint), device)
    ((path, own),) = chosen(prefixes(subject.model), [which])

    def rename(module, state_dict, prefix, *rest):
        for key in [key for key in state_dict if key.startswith(f"{prefix}old.")]:
            state_dict[prefix + key.removeprefix(f"{prefix}old.")] = state_dict.pop(key)

    subject[path].register_load_state_dict_pre_hook(rename)
    renamed = {
        f"{own}old.{key.removeprefix(own)}" if key.startswith(own) else key: value
        for key, value in source.module.state_dict().items()
    }
    before = list(renamed)
    assert keys(subject.module.load_state_dict(renamed)) == ([], [])
    assert subject.readings() == loaded(subject.model, source.model.state())
    assert list(renamed) == before


@clause(
    "load_state_dict/pre_hook-receives-strict",
    LOAD_OWN,
    "whether to strictly enforce that the keys in :attr:`state_dict` with :attr:`prefix` match the names of "
    "parameters and buffers in this module",
    since="2.5",
    needs=PRE_HOOKS,
)
@given(names=name_paths(), strict=st.booleans())
def test_a_load_pre_hook_receives_the_strict_of_the_call(implementation, device, names, strict):
    """The argument strict that a load_state_dict pre-hook receives is the one that load_state_dict() was called
    with."""
    module, seen = implementation.Module(), []
    module.register_load_state_dict_pre_hook(lambda *given: seen.append(given[4]))
    nest(implementation.Module, names, module).load_state_dict({}, strict=strict)
    assert seen == [strict]


@clause(
    "load_state_dict/pre_hook-may-be-any-callable",
    PRE_HOOK,
    "hook (Callable): Callable hook that will be invoked before loading the state dict.",
    since="2.5",
    needs=PRE_HOOKS,
)
@given(names=name_paths(), attribute=st.sampled_from(("calls", "name", "hook", "module", "with_module")))
def test_an_object_with_call_is_a_load_pre_hook_whatever_its_attributes(implementation, device, names, attribute):
    """An object with __call__ may be a load_state_dict pre-hook, whatever attributes it has."""

    class Hook:
        def __init__(self):
            setattr(self, attribute, lambda *given: seen.append("attribute"))

        def __call__(self, *given):
            seen.append("hook")

    module, seen = implementation.Module(), []
    module.register_load_state_dict_pre_hook(Hook())
    nest(implementation.Module, names, module).load_state_dict({})
    assert seen == ["hook"]


@clause(
    "load_state_dict/post_hook-runs-after-its-module",
    POST_HOOK,
    "The ``module`` argument is the current module that this hook is registered on",
    since="1.12",
    needs=POST_HOOKS,
)
@for_any_module(blueprint=blueprints())
def test_a_load_post_hook_finds_its_module_loaded(implementation, device, blueprint):
    """A load_state_dict post-hook is called with its module once that module and all below it are loaded, once for
    each name of the module."""
    subject = implementation.build(blueprint, device)
    source = implementation.build(refilled(blueprint), device)
    seen = []

    def record(module, incompatible_keys):
        seen.append((subject.path(module), contents(implementation, module)))

    for module in subject.model.modules():
        subject[module.path].register_load_state_dict_post_hook(record)
    subject.module.load_state_dict(source.module.state_dict())
    own = {module.path: readings(module.state()) for module in source.model.modules()}
    expected = [(path, own[path]) for path, _ in prefixes(subject.model)]
    assert sorted(seen, key=lambda call: call[0]) == sorted(expected, key=lambda call: call[0])


@clause(
    "load_state_dict/post_hook-receives-the-keys",
    POST_HOOK,
    "the ``incompatible_keys`` argument is a ``NamedTuple`` consisting of attributes ``missing_keys`` and "
    "``unexpected_keys``.",
    since="1.12",
    needs=POST_HOOKS,
)
@for_any_module(blueprint=blueprints(), parameter=parameters(), which=picks(), more=stranger_names(), fill=fills())
def test_a_load_post_hook_receives_missing_and_unexpected_keys(
    implementation, device, blueprint, parameter, which, more, fill
):
    """A load_state_dict post-hook of the module that is loaded receives the lists of all missing and unexpected
    keys."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    missing, unexpected, seen = chosen(subject.model.state(), which), strangers(subject.model, more), []
    state = subject.module.state_dict()
    remove(state, missing)
    state.update((key, implementation.make(bp.Tensor((2,), fill=fill), device)) for key in unexpected)
    subject.module.register_load_state_dict_post_hook(lambda module, incompatible: seen.append(keys(incompatible)))
    subject.module.load_state_dict(state, strict=False)
    assert seen == [(sorted(missing), sorted(unexpected))]


@clause(
    "load_state_dict/post_hook-may-clear-the-keys",
    POST_HOOK,
    "clearing out both missing and unexpected keys will avoid an error.",
    since="1.12",
    needs=POST_HOOKS,
)
@for_any_module(blueprint=blueprints(), parameter=parameters(), which=picks(), more=stranger_names(), fill=fills())
def test_a_load_post_hook_that_clears_both_lists_avoids_the_error(
    implementation, device, blueprint, parameter, which, more, fill
):
    """Where a post-hook clears missing_keys and unexpected_keys in place, strict loading raises nothing and returns
    empty lists."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    state = subject.module.state_dict()
    remove(state, chosen(state, which))
    for key in strangers(subject.model, more):
        state[key] = implementation.make(bp.Tensor((2,), fill=fill), device)

    def clear(module, incompatible_keys):
        incompatible_keys.missing_keys.clear()
        incompatible_keys.unexpected_keys.clear()

    subject.module.register_load_state_dict_post_hook(clear)
    assert keys(subject.module.load_state_dict(state)) == ([], [])


@clause(
    "load_state_dict/post_hook-may-add-keys",
    POST_HOOK,
    "Additions to either set of keys will result in an error being thrown when ``strict=True``",
    since="1.12",
    needs=POST_HOOKS,
)
@for_any_module(blueprint=blueprints(), which=st.integers(0, 63), missing=st.booleans(), key=names())
def test_a_key_that_a_load_post_hook_adds_counts(implementation, device, blueprint, which, missing, key):
    """A key that a post-hook of any module adds to missing_keys or unexpected_keys makes strict loading raise
    RuntimeError, and is in the result otherwise."""
    subject = implementation.build(blueprint, device)
    (module,) = chosen(subject.model.modules(), [which])
    state = subject.module.state_dict()

    def add(module, incompatible_keys):
        found = incompatible_keys.missing_keys if missing else incompatible_keys.unexpected_keys
        found[:] = [key]

    subject[module.path].register_load_state_dict_post_hook(add)
    with pytest.raises(RuntimeError):
        subject.module.load_state_dict(state)
    assert keys(subject.module.load_state_dict(state, strict=False)) == (([key], []) if missing else ([], [key]))


@clause(
    "load_state_dict/post_hook-is-removed-by-its-handle",
    POST_HOOK,
    "a handle that can be used to remove the added hook by calling ``handle.remove()``",
    since="1.12",
    needs=POST_HOOKS,
)
@given(count=st.integers(1, 4), gone=picks())
def test_a_load_post_hook_is_not_called_after_its_handle_was_removed(implementation, device, count, gone):
    """A load_state_dict post-hook whose handle was removed is not called any more; the others are."""
    module, seen = implementation.Module(), []
    handles = [
        module.register_load_state_dict_post_hook(lambda *given, number=number: seen.append(number))
        for number in range(count)
    ]
    removed = chosen(range(count), gone)
    for number in removed:
        handles[number].remove()
    module.load_state_dict({})
    assert sorted(seen) == [number for number in range(count) if number not in removed]


@clause(
    "load_state_dict/post_hook-must-return-none",
    "source:torch.nn.Module.load_state_dict",
    'it should be done inplace."',
    severity=OBSERVED,
    since="1.12",
    needs=POST_HOOKS,
)
@given(names=name_paths(), result=st.sampled_from((0, "", [], (), False)))
def test_a_load_post_hook_that_returns_a_value_is_refused(implementation, device, names, result):
    """load_state_dict() raises AssertionError where a post-hook returns anything but None."""
    module = implementation.Module()
    root = nest(implementation.Module, names, module)
    module.register_load_state_dict_post_hook(lambda *given: None)
    root.load_state_dict({})
    module.register_load_state_dict_post_hook(lambda *given: result)
    with pytest.raises(AssertionError):
        root.load_state_dict({})


@clause(
    "load_state_dict/hooks-run-in-registration-order",
    "source:torch.nn.Module.load_state_dict",
    "for hook in module._load_state_dict_post_hooks.values():",
    severity=OBSERVED,
    since="2.5",
    needs=(PRE_HOOKS, POST_HOOKS),
)
@given(names=name_paths(), count=st.integers(2, 4))
def test_several_load_hooks_of_a_module_run_in_registration_order(implementation, device, names, count):
    """The load_state_dict pre-hooks of a module run in the order in which they were registered, and so do its
    load_state_dict post-hooks."""
    module, seen = implementation.Module(), []
    for number in range(count):
        module.register_load_state_dict_post_hook(lambda *given, number=number: seen.append(("post", number)))
        module.register_load_state_dict_pre_hook(lambda *given, number=number: seen.append(("pre", number)))
    nest(implementation.Module, names, module).load_state_dict({})
    assert seen == [(kind, number) for kind in ("pre", "post") for number in range(count)]
