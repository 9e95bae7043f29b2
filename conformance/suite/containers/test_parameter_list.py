"""ParameterList: a list that turns tensors into parameters and registers them."""

from __future__ import annotations

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
    holding_values,
    pick,
    registered,
    state_of,
    stored,
)
from strategies import fills, shapes
from strategies.edits import label, labels, triples

LIST = "torch.nn.ParameterList"
AS_A_LIST = "can be used like a regular Python list"
LIST_CONVERTS = "method will convert any :class:`~torch.Tensor` into :class:`~torch.nn.Parameter`"


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


@clause("parameter_list/plus-and-times-as-a-list", LIST, AS_A_LIST, needs="ParameterList")
@given(items=labels(PARAMETERS), more=labels(PARAMETERS), factor=st.integers(0, 2))
def test_plus_and_times_work_as_for_a_list(implementation, device, items, more, factor):
    """values + other and values * n give new lists of the same objects that a Python list would have; values *= n repeats
    them in the list itself."""
    subject = implementation.build(VALUES, device)
    values = implementation.ParameterList(pick(subject, items))
    assert subject.paths(values + implementation.ParameterList(pick(subject, more))) == items + more
    assert subject.paths(values * factor) == items * factor
    assert held_values(subject, values) == holding_values(items)
    itself = values
    values *= factor
    assert values is itself
    assert held_values(subject, values) == holding_values(items * factor)


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
