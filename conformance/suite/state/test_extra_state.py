"""get_extra_state and set_extra_state: what a module stores in the state_dict beside its tensors."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, clause, given
from conformance.suite.support.nesting import nest
from strategies.state import extra_states, name_paths

GET = "torch.nn.Module.get_extra_state"
SET = "torch.nn.Module.set_extra_state"
NEEDS = ("Module.get_extra_state", "Module.set_extra_state")


def define(module_class):
    """A subclass that keeps ``extra`` as its extra state."""

    class WithExtra(module_class):
        def __init__(self, extra):
            super().__init__()
            self.extra = extra

        def get_extra_state(self):
            return self.extra

        def set_extra_state(self, state):
            self.extra = state

    return WithExtra


@clause(
    "extra_state/stored-in-state_dict",
    GET,
    "Return any extra state to include in the module's state_dict.",
    since="1.10",
    needs=NEEDS,
)
@given(names=name_paths(), extra=extra_states())
def test_what_get_extra_state_returns_is_in_the_state_dict(implementation, device, names, extra):
    """The object that get_extra_state() returns is in the state_dict of its module and of every module above."""
    module = define(implementation.Module)(extra)
    state = nest(implementation.Module, names, module).state_dict()
    assert list(state.values()) == [extra]


@clause(
    "extra_state/asked-at-each-state_dict",
    GET,
    "This function is called when building the module's `state_dict()`.",
    since="1.10",
    needs=NEEDS,
)
@given(names=name_paths(), extra=extra_states(), later=extra_states())
def test_each_state_dict_holds_the_extra_state_of_its_moment(implementation, device, names, extra, later):
    """Each call of state_dict() asks get_extra_state() anew; a dictionary made before keeps what it was given."""
    module = define(implementation.Module)(extra)
    root = nest(implementation.Module, names, module)
    before = root.state_dict()
    module.extra = later
    assert list(root.state_dict().values()) == [later]
    assert list(before.values()) == [extra]


@clause(
    "extra_state/key-ends-in-_extra_state",
    "source:torch.nn.Module._save_to_state_dict",
    "extra_state_key = prefix + _EXTRA_STATE_KEY_SUFFIX",
    severity=OBSERVED,
    since="1.10",
    needs=NEEDS,
)
@given(names=name_paths(), extra=extra_states())
def test_the_key_of_extra_state_is_the_path_of_the_module_and_extra_state(implementation, device, names, extra):
    """Extra state has the key "_extra_state" after the prefix of its module."""
    module = define(implementation.Module)(extra)
    assert list(nest(implementation.Module, names, module).state_dict()) == [".".join([*names, "_extra_state"])]


@clause(
    "extra_state/handed-to-set_extra_state",
    SET,
    "This function is called from :func:`load_state_dict` to handle any extra state found within the `state_dict`.",
    since="1.10",
    needs=NEEDS,
)
@given(names=name_paths(), extra=extra_states(), other=extra_states(), strict=st.booleans())
def test_load_state_dict_hands_extra_state_to_set_extra_state(implementation, device, names, extra, other, strict):
    """load_state_dict() calls set_extra_state() with the extra state that the same module had when it was saved."""
    make = define(implementation.Module)
    saved = nest(implementation.Module, names, make(extra)).state_dict()
    module = make(other)
    result = nest(implementation.Module, names, module).load_state_dict(saved, strict=strict)
    assert (module.extra, list(result.missing_keys), list(result.unexpected_keys)) == (extra, [], [])


@clause(
    "extra_state/missing-entry-is-a-missing-key",
    "torch.nn.Module.load_state_dict",
    "the keys of :attr:`state_dict` must exactly match the keys returned by this module's "
    ":meth:`~torch.nn.Module.state_dict` function.",
    since="1.10",
    needs=NEEDS,
)
@given(names=name_paths(), extra=extra_states())
def test_extra_state_that_is_not_given_is_a_missing_key(implementation, device, names, extra):
    """Where a module with extra state is loaded from a state_dict without it, its key is missing: strict loading
    raises RuntimeError, other loading reports the key and leaves the extra state alone."""
    module = define(implementation.Module)(extra)
    root = nest(implementation.Module, names, module)
    with pytest.raises(RuntimeError):
        root.load_state_dict({})
    result = root.load_state_dict({}, strict=False)
    assert (list(result.missing_keys), list(result.unexpected_keys)) == (list(root.state_dict()), [])
    assert module.extra == extra


@clause(
    "extra_state/unwanted-entry-is-an-unexpected-key",
    "torch.nn.Module.load_state_dict",
    "the keys of :attr:`state_dict` must exactly match the keys returned by this module's "
    ":meth:`~torch.nn.Module.state_dict` function.",
    since="1.10",
    needs=NEEDS,
)
@given(names=name_paths(), extra=extra_states())
def test_extra_state_that_the_module_has_not_is_an_unexpected_key(implementation, device, names, extra):
    """Where the state_dict has extra state for a module that has none, its key is unexpected: strict loading raises
    RuntimeError, other loading reports the key."""
    saved = nest(implementation.Module, names, define(implementation.Module)(extra)).state_dict()
    root = nest(implementation.Module, names, implementation.Module())
    with pytest.raises(RuntimeError):
        root.load_state_dict(saved)
    result = root.load_state_dict(saved, strict=False)
    assert (list(result.missing_keys), list(result.unexpected_keys)) == ([], list(saved))


@clause(
    "extra_state/of-a-lazy-module",
    GET,
    "This function is called when building the module's `state_dict()`.",
    since="1.10",
    needs=(*NEEDS, "LazyLinear"),
)
@given(names=name_paths(), extra=extra_states())
def test_the_extra_state_of_a_lazy_module_is_in_the_state_dict(implementation, device, names, extra):
    """The extra state of a lazy module is in its state_dict like that of any other module."""

    class WithExtra(implementation.LazyLinear):
        def get_extra_state(self):
            return extra

        def set_extra_state(self, state):
            pass

    state = nest(implementation.Module, names, WithExtra(2)).state_dict()
    assert [value for value in state.values() if not implementation.is_tensor(value)] == [extra]
