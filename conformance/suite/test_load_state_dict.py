"""load_state_dict(): which keys it accepts, what it reports, what it copies or assigns, and the hooks around it."""

from __future__ import annotations

from types import MappingProxyType

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, RECOMMENDED, clause, given
from conformance.language import blueprint as bp
from conformance.language.transform import FLOATING, extended, moved, plain, refilled
from conformance.model import reading
from conformance.model.state import chosen, loaded, prefixes, readings, strangers
from conformance.suite.support.nesting import nest
from strategies import blueprints, dtypes, fills, names, parameters, refused_names, shapes, tensors
from strategies.state import mismatched_shapes, name_paths, picks, stranger_names

LOAD = "torch.nn.Module.load_state_dict"
LOAD_OWN = "torch.nn.Module._load_from_state_dict"
EXACTLY = (
    "If :attr:`strict` is ``True``, then the keys of :attr:`state_dict` must exactly match the keys returned by this "
    "module's :meth:`~torch.nn.Module.state_dict` function."
)
COPY = "Copy parameters and buffers from :attr:`state_dict` into this module and its descendants."
PRE_HOOK = "torch.nn.Module.register_load_state_dict_pre_hook"
POST_HOOK = "torch.nn.Module.register_load_state_dict_post_hook"
PRE_HOOKS = "Module.register_load_state_dict_pre_hook"
POST_HOOKS = "Module.register_load_state_dict_post_hook"
ASSIGN = "Module.load_state_dict(assign)"


def keys(result):
    """The two lists of keys that load_state_dict() returns, their order left open."""
    return sorted(result.missing_keys), sorted(result.unexpected_keys)


def remove(state, dropped):
    """Delete these entries in place: a copy would be without the metadata by which layers tell old files from new."""
    for key in dropped:
        del state[key]


def contents(implementation, module):
    """What every entry of the module's state holds."""
    return {key: implementation.read(value) for key, value in module.state_dict().items()}


# What is restored.


@clause("load_state_dict/round-trip-restores-every-value", LOAD, COPY)
@given(blueprint=blueprints())
def test_the_state_of_a_module_of_equal_structure_restores_every_value(implementation, device, blueprint):
    """Loading the state_dict of a module of equal structure gives every parameter and persistent buffer, at any depth,
    the values of its counterpart, and leaves non-persistent buffers as they were."""
    subject = implementation.build(blueprint, device)
    source = implementation.build(refilled(blueprint), device)
    result = subject.module.load_state_dict(source.module.state_dict())
    assert keys(result) == ([], [])
    assert subject.readings() == loaded(subject.model, source.model.state())


@clause(
    "load_state_dict/plain-dict-in-any-order",
    LOAD,
    "state_dict (dict): a dict containing parameters and persistent buffers.",
)
@given(blueprint=blueprints(), turn=st.integers(0, 63))
def test_a_plain_dict_loads_whatever_the_order_of_its_entries(implementation, device, blueprint, turn):
    """A plain dict of the right keys loads like the state_dict it was made from, in whatever order its entries are."""
    subject = implementation.build(blueprint, device)
    source = implementation.build(refilled(blueprint), device)
    entries = list(source.module.state_dict().items())[::-1]
    entries = entries[turn:] + entries[:turn]
    assert keys(subject.module.load_state_dict(dict(entries))) == ([], [])
    assert subject.readings() == loaded(subject.model, source.model.state())


@clause("load_state_dict/copies-into-the-same-objects", LOAD, COPY)
@given(blueprint=blueprints())
def test_parameters_and_buffers_stay_the_same_objects(implementation, device, blueprint):
    """Loading copies values into the module's own parameters and buffers, which stay the same objects, under the same
    names and tied as before."""
    subject = implementation.build(blueprint, device)
    source = implementation.build(refilled(blueprint), device)
    subject.module.load_state_dict(source.module.state_dict())
    names = subject.named(subject.module.named_parameters()) + subject.named(subject.module.named_buffers())
    assert names == subject.model.named_parameters() + subject.model.named_buffers()


@clause("load_state_dict/copies-into-the-same-memory", LOAD, COPY)
@given(blueprint=blueprints(), parameter=parameters())
def test_loaded_values_show_in_a_state_dict_taken_before(implementation, device, blueprint, parameter):
    """Loading writes into the memory that the module's tensors have: a state_dict taken before shows the loaded
    values."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    source = implementation.build(refilled(subject.blueprint), device)
    before = subject.module.state_dict()
    subject.module.load_state_dict(source.module.state_dict())
    assert {key: implementation.read(value) for key, value in before.items()} == readings(source.model.state())


@clause("load_state_dict/source-is-copied-not-shared", LOAD, COPY)
@given(blueprint=blueprints(), parameter=parameters())
def test_a_later_write_into_the_source_leaves_the_module_alone(implementation, device, blueprint, parameter):
    """After loading, a write into the tensors of the given state_dict does not reach the module."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    source = implementation.build(refilled(subject.blueprint), device)
    state = source.module.state_dict()
    subject.module.load_state_dict(state)
    for key, tensor in subject.model.state().items():
        implementation.write(state[key], tensor.values())
    assert subject.readings() == loaded(subject.model, source.model.state())


@clause(
    "load_state_dict/dtype-and-requires_grad-of-the-module-stay",
    LOAD,
    "When set to ``False``, the properties of the tensors in the current module are preserved",
    since="2.1",
)
@given(blueprint=blueprints(), parameter=parameters(FLOATING), dtype=dtypes(FLOATING))
def test_the_properties_of_the_modules_tensors_are_preserved(implementation, device, blueprint, parameter, dtype):
    """Without assign, the module's tensors keep their dtype and requires_grad; values of another dtype are
    converted."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    source = implementation.build(refilled(subject.blueprint, dtype), device)
    subject.module.load_state_dict(source.module.state_dict())
    assert subject.readings() == loaded(subject.model, source.model.state())
    followed = {path for path in subject.model.tensors() if implementation.requires_grad(subject[path])}
    assert followed == {path for path, tensor in subject.model.tensors().items() if tensor.requires_grad}


@clause("load_state_dict/mode-and-attributes-are-left", LOAD, COPY, severity=RECOMMENDED)
@given(blueprint=blueprints(), tensor=tensors())
def test_training_mode_and_plain_attributes_are_left(implementation, device, blueprint, tensor):
    """Loading leaves the training mode and the plain attributes of every module as they were: neither is part of a
    state_dict."""
    subject = implementation.build(extended(blueprint, note=bp.Attribute("text"), kept=bp.Attribute(tensor)), device)
    source = implementation.build(refilled(subject.blueprint), device)
    source.module.train(not blueprint.training)
    subject.module.load_state_dict(source.module.state_dict())
    assert {path: subject[path].training for path in subject.model.modes()} == subject.model.modes()
    for module in subject.model.modules():
        for name, value in module.attributes.items():
            found = getattr(subject[module.path], name)
            assert (implementation.read(found) if isinstance(value, bp.Tensor) else found) == (
                reading(value) if isinstance(value, bp.Tensor) else value
            )


# Keys.


@clause("load_state_dict/strict-refuses-missing-keys", LOAD, EXACTLY)
@given(blueprint=blueprints(), parameter=parameters(), which=picks())
def test_by_default_a_missing_key_raises(implementation, device, blueprint, parameter, which):
    """By default, load_state_dict() raises RuntimeError where any key of the module's own state_dict() is not given."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    state = subject.module.state_dict()
    remove(state, chosen(state, which))
    with pytest.raises(RuntimeError):
        subject.module.load_state_dict(state)


@clause("load_state_dict/strict-refuses-unexpected-keys", LOAD, EXACTLY)
@given(blueprint=blueprints(), more=stranger_names(), fill=fills())
def test_by_default_an_unexpected_key_raises(implementation, device, blueprint, more, fill):
    """By default, load_state_dict() raises RuntimeError where a key is given that the module's own state_dict() has
    not."""
    subject = implementation.build(blueprint, device)
    state = subject.module.state_dict()
    for key in strangers(subject.model, more):
        state[key] = implementation.make(bp.Tensor((2,), fill=fill), device)
    with pytest.raises(RuntimeError):
        subject.module.load_state_dict(state)


@clause("load_state_dict/strict-refuses-keys-below-a-parameter", LOAD, EXACTLY)
@given(blueprint=blueprints(), parameter=parameters(), which=st.integers(0, 63), name=names())
def test_a_key_that_extends_the_name_of_a_parameter_raises(implementation, device, blueprint, parameter, which, name):
    """A key that continues the key of a parameter or buffer with a dot and a name is unexpected."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    state = subject.module.state_dict()
    ((key, value),) = chosen(state.items(), [which])
    state[f"{key}.{name}"] = value
    with pytest.raises(RuntimeError):
        subject.module.load_state_dict(state)


@clause("load_state_dict/strict-refuses-keys-below-a-none-child", LOAD, EXACTLY)
@given(blueprint=blueprints(), name=names(), fill=fills())
def test_a_key_below_a_child_that_is_none_raises(implementation, device, blueprint, name, fill):
    """A key below the name of a child that is None is unexpected."""
    subject = implementation.build(extended(blueprint, child=bp.Module({"none": bp.Empty("module")})), device)
    state = subject.module.state_dict()
    state[f"child.none.{name}"] = implementation.make(bp.Tensor((2,), fill=fill), device)
    with pytest.raises(RuntimeError):
        subject.module.load_state_dict(state)


@clause("load_state_dict/strict-refuses-the-name-of-a-child", LOAD, EXACTLY)
@given(blueprint=blueprints(), which=st.integers(0, 63), fill=fills())
def test_a_key_that_is_the_name_of_a_module_raises(implementation, device, blueprint, which, fill):
    """A key that is the dotted name of a module is unexpected."""
    subject = implementation.build(extended(blueprint, child=bp.Linear(2, 2)), device)
    (name,) = chosen([name for name, _ in subject.model.walk() if name], [which])
    state = subject.module.state_dict()
    state[name] = implementation.make(bp.Tensor((2,), fill=fill), device)
    with pytest.raises(RuntimeError):
        subject.module.load_state_dict(state)


@clause(
    "load_state_dict/non_persistent-buffer-is-unexpected",
    "torch.nn.Module.register_buffer",
    "persistent (bool): whether the buffer is part of this module's :attr:`state_dict`.",
    since="1.6",
    needs="Module.register_buffer(persistent)",
)
@given(blueprint=blueprints(), fill=fills())
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
@given(blueprint=blueprints(), parameter=parameters(), which=picks(), more=stranger_names(), fill=fills())
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
@given(blueprint=blueprints(), parameter=parameters(), which=picks())
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
@given(blueprint=blueprints(), more=stranger_names(), fill=fills())
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
@given(blueprint=blueprints(), strict=st.booleans())
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
@given(blueprint=blueprints(), more=stranger_names(min_size=0), fill=fills())
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
@given(blueprint=blueprints(), parameter=parameters(), which=picks())
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
@given(blueprint=blueprints(), common=blueprints(), other=blueprints())
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
@given(blueprint=blueprints(), more=stranger_names(min_size=0), fill=fills())
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
@given(blueprint=blueprints())
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
@given(blueprint=blueprints(), strict=st.booleans(), wrong=st.sampled_from((None, [], (), "", 0, {1, 2})))
def test_what_is_no_mapping_raises_type_error(implementation, device, blueprint, strict, wrong):
    """load_state_dict() raises TypeError for what is no mapping."""
    subject = implementation.build(blueprint, device)
    with pytest.raises(TypeError):
        subject.module.load_state_dict(wrong, strict=strict)
    assert subject.readings() == subject.expected_readings()


# Entries that do not fit.


@clause(
    "load_state_dict/other-shape-is-refused",
    "source:torch.nn.Module._load_from_state_dict",
    "size mismatch for {key}: copying a param with shape",
    severity=OBSERVED,
)
@given(shapes=mismatched_shapes(), buffer=st.booleans(), names=name_paths(), strict=st.booleans(), fill=fills())
def test_an_entry_of_another_shape_raises_strict_or_not(implementation, device, shapes, buffer, names, strict, fill):
    """An entry whose shape differs from that of the parameter or buffer raises RuntimeError, also with strict=False
    and where the one could be broadcast to the other, and leaves that tensor as it was."""
    own = (bp.Buffer if buffer else bp.Parameter)(shapes[0], fill=fill)
    subject = implementation.build(bp.Module({"own": own}), device)
    entry = implementation.make(bp.Tensor(shapes[1], fill=fill + 1), device)
    with pytest.raises(RuntimeError):
        nest(implementation.Module, names, subject.module).load_state_dict({".".join([*names, "own"]): entry}, strict)
    assert subject.readings() == subject.expected_readings()


@clause(
    "load_state_dict/one-element-fits-a-scalar",
    "source:torch.nn.Module._load_from_state_dict",
    "Backward compatibility: loading 1-dim tensor from 0.3.* to version 0.4+",
    severity=OBSERVED,
)
@given(buffer=st.booleans(), names=name_paths(), fill=fills())
def test_an_entry_of_shape_one_loads_into_a_scalar(implementation, device, buffer, names, fill):
    """An entry of shape (1,) loads into a parameter or buffer of shape ()."""
    subject = implementation.build(bp.Module({"own": (bp.Buffer if buffer else bp.Parameter)((), fill=fill)}), device)
    entry = bp.Tensor((1,), fill=fill + 1)
    root = nest(implementation.Module, names, subject.module)
    root.load_state_dict({".".join([*names, "own"]): implementation.make(entry, device)})
    assert subject.readings() == {"own": ((), "float32", entry.flat)}


@clause(
    "load_state_dict/what-is-no-tensor-is-refused",
    "source:torch.nn.Module._load_from_state_dict",
    "expected torch.Tensor or Tensor-like object from checkpoint but ",
    severity=OBSERVED,
    since="1.12",
)
@given(blueprint=blueprints(), parameter=parameters(), wrong=st.sampled_from((None, 0, 1.5, "text", [1.0, 2.0], ())))
def test_an_entry_that_is_no_tensor_raises(implementation, device, blueprint, parameter, wrong):
    """An entry that is no tensor raises RuntimeError, also with strict=False, and leaves the parameter as it was."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    for strict in (True, False):
        with pytest.raises(RuntimeError):
            subject.module.load_state_dict({**subject.module.state_dict(), "own": wrong}, strict=strict)
    assert subject.readings() == subject.expected_readings()


@clause(
    "load_state_dict/errors-are-reported-together",
    LOAD_OWN,
    "error messages should be added to this list, and will be reported together in "
    ":meth:`~torch.nn.Module.load_state_dict`",
    needs="Module._load_from_state_dict",
)
@given(names=name_paths(), messages=st.lists(st.sampled_from(("first", "second", "third")), min_size=1, unique=True))
def test_the_error_messages_of_all_modules_are_reported_together(implementation, device, names, messages):
    """What _load_from_state_dict() of several modules adds to error_msgs is reported in one RuntimeError, strict or
    not."""

    class Net(implementation.Module):
        def _load_from_state_dict(self, *given):
            given[-1].append(self.message)

    module = implementation.Module()
    for number, message in enumerate(messages):
        module.add_module(str(number), Net())
        getattr(module, str(number)).message = message
    with pytest.raises(RuntimeError) as raised:
        nest(implementation.Module, names, module).load_state_dict({}, strict=False)
    assert [message for message in messages if message not in str(raised.value)] == []


@clause(
    "load_state_dict/none-slot-with-a-key-raises",
    LOAD,
    "If a parameter or buffer is registered as ``None`` and its corresponding key exists in :attr:`state_dict`, "
    ":meth:`load_state_dict` will raise a ``RuntimeError``.",
    needs=("tree.empty_parameter", "tree.empty_buffer"),
)
@given(blueprint=blueprints(), kind=st.sampled_from(("parameter", "buffer")), names=name_paths(), fill=fills())
def test_a_key_for_a_parameter_or_buffer_that_is_none_raises(implementation, device, blueprint, kind, names, fill):
    """Strict loading of a key whose parameter or buffer is registered as None raises RuntimeError."""
    subject = implementation.build(extended(blueprint, own=bp.Empty(kind)), device)
    root = nest(implementation.Module, names, subject.module)
    entry = implementation.make(bp.Tensor((2,), fill=fill), device)
    with pytest.raises(RuntimeError):
        root.load_state_dict({**root.state_dict(), ".".join([*names, "own"]): entry})


@clause(
    "load_state_dict/none-slot-with-a-key-raises-without-strict",
    LOAD,
    "If a parameter or buffer is registered as ``None`` and its corresponding key exists in :attr:`state_dict`, "
    ":meth:`load_state_dict` will raise a ``RuntimeError``.",
    needs=("tree.empty_parameter", "tree.empty_buffer"),
)
@given(blueprint=blueprints(), kind=st.sampled_from(("parameter", "buffer")), names=name_paths(), fill=fills())
def test_without_strict_too_a_key_for_what_is_none_raises(implementation, device, blueprint, kind, names, fill):
    """With strict=False too, a key whose parameter or buffer is registered as None raises RuntimeError."""
    subject = implementation.build(extended(blueprint, own=bp.Empty(kind)), device)
    root = nest(implementation.Module, names, subject.module)
    entry = implementation.make(bp.Tensor((2,), fill=fill), device)
    with pytest.raises(RuntimeError):
        root.load_state_dict({**root.state_dict(), ".".join([*names, "own"]): entry}, strict=False)


@clause("load_state_dict/parameter-of-any-name-round-trips", LOAD, EXACTLY)
@given(name=st.one_of(names(), st.sampled_from(("_extra_state", "_metadata"))), parameter=parameters())
def test_a_parameter_of_any_accepted_name_loads_from_its_own_state(implementation, device, name, parameter):
    """A module loads its own state_dict(), whatever the name under which a parameter was registered."""
    subject = implementation.build(bp.Module({name: parameter}), device)
    source = implementation.build(refilled(subject.blueprint), device)
    subject.module.load_state_dict(source.module.state_dict())
    assert subject.readings() == loaded(subject.model, source.model.state())


@clause("load_state_dict/child-of-any-name-round-trips", LOAD, EXACTLY)
@given(name=st.one_of(names(), refused_names()))
def test_a_child_of_any_accepted_name_loads_from_the_state_of_its_parent(implementation, device, name):
    """Where a module accepts a child by setattr() under a name, dots in it or not, it loads the state_dict() of a module
    of equal structure."""
    layers = [implementation.build(bp.Linear(2, 2, fill=fill), device) for fill in (1, 2)]
    one, other = implementation.Module(), implementation.Module()
    try:
        setattr(one, name, layers[0].module)
        setattr(other, name, layers[1].module)
    except KeyError:
        return  # to refuse the name is the other way to keep the promise
    assert keys(one.load_state_dict(other.state_dict())) == ([], [])
    assert layers[0].readings() == layers[1].expected_readings()


# assign=True.


@clause(
    "load_state_dict/assign-takes-values-and-dtype-of-the-source",
    LOAD,
    "setting it to ``True`` preserves properties of the Tensors in the state dict.",
    since="2.1",
    needs=ASSIGN,
)
@given(blueprint=blueprints(), parameter=parameters(FLOATING), dtype=dtypes(FLOATING))
def test_assign_gives_the_module_the_properties_of_the_given_tensors(
    implementation, device, blueprint, parameter, dtype
):
    """After loading with assign=True, every entry of the module's state has the values and the dtype that were
    given."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    source = implementation.build(refilled(subject.blueprint, dtype), device)
    assert keys(subject.module.load_state_dict(source.module.state_dict(), assign=True)) == ([], [])
    assert contents(implementation, subject.module) == readings(source.model.state())


@clause(
    "load_state_dict/assign-shares-the-given-tensors",
    LOAD_OWN,
    "indicates whether keys should be assigned their corresponding tensor in the state_dict.",
    since="2.1",
    needs=ASSIGN,
)
@given(blueprint=blueprints(shared=False), parameter=parameters())
def test_assign_makes_the_given_tensors_the_modules_own(implementation, device, blueprint, parameter):
    """After loading with assign=True, the module's tensors are those of the given state_dict: a write into them is
    seen in the module."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    source = implementation.build(refilled(subject.blueprint), device)
    state = source.module.state_dict()
    subject.module.load_state_dict(state, assign=True)
    for key, tensor in subject.model.state().items():
        implementation.write(state[key], tensor.values())
    assert contents(implementation, subject.module) == readings(subject.model.state())


@clause(
    "load_state_dict/assign-takes-the-very-parameter",
    LOAD_OWN,
    "indicates whether keys should be assigned their corresponding tensor in the state_dict.",
    since="2.1",
    needs=(ASSIGN, "Module.state_dict(keep_vars)", "Parameter"),
)
@given(blueprint=blueprints(), parameter=parameters())
def test_assign_takes_parameters_of_the_state_dict_as_they_are(implementation, device, blueprint, parameter):
    """Where the entries are parameters and buffers, as state_dict(keep_vars=True) gives them, loading with assign=True
    makes those very objects the module's own."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    source = implementation.build(refilled(subject.blueprint), device)
    subject.module.load_state_dict(source.module.state_dict(keep_vars=True), assign=True)
    observed = subject.module.state_dict(keep_vars=True)
    assert source.named(observed.items()) == source.model.state_dict()


@clause(
    "load_state_dict/assign-keeps-requires_grad-of-the-module",
    LOAD,
    "The only exception is the ``requires_grad`` field of :class:`~torch.nn.Parameter` for which the value from the "
    "module is preserved.",
    since="2.3",
    needs=ASSIGN,
)
@given(blueprint=blueprints(), shape=shapes(), fill=fills())
def test_assign_keeps_the_requires_grad_that_parameters_of_the_module_have(
    implementation, device, blueprint, shape, fill
):
    """After loading with assign=True, each parameter of the module is a parameter still, and requires gradients
    exactly if it did before."""
    own = {"free": bp.Parameter(shape, fill=fill), "frozen": bp.Parameter(shape, fill=fill, requires_grad=False)}
    subject = implementation.build(extended(blueprint, **own), device)
    source = implementation.build(refilled(subject.blueprint), device)
    subject.module.load_state_dict(source.module.state_dict(), assign=True)
    tensors = subject.model.tensors()
    expected = {name: tensors[path].requires_grad for name, path in subject.model.named_parameters("", True, False)}
    observed = dict(subject.module.named_parameters(remove_duplicate=False))
    assert {name: implementation.requires_grad(parameter) for name, parameter in observed.items()} == expected


@clause(
    "load_state_dict/assign-of-one-module-binds-no-other",
    LOAD,
    "When set to ``False``, the properties of the tensors in the current module are preserved",
    since="2.1",
    needs=ASSIGN,
)
@given(blueprint=blueprints(), parameter=parameters(FLOATING), dtype=dtypes(FLOATING))
def test_a_state_dict_loaded_with_assign_is_copied_by_a_later_plain_load(
    implementation, device, blueprint, parameter, dtype
):
    """A state_dict that was loaded with assign=True into one module is copied, as any other, when it is loaded without
    assign into another, which keeps its tensors and their dtypes."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    source = implementation.build(refilled(subject.blueprint, dtype), device)
    state = source.module.state_dict()
    implementation.build(subject.blueprint, device).module.load_state_dict(state, assign=True)
    subject.module.load_state_dict(state)
    assert subject.named(subject.module.named_parameters()) == subject.model.named_parameters()
    assert subject.readings() == loaded(subject.model, source.model.state())


# Subclasses and hooks.


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
@given(blueprint=blueprints())
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
@given(blueprint=blueprints(shared=False), which=st.integers(0, 63))
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
@given(blueprint=blueprints())
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
@given(blueprint=blueprints(), parameter=parameters(), which=picks(), more=stranger_names(), fill=fills())
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
@given(blueprint=blueprints(), parameter=parameters(), which=picks(), more=stranger_names(), fill=fills())
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
@given(blueprint=blueprints(), which=st.integers(0, 63), missing=st.booleans(), key=names())
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
    module.register_load_state_dict_post_hook(lambda *given: result)
    with pytest.raises(AssertionError):
        nest(implementation.Module, names, module).load_state_dict({})


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
