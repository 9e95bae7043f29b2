"""load_state_dict(): which keys it accepts, and what it reports of the others."""

from __future__ import annotations

from types import MappingProxyType

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, RECOMMENDED, clause, for_any_module
from conformance.language import blueprint as bp
from conformance.language.transform import extended, moved, plain, refilled
from conformance.model.state import chosen, loaded, strangers
from conformance.suite.support.loading import keys, remove
from strategies import blueprints, fills, names, parameters
from strategies.state import picks, stranger_names

LOAD = "torch.nn.Module.load_state_dict"
LOAD_OWN = "torch.nn.Module._load_from_state_dict"
EXACTLY = (
    "If :attr:`strict` is ``True``, then the keys of :attr:`state_dict` must exactly match the keys returned by this "
    "module's :meth:`~torch.nn.Module.state_dict` function."
)


@clause("load_state_dict/strict-refuses-missing-keys", LOAD, EXACTLY)
@for_any_module(blueprint=blueprints(), parameter=parameters(), which=picks())
def test_by_default_a_missing_key_raises(implementation, device, blueprint, parameter, which):
    """By default, load_state_dict() raises RuntimeError where any key of the module's own state_dict() is not given."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    state = subject.module.state_dict()
    remove(state, chosen(state, which))
    with pytest.raises(RuntimeError):
        subject.module.load_state_dict(state)
    subject.module.load_state_dict(subject.module.state_dict())
    assert subject.portrait() == subject.expected_portrait()


@clause("load_state_dict/strict-refuses-unexpected-keys", LOAD, EXACTLY)
@for_any_module(blueprint=blueprints(), more=stranger_names(), fill=fills())
def test_by_default_an_unexpected_key_raises(implementation, device, blueprint, more, fill):
    """By default, load_state_dict() raises RuntimeError where a key is given that the module's own state_dict() has
    not."""
    subject = implementation.build(blueprint, device)
    state = subject.module.state_dict()
    for key in strangers(subject.model, more):
        state[key] = implementation.make(bp.Tensor((2,), fill=fill), device)
    with pytest.raises(RuntimeError):
        subject.module.load_state_dict(state)
    subject.module.load_state_dict(subject.module.state_dict())
    assert subject.portrait() == subject.expected_portrait()


@clause("load_state_dict/strict-refuses-keys-below-a-parameter", LOAD, EXACTLY)
@for_any_module(blueprint=blueprints(), parameter=parameters(), which=st.integers(0, 63), name=names())
def test_a_key_that_extends_the_name_of_a_parameter_raises(implementation, device, blueprint, parameter, which, name):
    """A key that continues the key of a parameter or buffer with a dot and a name is unexpected."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    state = subject.module.state_dict()
    ((key, value),) = chosen(state.items(), [which])
    state[f"{key}.{name}"] = value
    with pytest.raises(RuntimeError):
        subject.module.load_state_dict(state)
    subject.module.load_state_dict(subject.module.state_dict())
    assert subject.portrait() == subject.expected_portrait()


@clause("load_state_dict/strict-refuses-keys-below-a-none-child", LOAD, EXACTLY)
@for_any_module(blueprint=blueprints(), name=names(), fill=fills())
def test_a_key_below_a_child_that_is_none_raises(implementation, device, blueprint, name, fill):
    """A key below the name of a child that is None is unexpected."""
    subject = implementation.build(extended(blueprint, child=bp.Module({"none": bp.Empty("module")})), device)
    state = subject.module.state_dict()
    state[f"child.none.{name}"] = implementation.make(bp.Tensor((2,), fill=fill), device)
    with pytest.raises(RuntimeError):
        subject.module.load_state_dict(state)
    subject.module.load_state_dict(subject.module.state_dict())
    assert subject.portrait() == subject.expected_portrait()


@clause("load_state_dict/strict-refuses-the-name-of-a-child", LOAD, EXACTLY)
@for_any_module(blueprint=blueprints(), which=st.integers(0, 63), fill=fills())
def test_a_key_that_is_the_name_of_a_module_raises(implementation, device, blueprint, which, fill):
    """A key that is the dotted name of a module is unexpected."""
    subject = implementation.build(extended(blueprint, child=bp.Linear(2, 2)), device)
    (name,) = chosen([name for name, _ in subject.model.walk() if name], [which])
    state = subject.module.state_dict()
    state[name] = implementation.make(bp.Tensor((2,), fill=fill), device)
    with pytest.raises(RuntimeError):
        subject.module.load_state_dict(state)
    subject.module.load_state_dict(subject.module.state_dict())
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "load_state_dict/non_persistent-buffer-is-unexpected",
    "torch.nn.Module.register_buffer",
    "persistent (bool): whether the buffer is part of this module's :attr:`state_dict`.",
    since="1.6",
    needs="Module.register_buffer(persistent)",
)
@for_any_module(blueprint=blueprints(), fill=fills())
def test_the_key_of_a_non_persistent_buffer_is_unexpected(implementation, device, blueprint, fill):
    """The key of a non-persistent buffer is unexpected, and is not loaded."""
    transient = bp.Module({"transient": bp.Buffer((2,), fill=fill, persistent=False)})
    subject = implementation.build(extended(blueprint, child=transient), device)
    state = subject.module.state_dict()
    state["child.transient"] = implementation.make(bp.Tensor((2,), fill=fill + 1), device)
    with pytest.raises(RuntimeError):
        subject.module.load_state_dict(state)
    assert keys(subject.module.load_state_dict(state, strict=False)) == ([], ["child.transient"])
    assert subject.readings() == subject.expected_readings()


@clause(
    "load_state_dict/strict-message-lists-both",
    "source:torch.nn.Module.load_state_dict",
    "Unexpected key(s) in state_dict: {}. ",
    severity=OBSERVED,
)
@for_any_module(blueprint=blueprints(), parameter=parameters(), which=picks(), more=stranger_names(), fill=fills())
def test_the_message_lists_missing_and_unexpected_keys(implementation, device, blueprint, parameter, which, more, fill):
    """The message of the RuntimeError names every missing key after "Missing key(s)" and every unexpected one after
    "Unexpected key(s)"."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    missing, unexpected = chosen(subject.model.state(), which), strangers(subject.model, more)
    state = subject.module.state_dict()
    remove(state, missing)
    state.update((key, implementation.make(bp.Tensor((2,), fill=fill), device)) for key in unexpected)
    with pytest.raises(RuntimeError) as raised:
        subject.module.load_state_dict(state)
    first, _, second = str(raised.value).partition("Unexpected key(s) in state_dict: ")
    assert [key for key in missing if f'"{key}"' not in first.partition("Missing key(s) in state_dict: ")[2]] == []
    assert [key for key in unexpected if f'"{key}"' not in second] == []


@clause(
    "load_state_dict/result-names-missing-keys",
    LOAD,
    "``missing_keys`` is a list of str containing any keys that are expected by this module but missing from the "
    "provided ``state_dict``.",
    since="1.4",
)
@for_any_module(blueprint=blueprints(), parameter=parameters(), which=picks())
def test_missing_keys_are_those_expected_and_not_given(implementation, device, blueprint, parameter, which):
    """With strict=False, missing_keys of the result lists every key of the module's state_dict() that was not given."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    state, missing = subject.module.state_dict(), chosen(subject.model.state(), which)
    remove(state, missing)
    assert keys(subject.module.load_state_dict(state, strict=False)) == (sorted(missing), [])


@clause(
    "load_state_dict/result-names-unexpected-keys",
    LOAD,
    "``unexpected_keys`` is a list of str containing the keys that are not expected by this module but present in the "
    "provided ``state_dict``.",
    since="1.4",
)
@for_any_module(blueprint=blueprints(), more=stranger_names(), fill=fills())
def test_unexpected_keys_are_those_given_and_not_expected(implementation, device, blueprint, more, fill):
    """With strict=False, unexpected_keys of the result lists every given key that the module's state_dict() has not."""
    subject = implementation.build(blueprint, device)
    state, unexpected = subject.module.state_dict(), strangers(subject.model, more)
    state.update((key, implementation.make(bp.Tensor((2,), fill=fill), device)) for key in unexpected)
    assert keys(subject.module.load_state_dict(state, strict=False)) == ([], sorted(unexpected))


@clause(
    "load_state_dict/result-is-a-named-tuple",
    LOAD,
    "``NamedTuple`` with ``missing_keys`` and ``unexpected_keys`` fields:",
    since="1.4",
)
@for_any_module(blueprint=blueprints(), strict=st.booleans())
def test_the_result_is_a_named_tuple_of_two_lists(implementation, device, blueprint, strict):
    """load_state_dict() returns a named tuple (missing_keys, unexpected_keys) of two lists, empty where all keys
    match."""
    subject = implementation.build(blueprint, device)
    result = subject.module.load_state_dict(subject.module.state_dict(), strict=strict)
    assert isinstance(result, tuple)
    assert result._fields == ("missing_keys", "unexpected_keys")
    assert list(result) == [[], []]


@clause(
    "load_state_dict/result-prints-all-keys-matched",
    "https://docs.pytorch.org/docs/stable/notes/serialization.html",
    "<All keys matched successfully>",
    severity=RECOMMENDED,
    since="1.4",
)
@for_any_module(blueprint=blueprints(), more=stranger_names(min_size=0), fill=fills())
def test_the_result_prints_that_all_keys_matched_where_they_do(implementation, device, blueprint, more, fill):
    """The result prints as "<All keys matched successfully>" exactly where no key is missing or unexpected."""
    subject = implementation.build(blueprint, device)
    state, unexpected = subject.module.state_dict(), strangers(subject.model, more)
    state.update((key, implementation.make(bp.Tensor((2,), fill=fill), device)) for key in unexpected)
    result = subject.module.load_state_dict(state, strict=False)
    assert (repr(result) == "<All keys matched successfully>") == (not unexpected)


@clause(
    "load_state_dict/non_strict-loads-what-is-given",
    LOAD,
    "whether to strictly enforce that the keys in :attr:`state_dict` match the keys returned by this module's "
    ":meth:`~torch.nn.Module.state_dict` function. Default: ``True``",
)
@for_any_module(blueprint=blueprints(), parameter=parameters(), which=picks())
def test_without_strict_the_given_entries_are_loaded_and_the_rest_stays(
    implementation, device, blueprint, parameter, which
):
    """With strict=False, the entries whose keys are given are loaded and all others keep their values."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    source = implementation.build(refilled(subject.blueprint), device)
    state, dropped = source.module.state_dict(), chosen(source.model.state(), which)
    remove(state, dropped)
    subject.module.load_state_dict(state, strict=False)
    given_ones = {key: tensor for key, tensor in source.model.state().items() if key not in dropped}
    assert subject.readings() == loaded(subject.model, given_ones)


@clause(
    "load_state_dict/partial-transfer-between-trees",
    LOAD,
    "whether to strictly enforce that the keys in :attr:`state_dict` match the keys returned",
    needs="construction",
)
@for_any_module(blueprint=blueprints(), common=blueprints(), other=blueprints())
def test_two_different_trees_share_the_entries_of_equal_name(implementation, device, blueprint, common, other):
    """With strict=False, the state of a different tree changes exactly the entries of equal name; the keys that only
    one of the two has are reported as missing and unexpected."""
    # One of the names begins with the other: names are compared as wholes.
    subject = implementation.build(_pair(common, layer1=blueprint), device)
    source = implementation.build(_pair(refilled(common), layer10=other), device)
    result = subject.module.load_state_dict(source.module.state_dict(), strict=False)
    given, own = source.model.state(), subject.model.state()
    assert keys(result) == (sorted(own.keys() - given.keys()), sorted(given.keys() - own.keys()))
    assert subject.readings() == loaded(subject.model, given)


def _pair(common, **more):
    """A tree that holds all of these, their layers as plain modules: a layer may take a state_dict that says nothing
    of it for an old file, and make up for what such files lack."""
    return plain(bp.Module({name: moved(tree, name) for name, tree in {"common": common, **more}.items()}))


@clause(
    "load_state_dict/given-mapping-keeps-its-entries",
    LOAD_OWN,
    ":attr:`state_dict` is not the same object as the input :attr:`state_dict` to "
    ":meth:`~torch.nn.Module.load_state_dict`. So it can be modified.",
)
@for_any_module(blueprint=blueprints(), more=stranger_names(min_size=0), fill=fills())
def test_the_given_mapping_keeps_its_entries(implementation, device, blueprint, more, fill):
    """Loading leaves the given mapping as it was: the same keys in the same order, the same objects, the same
    values."""
    subject = implementation.build(blueprint, device)
    source = implementation.build(refilled(blueprint), device)
    state = source.module.state_dict()
    state.update(
        (key, implementation.make(bp.Tensor((2,), fill=fill), device)) for key in strangers(subject.model, more)
    )
    before, held = list(state.items()), [implementation.read(value) for value in state.values()]
    subject.module.load_state_dict(state, strict=False)
    assert list(state) == [key for key, _ in before]
    assert all(state[key] is value for key, value in before)
    assert [implementation.read(value) for value in state.values()] == held


@clause(
    "load_state_dict/read-only-mapping-accepted",
    "source:torch.nn.Module.load_state_dict",
    "Expected state_dict to be dict-like, got {type(state_dict)}.",
    severity=OBSERVED,
    since="1.12",
)
@for_any_module(blueprint=blueprints())
def test_any_mapping_is_accepted(implementation, device, blueprint):
    """Any mapping loads like a dict, also one that cannot be written to."""
    subject = implementation.build(blueprint, device)
    source = implementation.build(refilled(blueprint), device)
    assert keys(subject.module.load_state_dict(MappingProxyType(source.module.state_dict()))) == ([], [])
    assert subject.readings() == loaded(subject.model, source.model.state())


@clause(
    "load_state_dict/what-is-no-mapping-is-refused",
    "source:torch.nn.Module.load_state_dict",
    "Expected state_dict to be dict-like, got {type(state_dict)}.",
    severity=OBSERVED,
    since="1.12",
)
@for_any_module(blueprint=blueprints(), strict=st.booleans(), wrong=st.sampled_from((None, [], (), "", 0, {1, 2})))
def test_what_is_no_mapping_raises_type_error(implementation, device, blueprint, strict, wrong):
    """load_state_dict() raises TypeError for what is no mapping."""
    subject = implementation.build(blueprint, device)
    with pytest.raises(TypeError):
        subject.module.load_state_dict(wrong, strict=strict)
    assert subject.readings() == subject.expected_readings()
