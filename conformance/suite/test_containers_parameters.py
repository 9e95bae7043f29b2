"""ParameterList and ParameterDict: a list and a dict that turn tensors into parameters and register them."""

from __future__ import annotations

from collections import OrderedDict

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, RECOMMENDED, clause, given
from conformance.language import blueprint as bp
from conformance.suite.support.containers import (
    ANYTHING,
    OBJECTS,
    PARAMETERS,
    TENSORS,
    VALUES,
    Index,
    entry,
    held_values,
    held_values_by_key,
    holding_values,
    holding_values_by_key,
    pick,
    registered,
    state_of,
    stored,
)
from strategies import fills, names, refused_names, shapes, taken_names
from strategies.edits import dict_edits, edited_dict, edited_list, entries, label, labels, list_edits, triples

LIST = "torch.nn.ParameterList"
DICT = "torch.nn.ParameterDict"
AS_A_LIST = "can be used like a regular Python list"
AS_A_DICT = "ParameterDict can be indexed like a regular Python dictionary"
ANY_OBJECT = "Other objects are treated as would be done by a regular Python dictionary"
LIST_CONVERTS = "method will convert any :class:`~torch.Tensor` into :class:`~torch.nn.Parameter`"
DICT_CONVERTS = "method will convert any :class:`~torch.Tensor` into :class:`~torch.nn.Parameter`."


def pairs(subject, items):
    """The values that the letters stand for, by key."""
    return [(key, subject[letter]) for key, letter in items.items()]


@clause(
    "parameter_list/constructor-keeps-the-order",
    LIST,
    "an iterable of elements to add to the list.",
    since="1.12",
    needs="ParameterList",
)
@given(items=labels(ANYTHING))
def test_parameter_list_holds_the_elements_of_any_iterable_in_order(implementation, device, items):
    """ParameterList(elements) holds the elements of any iterable in their order, parameters and objects of other types
    as they are, tensors as new parameters; ParameterList() holds none."""
    subject = implementation.build(VALUES, device)
    for iterable in (list, tuple, iter):
        values = implementation.ParameterList(iterable(pick(subject, items)))
        assert held_values(subject, values) == holding_values(items)
    assert held_values(subject, implementation.ParameterList()) == holding_values([])


@clause(
    "parameter_list/parameters-are-registered",
    LIST,
    "Tensors that are :class:`~torch.nn.Parameter` are properly registered, and will be visible by all",
    needs="ParameterList",
)
@given(items=labels(PARAMETERS), new=label(PARAMETERS))
def test_the_parameters_of_a_list_are_registered_under_their_positions(implementation, device, items, new):
    """The parameters of a ParameterList are registered under the names "0", "1", ..., those appended and assigned later
    too: named_parameters() yields each once, state_dict() under every name."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterList(pick(subject, items))
    values.append(subject[new])
    values[0] = subject["a"]
    letters = ["a", *items[1:], new] if items else ["a"]
    named = {letter: str(letters.index(letter)) for letter in letters}
    assert subject.named(values.named_parameters()) == [(name, letter) for letter, name in named.items()]
    assert state_of(subject, values) == registered({str(i): letter for i, letter in enumerate(letters)})
    values.requires_grad_(False)
    assert not any(implementation.requires_grad(subject[letter]) for letter in letters)


@clause(
    "parameter_list/constructor-converts-tensors",
    LIST,
    "Note that the constructor",
    since="1.12",
    needs="ParameterList",
)
@given(items=labels(TENSORS + PARAMETERS, min_size=1))
def test_the_constructor_turns_tensors_into_parameters(implementation, device, items):
    """ParameterList(tensors) holds a Parameter that requires gradients and has the same values for every tensor, and
    every Parameter as the very same object."""
    subject = implementation.build(VALUES, device)
    values = list(implementation.ParameterList(pick(subject, items)))
    assert all(implementation.is_parameter(value) for value in values)
    assert [entry(subject, value) for value in values] == [stored(letter) for letter in items]
    assert [implementation.requires_grad(value) for value in values] == [letter != "c" for letter in items]


@clause(
    "parameter_list/append-converts-tensors",
    LIST,
    LIST_CONVERTS,
    since="1.12",
    needs=("ParameterList.append", "ParameterList.extend"),
)
@given(history=list_edits("append", among=TENSORS + PARAMETERS))
def test_append_and_extend_turn_tensors_into_parameters(implementation, device, history):
    """append(tensor), extend(tensors) and += tensors put a Parameter with the same values at the end for every tensor,
    and every Parameter as the very same object."""
    items, new = history[0], [letter for _, letter in history[1]]
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterList(pick(subject, items))
    for letter in new:
        values.append(subject[letter])
    values.extend(pick(subject, new))
    values += pick(subject, new)
    assert held_values(subject, values) == holding_values([*items, *new, *new, *new])


@clause("parameter_list/assignment-converts-tensors", LIST, LIST_CONVERTS, since="1.12", needs="ParameterList")
@given(items=labels(PARAMETERS, min_size=1), position=st.integers(0, 7), new=label(TENSORS))
def test_assigning_a_tensor_puts_a_parameter_there(implementation, device, items, position, new):
    """values[i] = tensor puts a Parameter with the same values in the place of the i-th element, i counted from the end
    if negative."""
    index = position % (2 * len(items)) - len(items)
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterList(pick(subject, items))
    values[index] = subject[new]
    after = list(items)
    after[index] = new
    assert held_values(subject, values) == holding_values(after)


@clause("parameter_list/converts-tensors-of-any-dtype", LIST, LIST_CONVERTS, since="1.12", needs="ParameterList")
@given(shape=shapes(), dtype=st.sampled_from(("int64", "bool")), fill=fills())
def test_tensors_that_have_no_gradients_become_parameters_too(implementation, device, shape, dtype, fill):
    """A tensor of integers or booleans becomes a Parameter, one that requires no gradients."""
    blueprint = bp.Tensor(shape, dtype, fill)
    values = implementation.ParameterList([implementation.make(blueprint, device)])
    assert [implementation.is_parameter(value) for value in values] == [True]
    assert implementation.read(values[0]) == (shape, dtype, blueprint.flat)
    assert not implementation.requires_grad(values[0])


@clause("parameter_list/other-objects-as-they-are", LIST + ".append", "value (Any): value to append", since="1.12",
        needs="ParameterList.append")  # fmt: skip
@given(items=labels(ANYTHING), new=label(OBJECTS))
def test_objects_that_are_no_tensors_are_kept_and_not_registered(implementation, device, items, new):
    """An object that is no tensor is an element like any other, the very same object, and no parameter."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterList(pick(subject, items))
    values.append(subject[new])
    assert values[-1] is subject[new]
    assert held_values(subject, values) == holding_values([*items, new])
    tensors = [value for value in values if implementation.is_tensor(value)]
    assert {id(parameter) for parameter in values.parameters()} == {id(tensor) for tensor in tensors}


@clause(
    "parameter_list/any-edits-leave-what-a-list-would-hold",
    LIST,
    AS_A_LIST,
    needs=("ParameterList.append", "ParameterList.extend"),
)
@given(history=list_edits("append", "extend", "set", "+=", among=PARAMETERS))
def test_after_any_edits_a_parameter_list_holds_what_a_python_list_would(implementation, device, history):
    """After any sequence of append, extend, += and item assignment with parameters, a ParameterList holds what a Python
    list would hold, the same parameter several times included."""
    items, edits = list(history[0]), history[1]
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterList(pick(subject, items))
    for edit in edits:
        values, items = edited_list(values, edit, subject.__getitem__), edited_list(items, edit)
        assert held_values(subject, values) == holding_values(items)


@clause("parameter_list/index-as-a-list", LIST, AS_A_LIST, since="1.12", needs="ParameterList")
@given(items=labels(ANYTHING, min_size=1))
def test_an_index_gives_the_element_at_that_position(implementation, device, items):
    """values[i] is the i-th element for 0 <= i < len and counts from the end for -len <= i < 0; any object with
    __index__ is an index."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterList(pick(subject, items))
    for i in range(-len(items), len(items)):
        assert entry(subject, values[i]) == stored(items[i])
        assert values[Index(i)] is values[i]


@clause("parameter_list/wrong-index-raises", LIST, AS_A_LIST, needs="ParameterList")
@given(items=labels(PARAMETERS), beyond=st.integers(0, 3), wrong=st.sampled_from(("0", 1.0, None, (0,), "a")))
def test_an_index_that_a_list_would_refuse_raises_and_changes_nothing(implementation, device, items, beyond, wrong):
    """Getting and setting an element raises IndexError outside -len <= i < len and TypeError for what is neither an
    integer nor a slice, the name "0" included, and leaves the ParameterList unchanged."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterList(pick(subject, items))
    for index in (len(items) + beyond, -len(items) - 1 - beyond, wrong):
        error = TypeError if index is wrong else IndexError
        with pytest.raises(error):
            values[index]
        with pytest.raises(error):
            values[index] = subject["a"]
    assert held_values(subject, values) == holding_values(items)


@clause("parameter_list/slice-as-a-list", LIST, AS_A_LIST, needs="ParameterList")
@given(items=labels(PARAMETERS, max_size=6), triple=triples(), new=label(PARAMETERS))
def test_a_slice_is_a_new_list_of_the_same_parameters(implementation, device, items, triple, new):
    """values[i:j:k] is a new ParameterList of the same objects that the slice of a Python list has, numbered from "0";
    editing it leaves the first one unchanged."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterList(pick(subject, items))
    part = values[slice(*triple)]
    assert isinstance(part, implementation.ParameterList)
    assert held_values(subject, part) == holding_values(items[slice(*triple)])
    part.append(subject[new])
    assert held_values(subject, values) == holding_values(items)


@clause(
    "parameter_list/append-at-the-end",
    LIST + ".append",
    "Append a given value at the end of the list.",
    needs="ParameterList.append",
)
@given(items=labels(PARAMETERS), new=labels(PARAMETERS, min_size=1))
def test_append_adds_a_parameter_at_the_end(implementation, device, items, new):
    """append(parameter) adds the parameter at the end, also one that the list already holds."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterList(pick(subject, items))
    for letter in new:
        values.append(subject[letter])
    assert held_values(subject, values) == holding_values(items + new)


@clause(
    "parameter_list/extend-at-the-end",
    LIST + ".extend",
    "Append values from a Python iterable to the end of the list.",
    since="1.12",
    needs="ParameterList.extend",
)
@given(items=labels(ANYTHING), more=labels(ANYTHING))
def test_extend_appends_the_elements_of_any_iterable(implementation, device, items, more):
    """extend(iterable) adds the elements of a list, a tuple, an iterator or another ParameterList at the end, in order,
    and extend(values) of the list itself doubles it."""
    subject = implementation.build(VALUES, device)
    for iterable in (list, tuple, iter, implementation.ParameterList):
        values = implementation.ParameterList(pick(subject, items))
        values.extend(iterable(pick(subject, more)))
        assert held_values(subject, values) == holding_values(items + more)
    values.extend(values)
    assert [entry(subject, value) for value in values] == [stored(letter) for letter in 2 * (items + more)]


@clause(
    "parameter_list/append-and-extend-return-the-list",
    "source:torch.nn.ParameterList.append",
    "return self",
    severity=OBSERVED,
    needs=("ParameterList.append", "ParameterList.extend"),
)
@given(items=labels(PARAMETERS), more=labels(PARAMETERS), new=label(PARAMETERS))
def test_append_extend_and_plus_assignment_return_the_parameter_list(implementation, device, items, more, new):
    """append(value), extend(iterable) and += return the ParameterList itself."""
    subject = implementation.build(VALUES, device)
    values = before = implementation.ParameterList(pick(subject, items))
    assert values.append(subject[new]) is values
    assert values.extend(pick(subject, more)) is values
    values += pick(subject, more)
    assert values is before
    assert held_values(subject, values) == holding_values([*items, new, *more, *more])


@clause(
    "parameter_list/extend-refuses-what-is-no-iterable",
    "source:torch.nn.ParameterList.extend",
    "ParameterList.extend should be called with an iterable, but got",
    severity=OBSERVED,
    since="1.12",
    needs="ParameterList.extend",
)
@given(items=labels(ANYTHING), wrong=st.sampled_from((3, None, 1.5, True)), tensor=label(TENSORS + PARAMETERS))
def test_extend_raises_type_error_for_a_tensor_or_what_is_no_iterable(implementation, device, items, wrong, tensor):
    """extend(x) and += x raise TypeError where x is no iterable or a single tensor, and leave the ParameterList
    unchanged."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterList(pick(subject, items))
    for refused in (wrong, subject[tensor]):
        with pytest.raises(TypeError):
            values.extend(refused)
        with pytest.raises(TypeError):
            values += refused
    assert held_values(subject, values) == holding_values(items)


@clause("parameter_list/deletion-and-pop-as-a-list", LIST, AS_A_LIST, needs="ParameterList")
@given(history=list_edits("delete", "pop", "delete slice", among=PARAMETERS, min_items=1))
def test_deleting_and_popping_work_as_for_a_list(implementation, device, history):
    """del values[i], del values[i:j:k] and pop(i) remove what a Python list would lose, and the rest is renumbered."""
    items, edits = list(history[0]), history[1]
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterList(pick(subject, items))
    for edit in edits:
        values, items = edited_list(values, edit, subject.__getitem__), edited_list(items, edit)
        assert held_values(subject, values) == holding_values(items)


@clause("parameter_list/insert-as-a-list", LIST, AS_A_LIST, needs="ParameterList")
@given(history=list_edits("insert", among=PARAMETERS))
def test_insert_works_as_for_a_list(implementation, device, history):
    """insert(i, value) puts the value before the i-th element, and those from there on move down by one."""
    items, edits = list(history[0]), history[1]
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterList(pick(subject, items))
    for edit in edits:
        values, items = edited_list(values, edit, subject.__getitem__), edited_list(items, edit)
        assert held_values(subject, values) == holding_values(items)


@clause("parameter_list/slice-assignment-as-a-list", LIST, AS_A_LIST, needs="ParameterList")
@given(items=labels(PARAMETERS), start=st.integers(-3, 3), stop=st.integers(-3, 3), new=labels(PARAMETERS))
def test_assigning_to_a_slice_works_as_for_a_list(implementation, device, items, start, stop, new):
    """values[i:j] = iterable replaces the elements of the slice by those of the iterable."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterList(pick(subject, items))
    values[start:stop] = pick(subject, new)
    after = list(items)
    after[start:stop] = new
    assert held_values(subject, values) == holding_values(after)


@clause("parameter_list/plus-and-times-as-a-list", LIST, AS_A_LIST, needs="ParameterList")
@given(items=labels(PARAMETERS), more=labels(PARAMETERS), factor=st.integers(0, 2))
def test_plus_and_times_work_as_for_a_list(implementation, device, items, more, factor):
    """values + other and values * n give new lists of the same objects that a Python list would have."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterList(pick(subject, items))
    assert subject.paths(values + implementation.ParameterList(pick(subject, more))) == items + more
    assert subject.paths(values * factor) == items * factor
    assert held_values(subject, values) == holding_values(items)


@clause("parameter_list/clear-and-reverse-as-a-list", LIST, AS_A_LIST, needs="ParameterList")
@given(items=labels(PARAMETERS))
def test_clear_reverse_and_copy_work_as_for_a_list(implementation, device, items):
    """reverse() reverses the order of the elements, copy() gives a new list of the same ones, clear() removes all of
    them."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterList(pick(subject, items))
    values.reverse()
    assert held_values(subject, values) == holding_values(items[::-1])
    copied = values.copy()
    values.clear()
    assert held_values(subject, values) == holding_values([])
    assert subject.paths(copied) == items[::-1]


@clause("parameter_list/any-element-can-be-replaced-by-any-value", LIST, AS_A_LIST, since="1.12", needs="ParameterList")
@given(items=labels(ANYTHING, min_size=1), position=st.integers(0, 7), new=label(ANYTHING))
def test_any_element_can_be_replaced_by_any_value(implementation, device, items, position, new):
    """values[i] = value replaces the i-th element whatever both are, a parameter by an object that is no tensor
    included."""
    index = position % (2 * len(items)) - len(items)
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterList(pick(subject, items))
    values[index] = subject[new]
    after = list(items)
    after[index] = new
    assert held_values(subject, values) == holding_values(after)


@clause(
    "parameter_list/documented-argument-name",
    LIST,
    "parameters (iterable, optional): an iterable of elements to add to the list.",
    needs="ParameterList",
)
@given(items=labels(PARAMETERS))
def test_parameter_list_takes_its_elements_by_the_documented_name(implementation, device, items):
    """ParameterList(parameters=elements) is the same as ParameterList(elements)."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterList(parameters=pick(subject, items))
    assert held_values(subject, values) == holding_values(items)


@clause(
    "parameter_list/acts-as-an-iterable",
    LIST,
    "ParameterList can act as an iterable, or be indexed using ints",
    severity=RECOMMENDED,
    since="1.12",
    needs="ParameterList",
)
@given(items=labels(ANYTHING))
def test_iteration_and_length_follow_the_parameter_list(implementation, device, items):
    """Iterating over a ParameterList, forwards or by reversed(), gives its elements in order, and len() counts them."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterList(pick(subject, items))
    expected = [stored(letter) for letter in items]
    assert len(values) == len(items)
    assert [entry(subject, value) for value in iter(values)] == expected
    assert [entry(subject, value) for value in reversed(values)] == expected[::-1]


@clause(
    "parameter_list/attributes-are-no-elements",
    "source:torch.nn.ParameterList.__setitem__",
    "Objects added via setattr() are not in the list part",
    severity=OBSERVED,
    since="1.12",
    needs="ParameterList",
)
@given(items=labels(ANYTHING), name=st.sampled_from(("a", "weight", "_hidden")), new=label(ANYTHING))
def test_what_is_set_by_name_is_no_element_of_the_list(implementation, device, items, name, new):
    """An attribute set on a ParameterList by name is no element of it, and dir() shows it but none of the positions."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterList(pick(subject, items))
    setattr(values, name, subject[new])
    assert [entry(subject, value) for value in values] == [stored(letter) for letter in items]
    assert len(values) == len(items)
    assert getattr(values, name) is subject[new]
    assert name in dir(values)
    assert [shown for shown in dir(values) if shown.isdigit()] == []


@clause(
    "parameter_list/cannot-be-called",
    "source:torch.nn.ParameterList.__call__",
    "ParameterList should not be called.",
    severity=OBSERVED,
    needs="ParameterList",
)
@given(items=labels(PARAMETERS))
def test_calling_a_parameter_list_or_dict_raises_runtime_error(implementation, device, items):
    """Calling a ParameterList or a ParameterDict raises RuntimeError: they compute nothing."""
    subject = implementation.build(VALUES, device)
    with pytest.raises(RuntimeError):
        implementation.ParameterList(pick(subject, items))(subject["a"])
    with pytest.raises(RuntimeError):
        implementation.ParameterDict(dict(zip("abcd", pick(subject, items), strict=False)))(subject["a"])


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
@given(items=entries(PARAMETERS), key=names(), new=label(TENSORS))
def test_assigning_a_tensor_to_a_key_puts_a_parameter_there(implementation, device, items, key, new):
    """values[key] = tensor puts a Parameter with the same values under the key, in its place if it is there."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    values[key] = subject[new]
    assert held_values_by_key(subject, values) == holding_values_by_key({**items, key: new})


@clause("parameter_dict/update-converts-tensors", DICT, DICT_CONVERTS, since="1.12", needs="ParameterDict.update")
@given(items=entries(PARAMETERS), more=entries(TENSORS, min_size=1))
def test_update_turns_tensors_into_parameters(implementation, device, items, more):
    """update() holds a Parameter with the same values for every tensor."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict(pairs(subject, items))
    values.update(OrderedDict(pairs(subject, more)))
    assert held_values_by_key(subject, values) == holding_values_by_key({**items, **more})


@clause("parameter_dict/converts-tensors-of-any-dtype", DICT, DICT_CONVERTS, since="1.12", needs="ParameterDict")
@given(shape=shapes(), dtype=st.sampled_from(("int64", "bool")), fill=fills())
def test_tensors_that_have_no_gradients_become_parameters_of_a_dict_too(implementation, device, shape, dtype, fill):
    """A tensor of integers or booleans becomes a Parameter, one that requires no gradients."""
    blueprint = bp.Tensor(shape, dtype, fill)
    values = implementation.ParameterDict([("a", implementation.make(blueprint, device))])
    assert implementation.is_parameter(values["a"])
    assert implementation.read(values["a"]) == (shape, dtype, blueprint.flat)
    assert not implementation.requires_grad(values["a"])


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
@given(items=entries(ANYTHING, min_size=1), position=st.integers(0, 7), new=label(ANYTHING))
def test_any_value_can_be_replaced_by_any_other(implementation, device, items, position, new):
    """values[key] = value replaces what is there whatever both are, a parameter by an object that is no tensor
    included."""
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
    "parameter_dict/keys-must-be-strings",
    "source:torch.nn.ParameterDict._key_to_attr",
    "Index given to ParameterDict cannot be used as a key as it is not a string",
    severity=OBSERVED,
    since="1.12",
    needs="ParameterDict",
)
@given(key=st.sampled_from((1, None, 1.5, ("a",), True)), new=label(ANYTHING))
def test_a_key_that_is_no_string_raises_type_error(implementation, device, key, new):
    """Assigning to a key that is no string raises TypeError."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterDict()
    with pytest.raises(TypeError):
        values[key] = subject[new]


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
