"""ModuleDict: an ordered dict of modules that are registered under their keys."""

from __future__ import annotations

from collections import OrderedDict

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, RECOMMENDED, clause, given
from conformance.suite.support.containers import (
    MODULES,
    held_by_key,
    holding_by_key,
    pairs,
    state_of,
    state_of_model,
    tree_of,
)
from strategies import names, refused_names, taken_names
from strategies.edits import LABELS, dict_edits, edited_dict, entries, label

AS_A_DICT = "can be indexed like a regular Python dictionary"


@clause(
    "module_dict/constructor-keeps-the-order",
    "torch.nn.ModuleDict",
    "modules (iterable, optional): a mapping (dictionary) of (string: module) or an iterable of key-value pairs",
    since="1.8",
    needs="ModuleDict",
)
@given(items=entries())
def test_module_dict_holds_the_modules_of_a_mapping_or_of_pairs(implementation, device, items):
    """ModuleDict(modules) holds the modules of a dict, an OrderedDict, another ModuleDict or an iterable of key-value
    pairs under their keys, in order; ModuleDict() holds none."""
    subject = implementation.build(MODULES, device)
    content = pairs(subject, items)
    for modules in (dict(content), OrderedDict(content), content, iter(content), implementation.ModuleDict(content)):
        assert held_by_key(subject, implementation.ModuleDict(modules)) == holding_by_key(items)
    assert held_by_key(subject, implementation.ModuleDict()) == holding_by_key({})


@clause("module_dict/any-edits-leave-what-a-dict-would-hold", "torch.nn.ModuleDict", AS_A_DICT, needs="ModuleDict")
@given(history=dict_edits("set", "delete", "pop", "update", "set", "clear"))
def test_after_any_edits_a_module_dict_holds_what_a_python_dict_would(implementation, device, history):
    """After any sequence of item assignment and deletion, pop, update and clear, a ModuleDict holds what a Python dict
    would hold, in the same order."""
    items, edits = dict(history[0]), history[1]
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleDict(pairs(subject, items))
    for edit in edits:
        modules, items = edited_dict(modules, edit, subject.__getitem__), edited_dict(items, edit)
        assert held_by_key(subject, modules) == holding_by_key(items)


@clause(
    "module_dict/order-of-insertion",
    "torch.nn.ModuleDict",
    "is an **ordered** dictionary that respects * the order of insertion",
    needs="ModuleDict",
)
@given(items=entries(min_size=1), position=st.integers(0, 7), new=label(), key=names())
def test_a_replaced_module_keeps_its_place_and_a_new_one_goes_last(implementation, device, items, position, new, key):
    """Assigning to a key that is there replaces the module in its place, any other key goes last, and so does a key
    that was deleted before."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleDict(pairs(subject, items))
    after, known = dict(items), list(items)[position % len(items)]
    modules[known], after[known] = subject[new], new
    modules[key], after[key] = subject[new], new
    assert held_by_key(subject, modules) == holding_by_key(after)
    del modules[known], after[known]
    modules[known], after[known] = subject["a"], "a"
    assert held_by_key(subject, modules) == holding_by_key(after)


@clause(
    "module_dict/visible-to-all-module-methods",
    "torch.nn.ModuleDict",
    "modules it contains are properly registered, and will be visible by all :class:`~torch.nn.Module` methods.",
    needs="ModuleDict",
)
@given(history=dict_edits("set", "delete", "pop", "update", min_size=0))
def test_the_modules_of_a_module_dict_are_registered_under_their_keys(implementation, device, history):
    """named_parameters(), named_buffers(), named_modules(), state_dict() and train() of a ModuleDict see the modules
    that it holds after any edits, under their keys."""
    items, edits = dict(history[0]), history[1]
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleDict(pairs(subject, items))
    for edit in edits:
        modules, items = edited_dict(modules, edit, subject.__getitem__), edited_dict(items, edit)
    expected = tree_of("ModuleDict", items)
    for collect in ("named_parameters", "named_buffers", "named_modules"):
        assert [name for name, _ in getattr(modules, collect)()] == [name for name, _ in getattr(expected, collect)()]
    assert state_of(subject, modules) == state_of_model(expected)
    modules.eval()
    assert {letter: subject[letter].training for letter in LABELS} == {
        letter: letter not in items.values() for letter in LABELS
    }


@clause("module_dict/contains-its-keys", "torch.nn.ModuleDict", AS_A_DICT, needs="ModuleDict")
@given(items=entries(), key=names())
def test_membership_and_length_are_those_of_the_keys(implementation, device, items, key):
    """`key in modules` says whether a module is held under that key, an attribute's name not being one; len() counts
    the keys, and iteration gives them in order."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleDict(pairs(subject, items))
    assert (key in modules) is (key in items)
    assert all(known in modules for known in items)
    assert "training" not in modules
    assert "keys" not in modules
    assert len(modules) == len(items)
    assert list(iter(modules)) == list(items)


@clause("module_dict/missing-key-raises-key_error", "torch.nn.ModuleDict", AS_A_DICT, needs="ModuleDict.pop")
@given(items=entries(), key=names())
def test_a_missing_key_raises_key_error_and_changes_nothing(implementation, device, items, key):
    """Getting, deleting and popping a key that is not there, the name of an attribute included, raises KeyError and
    leaves the ModuleDict unchanged."""
    items = {known: letter for known, letter in items.items() if known != key}
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleDict(pairs(subject, items))
    for missing in (key, "training", "keys"):
        with pytest.raises(KeyError):
            modules[missing]
        with pytest.raises(KeyError):
            del modules[missing]
        with pytest.raises(KeyError):
            modules.pop(missing)
    assert held_by_key(subject, modules) == holding_by_key(items)


@clause(
    "module_dict/update-keeps-the-order",
    "torch.nn.ModuleDict",
    "in :meth:`~torch.nn.ModuleDict.update`, the order of the merged ``OrderedDict``, ``dict`` or another",
    since="1.8",
    needs="ModuleDict.update",
)
@given(items=entries(), more=entries())
def test_update_adds_new_keys_in_the_order_of_what_is_merged(implementation, device, items, more):
    """update() with a dict, an OrderedDict, another ModuleDict or an iterable of key-value pairs overwrites existing
    keys in their place and adds the new ones behind them, in the order of its argument, which does not change."""
    subject = implementation.build(MODULES, device)
    content = pairs(subject, more)
    for merged in (dict(content), OrderedDict(content), implementation.ModuleDict(content), content, iter(content)):
        modules = implementation.ModuleDict(pairs(subject, items))
        modules.update(merged)
        assert held_by_key(subject, modules) == holding_by_key({**items, **more})
    assert subject.named(content) == list(more.items())


@clause(
    "module_dict/update-overwrites-existing-keys",
    "torch.nn.ModuleDict.update",
    "with key-value pairs from a mapping, overwriting existing keys.",
    needs="ModuleDict.update",
)
@given(items=entries(min_size=1), new=label())
def test_update_overwrites_existing_keys(implementation, device, items, new):
    """update() with a key that is there replaces its module by the new one, a key given twice by the last one."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleDict(pairs(subject, items))
    key = list(items)[-1]
    modules.update(OrderedDict([(key, subject[new])]))
    assert held_by_key(subject, modules) == holding_by_key({**items, key: new})
    modules.update([(key, subject["a"]), (key, subject["b"])])
    assert held_by_key(subject, modules) == holding_by_key({**items, key: "b"})


@clause(
    "module_dict/update-refuses-what-holds-no-pairs",
    "source:torch.nn.ModuleDict.update",
    "ModuleDict.update should be called with an iterable of key/value pairs, but got",
    severity=OBSERVED,
    needs="ModuleDict.update",
)
@given(items=entries(), wrong=st.sampled_from((3, None, 1.5, [3], [None], (1.5,))), length=st.sampled_from((0, 1, 3)))
def test_update_raises_for_what_holds_no_pairs(implementation, device, items, wrong, length):
    """update(x) raises TypeError where x or an element of it is no iterable, ValueError where an element's length is
    not 2, and leaves the ModuleDict unchanged."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleDict(pairs(subject, items))
    with pytest.raises(TypeError):
        modules.update(wrong)
    with pytest.raises(ValueError):
        modules.update([("a", subject["a"], "more")[:length]])
    assert held_by_key(subject, modules) == holding_by_key(items)


@clause(
    "module_dict/keys-values-and-items-in-order",
    "torch.nn.ModuleDict.items",
    "Return an iterable of the ModuleDict key/value pairs.",
    needs=("ModuleDict.keys", "ModuleDict.values", "ModuleDict.items"),
)
@given(items=entries())
def test_keys_values_and_items_follow_the_order_of_the_dict(implementation, device, items):
    """keys(), values() and items() give the keys, the modules, and pairs of both, in order, a module as often as it is
    held."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleDict(pairs(subject, items))
    assert list(modules.keys()) == list(items)
    assert subject.paths(modules.values()) == list(items.values())
    assert subject.named(modules.items()) == list(items.items())


@clause(
    "module_dict/pop-removes-and-returns",
    "torch.nn.ModuleDict.pop",
    "Remove key from the ModuleDict and return its module.",
    needs="ModuleDict.pop",
)
@given(items=entries(min_size=1), position=st.integers(0, 7))
def test_pop_removes_the_key_and_returns_its_module(implementation, device, items, position):
    """pop(key) removes the key and returns the module that was held under it; the module stays under its other keys."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleDict(pairs(subject, items))
    after, key = dict(items), list(items)[position % len(items)]
    assert subject.path(modules.pop(key)) == after.pop(key)
    assert held_by_key(subject, modules) == holding_by_key(after)


@clause(
    "module_dict/clear-removes-all",
    "torch.nn.ModuleDict.clear",
    "Remove all items from the ModuleDict.",
    needs="ModuleDict.clear",
)
@given(items=entries(), new=label())
def test_clear_removes_every_item(implementation, device, items, new):
    """clear() leaves the very same ModuleDict without items, ready for new ones."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleDict(pairs(subject, items))
    modules.clear()
    assert held_by_key(subject, modules) == holding_by_key({})
    assert list(modules.state_dict()) == []
    modules["a"] = subject[new]
    assert held_by_key(subject, modules) == holding_by_key({"a": new})


@clause(
    "module_dict/any-key-that-a-dict-takes", "torch.nn.ModuleDict", AS_A_DICT, severity=RECOMMENDED, needs="ModuleDict"
)
@given(items=entries(), key=taken_names(), new=label())
def test_the_name_of_a_method_is_a_key_as_any_other(implementation, device, items, key, new):
    """modules[key] = module works also where key is the name of an attribute that every module has, as for a Python
    dict."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleDict(pairs(subject, items))
    modules[key] = subject[new]
    assert held_by_key(subject, modules) == holding_by_key({**items, key: new})


@clause(
    "module_dict/refuses-keys-that-are-no-names",
    "source:torch.nn.Module.add_module",
    "raise KeyError(f'module name can\\'t contain \".\", got: {name}')",
    severity=OBSERVED,
    needs="ModuleDict",
)
@given(items=entries(), key=refused_names(), wrong=st.sampled_from((1, None, 1.5, ("a",))), new=label())
def test_a_key_that_is_no_name_is_refused_and_the_dict_unchanged(implementation, device, items, key, wrong, new):
    """Assigning to an empty key or one with a dot raises KeyError, to one that is no string TypeError; the ModuleDict
    stays unchanged."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleDict(pairs(subject, items))
    with pytest.raises(KeyError):
        modules[key] = subject[new]
    with pytest.raises(TypeError):
        modules[wrong] = subject[new]
    assert held_by_key(subject, modules) == holding_by_key(items)


@clause(
    "module_dict/refuses-what-is-no-module",
    "source:torch.nn.Module.add_module",
    "is not a Module subclass",
    severity=OBSERVED,
    needs="ModuleDict.update",
)
@given(items=entries(min_size=1), key=names(), wrong=st.sampled_from((3, "text", (), [], {}, True)))
def test_a_value_that_is_no_module_is_refused_and_the_dict_unchanged(implementation, device, items, key, wrong):
    """Assigning or updating with a value that is no module raises TypeError, for a new key and for one that is there,
    and leaves the ModuleDict unchanged."""
    subject = implementation.build(MODULES, device)
    modules = implementation.ModuleDict(pairs(subject, items))
    for target in (key, *items):
        with pytest.raises(TypeError):
            modules[target] = wrong
        with pytest.raises(TypeError):
            modules.update({target: wrong})
    assert held_by_key(subject, modules) == holding_by_key(items)
