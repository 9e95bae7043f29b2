"""Edits of a ParameterList: assigning, appending, extending, inserting and removing."""

from __future__ import annotations

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
    held_values,
    holding_values,
    pick,
    stored,
)
from strategies.edits import edited_list, label, labels, list_edits

LIST = "torch.nn.ParameterList"
AS_A_LIST = "can be used like a regular Python list"
LIST_CONVERTS = "method will convert any :class:`~torch.Tensor` into :class:`~torch.nn.Parameter`"


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
@given(items=labels(ANYTHING, min_size=1), position=st.integers(0, 7), new=label(TENSORS + PARAMETERS))
def test_assigning_a_tensor_puts_a_parameter_there(implementation, device, items, position, new):
    """values[i] = tensor puts a Parameter with the same values in the place of the i-th element, whatever that was and i
    counted from the end if negative; a Parameter is put there itself."""
    index = position % (2 * len(items)) - len(items)
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterList(pick(subject, items))
    values[index] = subject[new]
    after = list(items)
    after[index] = new
    assert held_values(subject, values) == holding_values(after)


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
@given(items=labels(ANYTHING, min_size=1), position=st.integers(0, 7), new=label(OBJECTS))
def test_any_element_can_be_replaced_by_any_value(implementation, device, items, position, new):
    """values[i] = value replaces the i-th element, a parameter or whatever it is, by an object that is no tensor."""
    index = position % (2 * len(items)) - len(items)
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterList(pick(subject, items))
    values[index] = subject[new]
    after = list(items)
    after[index] = new
    assert held_values(subject, values) == holding_values(after)
