"""ParameterDict: a dict that turns tensors into parameters and registers them."""

from __future__ import annotations

from collections import OrderedDict

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, clause, given
from conformance.language import blueprint as bp
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
    registered,
    state_of,
    stored,
)
from strategies import fills, names, shapes, taken_names
from strategies.edits import entries, label

DICT = "torch.nn.ParameterDict"
AS_A_DICT = "ParameterDict can be indexed like a regular Python dictionary"
ANY_OBJECT = "Other objects are treated as would be done by a regular Python dictionary"
DICT_CONVERTS = "method will convert any :class:`~torch.Tensor` into :class:`~torch.nn.Parameter`."


@clause(
    "parameter_dict/constructor-holds-every-entry",
    DICT,
    "a mapping (dictionary) of (string : Any) or an iterable of key-value pairs of type (string, Any)",
    since="1.12",
    needs="ParameterDict",
)
@given(items=entries(ANYTHING))
def test_parameter_dict_holds_the_entries_of_a_mapping_or_of_pairs(implementation, device, items):
    """ParameterDict(entries) holds the entries of an OrderedDict, another ParameterDict or an iterable of key-value
    pairs in order, those of a dict in any; ParameterDict() holds none."""
    subject = implementation.build(VALUES, device)
    content = pairs(subject, items)
    for iterable in (list, tuple, iter, OrderedDict):
        values = implementation.ParameterDict(iterable(content))
        assert held_values_by_key(subject, values) == holding_values_by_key(items)
    values = implementation.ParameterDict(dict(content))
    assert {key: entry(subject, values[key]) for key in values} == {key: stored(items[key]) for key in items}
    assert held_values_by_key(subject, implementation.ParameterDict()) == holding_values_by_key({})


@clause(
    "parameter_dict/parameters-are-registered",
    DICT,
    "Parameters it contains are properly registered, and will be visible by all Module methods.",
    needs="ParameterDict",
)
@given(items=entries(PARAMETERS), key=names(), new=label(PARAMETERS))
def test_the_parameters_of_a_dict_are_registered_under_their_keys(implementation, device, items, key, new):
    """The parameters of a ParameterDict are registered under their keys, those assigned later too: named_parameters()
    yields each once, state_dict() under every key."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(OrderedDict(pairs(subject, items)))
    values[key] = subject[new]
    after = {**items, key: new}
    first = {letter: name for name, letter in reversed(after.items())}
    assert sorted(subject.named(values.named_parameters())) == sorted((name, letter) for letter, name in first.items())
    assert state_of(subject, values) == registered(after)
    values.requires_grad_(False)
    assert not any(implementation.requires_grad(subject[letter]) for letter in after.values())


@clause(
    "parameter_dict/constructor-converts-tensors",
    DICT,
    "Note that the constructor",
    since="1.12",
    needs="ParameterDict",
)
@given(items=entries(TENSORS + PARAMETERS, min_size=1))
def test_the_constructor_of_a_dict_turns_tensors_into_parameters(implementation, device, items):
    """ParameterDict(entries) holds a Parameter that requires gradients and has the same values for every tensor, and
    every Parameter as the very same object."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    assert held_values_by_key(subject, values) == holding_values_by_key(items)
    assert {key: implementation.requires_grad(values[key]) for key in values} == {
        key: letter != "c" for key, letter in items.items()
    }


@clause("parameter_dict/assignment-converts-tensors", DICT, "assigning an element of the dictionary", since="1.12",
        needs="ParameterDict")  # fmt: skip
@given(items=entries(ANYTHING), key=names(), new=label(TENSORS + PARAMETERS))
def test_assigning_a_tensor_to_a_key_puts_a_parameter_there(implementation, device, items, key, new):
    """values[key] = tensor puts a Parameter with the same values under the key, in the place of whatever is there; a
    Parameter is put there itself."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    values[key] = subject[new]
    assert held_values_by_key(subject, values) == holding_values_by_key({**items, key: new})


@clause("parameter_dict/converts-tensors-of-any-dtype", DICT, DICT_CONVERTS, since="1.12", needs="ParameterDict")
@given(shape=shapes(), dtype=st.sampled_from(("int64", "bool")), fill=fills())
def test_tensors_that_have_no_gradients_become_parameters_of_a_dict_too(implementation, device, shape, dtype, fill):
    """A tensor of integers or booleans becomes a Parameter, one that requires no gradients."""
    blueprint = bp.Tensor(shape, dtype, fill)
    values = implementation.ParameterDict([("a", implementation.make(blueprint, device))])
    assert implementation.is_parameter(values["a"])
    assert implementation.read(values["a"]) == (shape, dtype, blueprint.flat)
    assert not implementation.requires_grad(values["a"])


@clause("parameter_dict/other-objects-as-in-a-dict", DICT, ANY_OBJECT, since="1.12", needs="ParameterDict.__delitem__")
@given(items=entries(PARAMETERS), key=names(), new=label(OBJECTS), other=label(ANYTHING))
def test_objects_that_are_no_tensors_are_kept_and_not_registered_in_a_dict(
    implementation, device, items, key, new, other
):
    """An object that is no tensor is a value like any other, the very same object and no parameter, and can be replaced
    and deleted."""
    items = {known: letter for known, letter in items.items() if known != key}
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    values[key] = subject[new]
    assert values[key] is subject[new]
    assert held_values_by_key(subject, values) == holding_values_by_key({**items, key: new})
    values[key] = subject[other]
    assert held_values_by_key(subject, values) == holding_values_by_key({**items, key: other})
    del values[key]
    assert held_values_by_key(subject, values) == holding_values_by_key(items)


@clause("parameter_dict/any-value-can-be-replaced-by-any-other", DICT, ANY_OBJECT, since="1.12", needs="ParameterDict")
@given(items=entries(ANYTHING, min_size=1), position=st.integers(0, 7), new=label(OBJECTS))
def test_any_value_can_be_replaced_by_any_other(implementation, device, items, position, new):
    """values[key] = value replaces what is there, a parameter or whatever it is, by an object that is no tensor."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    key = list(items)[position % len(items)]
    values[key] = subject[new]
    assert held_values_by_key(subject, values) == holding_values_by_key({**items, key: new})


@clause("parameter_dict/any-key-that-a-dict-takes", DICT, ANY_OBJECT, since="1.12", needs="ParameterDict")
@given(items=entries(ANYTHING), key=taken_names(), new=label(ANYTHING))
def test_the_name_of_an_attribute_is_a_key_as_any_other(implementation, device, items, key, new):
    """values[key] = value works also where key is the name of an attribute that every module has, and leaves that
    attribute alone."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    values[key] = subject[new]
    assert held_values_by_key(subject, values) == holding_values_by_key({**items, key: new})
    assert values.training is True


@clause("parameter_dict/missing-key-raises-key_error", DICT, AS_A_DICT, needs="ParameterDict")
@given(items=entries(PARAMETERS), key=names())
def test_a_missing_key_of_a_parameter_dict_raises_key_error(implementation, device, items, key):
    """Getting a key that was never set raises KeyError, also where a module has an attribute of that name."""
    items = {known: letter for known, letter in items.items() if known != key}
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    for missing in (key, "training", "keys"):
        with pytest.raises(KeyError):
            values[missing]
    assert held_values_by_key(subject, values) == holding_values_by_key(items)


@clause(
    "parameter_dict/keys-must-be-strings",
    "source:torch.nn.ParameterDict._key_to_attr",
    "Index given to ParameterDict cannot be used as a key as it is not a string",
    severity=OBSERVED,
    since="1.12",
    needs="ParameterDict",
)
@given(key=st.sampled_from((1, None, 1.5, ("a",), True)), new=label(ANYTHING))
def test_a_key_that_is_no_string_raises_type_error(implementation, device, key, new):
    """Assigning to a key that is no string raises TypeError; to one that is a string it does not."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict()
    values["kept"] = subject["a"]
    with pytest.raises(TypeError):
        values[key] = subject[new]
    assert values["kept"] is subject["a"]


@clause(
    "parameter_dict/keys-values-and-items-in-order",
    DICT + ".items",
    "Return an iterable of the ParameterDict key/value pairs.",
    needs=("ParameterDict.keys", "ParameterDict.values", "ParameterDict.items"),
)
@given(items=entries(PARAMETERS))
def test_keys_values_and_items_of_a_parameter_dict_follow_its_order(implementation, device, items):
    """keys(), values() and items() give the keys, the parameters, and pairs of both, in order."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    assert list(values.keys()) == list(items)
    assert subject.paths(values.values()) == list(items.values())
    assert subject.named(values.items()) == list(items.items())


@clause(
    "parameter_dict/ordered-both-ways",
    DICT,
    ":class:`~torch.nn.ParameterDict` is an **ordered** dictionary.",
    since="1.12",
    needs="ParameterDict.__reversed__",
)
@given(items=entries(ANYTHING, min_size=1), position=st.integers(0, 7), new=label(TENSORS))
def test_iteration_follows_the_order_of_insertion_both_ways(implementation, device, items, position, new):
    """Iteration and reversed() follow the order of insertion: a key deleted and set again goes last."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    after, key = dict(items), list(items)[position % len(items)]
    del values[key], after[key]
    values[key], after[key] = subject[new], new
    assert list(values) == list(after)
    assert list(reversed(values)) == list(reversed(after))
    assert held_values_by_key(subject, values) == holding_values_by_key(after)


@clause(
    "parameter_dict/documented-argument-name",
    DICT,
    "values (iterable, optional): a mapping (dictionary) of",
    needs="ParameterDict",
)
@given(items=entries(PARAMETERS))
def test_parameter_dict_takes_its_entries_by_the_documented_name(implementation, device, items):
    """ParameterDict(values=entries) is the same as ParameterDict(entries)."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(values=pairs(subject, items))
    assert held_values_by_key(subject, values) == holding_values_by_key(items)
