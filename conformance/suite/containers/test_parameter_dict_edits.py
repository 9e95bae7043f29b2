"""The methods of a ParameterDict that change, copy or merge it."""

from __future__ import annotations

from collections import OrderedDict

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, clause, given
from conformance.suite.support.containers import (
    ANYTHING,
    OBJECTS,
    PARAMETERS,
    TENSORS,
    VALUES,
    entry,
    held_values_by_key,
    holding_values_by_key,
    pairs,
    stored,
)
from strategies import names, refused_names
from strategies.edits import dict_edits, edited_dict, entries, label

DICT = "torch.nn.ParameterDict"
AS_A_DICT = "ParameterDict can be indexed like a regular Python dictionary"
DICT_CONVERTS = "method will convert any :class:`~torch.Tensor` into :class:`~torch.nn.Parameter`."


@clause("parameter_dict/update-converts-tensors", DICT, DICT_CONVERTS, since="1.12", needs="ParameterDict.update")
@given(items=entries(PARAMETERS), more=entries(TENSORS, min_size=1))
def test_update_turns_tensors_into_parameters(implementation, device, items, more):
    """update() holds a Parameter with the same values for every tensor."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    values.update(OrderedDict(pairs(subject, more)))
    assert held_values_by_key(subject, values) == holding_values_by_key({**items, **more})


@clause(
    "parameter_dict/any-edits-leave-what-a-dict-would-hold",
    DICT,
    AS_A_DICT,
    since="1.12",
    needs=("ParameterDict.__delitem__", "ParameterDict.pop", "ParameterDict.clear"),
)
@given(history=dict_edits("set", "update", "delete", "pop", "clear", among=PARAMETERS + TENSORS))
def test_after_any_edits_a_parameter_dict_holds_what_a_python_dict_would(implementation, device, history):
    """After any sequence of item assignment and deletion, pop, update and clear with tensors, a ParameterDict holds the
    keys that a Python dict would hold, in the same order, and the parameters put there."""
    items, edits = dict(history[0]), history[1]
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    for edit in edits:
        values, items = edited_dict(values, edit, subject.__getitem__), edited_dict(items, edit)
        assert held_values_by_key(subject, values) == holding_values_by_key(items)


@clause(
    "parameter_dict/deleting-a-missing-key-raises-key_error",
    DICT,
    AS_A_DICT,
    since="1.12",
    needs=("ParameterDict.__delitem__", "ParameterDict.popitem"),
)
@given(items=entries(ANYTHING), key=names())
def test_deleting_a_missing_key_raises_key_error_and_changes_nothing(implementation, device, items, key):
    """Deleting a key that was never set, the name of an attribute included, raises KeyError, and so does popitem() on
    an empty ParameterDict; nothing changes."""
    items = {known: letter for known, letter in items.items() if known != key}
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    for missing in (key, "training", "keys"):
        assert missing not in values
        with pytest.raises(KeyError):
            del values[missing]
    with pytest.raises(KeyError):
        implementation.ParameterDict().popitem()
    assert held_values_by_key(subject, values) == holding_values_by_key(items)


@clause("parameter_dict/refused-assignment-leaves-it-unchanged", DICT, AS_A_DICT, since="1.12", needs="ParameterDict")
@given(
    items=entries(PARAMETERS), key=st.one_of(refused_names(), st.sampled_from((1, None, 1.5))), new=label(PARAMETERS)
)
def test_an_assignment_takes_place_or_leaves_the_dict_unchanged(implementation, device, items, key, new):
    """values[key] = parameter with a key that is empty, has a dot or is no string either stores the parameter, as a
    Python dict does, or raises KeyError or TypeError and leaves the ParameterDict unchanged."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    try:
        values[key] = subject[new]
    except (KeyError, TypeError):
        assert held_values_by_key(subject, values) == holding_values_by_key(items)
    else:
        assert subject.path(values[key]) == new


@clause(
    "parameter_dict/update-keeps-the-order",
    DICT + ".update",
    "an iterable of key-value pairs, the order of new elements in it is preserved.",
    since="1.12",
    needs="ParameterDict.update",
)
@given(items=entries(PARAMETERS + TENSORS), more=entries(PARAMETERS + TENSORS))
def test_update_of_a_parameter_dict_keeps_the_order_of_ordered_arguments(implementation, device, items, more):
    """update() with an OrderedDict, another ParameterDict or an iterable of key-value pairs overwrites existing keys in
    their place and adds the new ones behind them, in the order of its argument."""
    subject = implementation.build(VALUES, device)
    content = pairs(subject, more)
    for merged in (OrderedDict(content), implementation.ParameterDict(content), content, iter(content)):
        values = implementation.ParameterDict(pairs(subject, items))
        values.update(merged)
        assert held_values_by_key(subject, values) == holding_values_by_key({**items, **more})


@clause(
    "parameter_dict/update-overwrites-existing-keys",
    DICT + ".update",
    "with key-value pairs from ``parameters``, overwriting existing keys.",
    since="1.12",
    needs="ParameterDict.update",
)
@given(items=entries(PARAMETERS, min_size=1), more=entries(PARAMETERS), new=label(PARAMETERS))
def test_update_with_a_plain_dict_merges_its_entries(implementation, device, items, more, new):
    """update(dict) replaces the values of existing keys, which keep their place, and adds every new key behind them."""
    more = {**more, next(iter(items)): new}
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    values.update(dict(pairs(subject, more)))
    assert {key: subject.path(values[key]) for key in values} == {**items, **more}
    assert list(values)[: len(items)] == list(items)


@clause(
    "parameter_dict/update-refuses-what-holds-no-pairs",
    "source:torch.nn.ParameterDict.update",
    "ParametersDict.update should be called with an iterable of key/value pairs, but got",
    severity=OBSERVED,
    since="1.12",
    needs="ParameterDict.update",
)
@given(
    items=entries(ANYTHING),
    wrong=st.sampled_from((3, None, 1.5, [3], [None], (1.5,))),
    length=st.sampled_from((0, 1, 3)),
)
def test_update_of_a_parameter_dict_raises_for_what_holds_no_pairs(implementation, device, items, wrong, length):
    """update(x) raises TypeError where x or an element of it is no iterable, ValueError where an element's length is
    not 2, and leaves the ParameterDict unchanged."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    with pytest.raises(TypeError):
        values.update(wrong)
    with pytest.raises(ValueError):
        values.update([("a", subject["a"], "more")[:length]])
    assert held_values_by_key(subject, values) == holding_values_by_key(items)


@clause(
    "parameter_dict/pop-removes-and-returns",
    DICT + ".pop",
    "Remove key from the ParameterDict and return its parameter.",
    since="1.12",
    needs="ParameterDict.pop",
)
@given(items=entries(ANYTHING, min_size=1), position=st.integers(0, 7))
def test_pop_removes_the_key_and_returns_its_value(implementation, device, items, position):
    """pop(key) removes the key and returns what was held under it; a parameter stays under its other keys."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    after, key = dict(items), list(items)[position % len(items)]
    assert entry(subject, values.pop(key)) == stored(after.pop(key))
    assert held_values_by_key(subject, values) == holding_values_by_key(after)


@clause(
    "parameter_dict/popitem-takes-the-last",
    DICT + ".popitem",
    "Remove and return the last inserted `(key, parameter)` pair from the ParameterDict.",
    since="1.12",
    needs="ParameterDict.popitem",
)
@given(items=entries(ANYTHING, min_size=1), key=names(), new=label(TENSORS))
def test_popitem_removes_and_returns_the_last_inserted_pair(implementation, device, items, key, new):
    """popitem() removes the pair that was inserted last and returns key and value; a key assigned again keeps its
    place."""
    items = {**items, key: new} if key not in items else items
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    values[next(iter(items))] = values[next(iter(items))]
    after = dict(items)
    for last, letter in reversed(items.items()):
        name, value = values.popitem()
        assert (name, entry(subject, value)) == (last, stored(letter))
        del after[last]
        assert held_values_by_key(subject, values) == holding_values_by_key(after)


@clause(
    "parameter_dict/clear-removes-all",
    DICT + ".clear",
    "Remove all items from the ParameterDict.",
    since="1.12",
    needs="ParameterDict.clear",
)
@given(items=entries(ANYTHING), new=label(ANYTHING))
def test_clear_removes_every_entry(implementation, device, items, new):
    """clear() leaves the very same ParameterDict without entries, ready for new ones."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    values.clear()
    assert held_values_by_key(subject, values) == holding_values_by_key({})
    values["a"] = subject[new]
    assert held_values_by_key(subject, values) == holding_values_by_key({"a": new})


@clause(
    "parameter_dict/get-returns-value-or-default",
    DICT + ".get",
    "Return the parameter associated with key if present. Otherwise return default if provided, None if not.",
    since="1.12",
    needs="ParameterDict.get",
)
@given(items=entries(ANYTHING), key=names(), default=label(ANYTHING))
def test_get_returns_the_value_or_the_default(implementation, device, items, key, default):
    """get(key, default) returns what is held under the key, else the default, None if there is none; nothing
    changes."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    for known, letter in items.items():
        assert entry(subject, values.get(known, subject[default])) == stored(letter)
    for missing in {key, "training"} - set(items):
        assert values.get(missing) is None
        assert values.get(missing, subject[default]) is subject[default]
    assert held_values_by_key(subject, values) == holding_values_by_key(items)


@clause(
    "parameter_dict/setdefault-returns-or-inserts",
    DICT + ".setdefault",
    "If not, insert `key` with a parameter `default` and return `default`. `default` defaults to `None`.",
    since="1.12",
    needs="ParameterDict.setdefault",
)
@given(items=entries(ANYTHING), key=names(), default=label(ANYTHING))
def test_setdefault_returns_the_value_or_inserts_the_default(implementation, device, items, key, default):
    """setdefault(key, default) returns what is held under the key; where the key is not there it inserts the default,
    None if there is none, at the end and returns what it has inserted."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    after = dict(items)
    after.setdefault(key, default)
    assert entry(subject, values.setdefault(key, subject[default])) == stored(after[key])
    assert held_values_by_key(subject, values) == holding_values_by_key(after)
    assert values.setdefault("none") is None
    assert list(values) == [*after, "none"]


@clause(
    "parameter_dict/copy-is-shallow",
    DICT + ".copy",
    "Return a copy of this :class:`~torch.nn.ParameterDict` instance.",
    since="1.12",
    needs=("ParameterDict.copy", "ParameterDict.clear", "ParameterDict.values"),
)
@given(items=entries(ANYTHING), key=names(), new=label(TENSORS))
def test_copy_is_a_new_dict_of_the_same_objects(implementation, device, items, key, new):
    """copy() returns another ParameterDict of the same keys and the same objects, in the same order; entries put into
    it or deleted from it leave the first one unchanged."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    copied = values.copy()
    assert isinstance(copied, implementation.ParameterDict)
    assert held_values_by_key(subject, copied) == holding_values_by_key(items)
    assert all(one is other for one, other in zip(copied.values(), values.values(), strict=True))
    copied.clear()
    copied[key] = subject[new]
    assert held_values_by_key(subject, values) == holding_values_by_key(items)


@clause(
    "parameter_dict/fromkeys-makes-a-new-dict",
    DICT + ".fromkeys",
    "Return a new ParameterDict with the keys provided.",
    since="1.12",
    needs=("ParameterDict.fromkeys", "ParameterDict.items"),
)
@given(items=entries(ANYTHING), keys=entries(), default=label(PARAMETERS + OBJECTS))
def test_fromkeys_makes_a_new_dict_with_one_value_for_all_keys(implementation, device, items, keys, default):
    """values.fromkeys(keys, default) returns a new ParameterDict that holds the default under every key, None if there
    is none; the first one stays unchanged."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    made = values.fromkeys(list(keys), subject[default])
    assert isinstance(made, implementation.ParameterDict)
    assert held_values_by_key(subject, made) == holding_values_by_key(dict.fromkeys(keys, default))
    assert list(values.fromkeys(list(keys)).items()) == [(key, None) for key in keys]
    assert held_values_by_key(subject, values) == holding_values_by_key(items)


@clause(
    "parameter_dict/or-merges",
    "source:torch.nn.ParameterDict.__or__",
    "copy = self.copy() copy.update(other) return copy",
    severity=OBSERVED,
    since="1.12",
    needs=("ParameterDict.__or__", "ParameterDict.__ior__"),
)
@given(items=entries(PARAMETERS), more=entries(PARAMETERS))
def test_or_merges_two_dicts(implementation, device, items, more):
    """a | b is a new ParameterDict of the entries of both, b's winning; a |= b puts b's entries into the very same
    a."""
    subject = implementation.build(VALUES, device)
    values = before = implementation.ParameterDict(pairs(subject, items))
    other = implementation.ParameterDict(pairs(subject, more))
    both = values | other
    assert isinstance(both, implementation.ParameterDict)
    assert held_values_by_key(subject, both) == holding_values_by_key({**items, **more})
    assert held_values_by_key(subject, values) == holding_values_by_key(items)
    values |= other
    assert values is before
    assert held_values_by_key(subject, values) == holding_values_by_key({**items, **more})
    assert held_values_by_key(subject, other) == holding_values_by_key(more)
