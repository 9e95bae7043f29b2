"""state_dict(): which entries it has, in which order, and what their values are."""

from __future__ import annotations

import warnings
from collections import OrderedDict

from hypothesis import strategies as st

from conformance import model
from conformance.contract import OBSERVED, RECOMMENDED, clause, for_any_module, given
from conformance.language import blueprint as bp
from conformance.language.transform import extended, refilled
from conformance.model.state import chosen, readings
from conformance.suite.support.nesting import nest
from conformance.suite.support.registering import register
from strategies import blueprints, fills, parameters
from strategies.state import name_paths, picks

STATE_DICT = "torch.nn.Module.state_dict"
NOTE = "https://docs.pytorch.org/docs/stable/notes/serialization.html"


@clause(
    "state_dict/parameters-and-persistent-buffers",
    STATE_DICT,
    "Both parameters and persistent buffers (e.g. running averages) are included. Keys are corresponding parameter and "
    "buffer names.",
)
@for_any_module(blueprint=blueprints())
def test_state_dict_has_a_key_for_every_name_of_a_parameter_or_persistent_buffer(implementation, device, blueprint):
    """The keys of state_dict() are exactly the dotted names of the parameters and persistent buffers of the tree; a
    shared one is there under every name."""
    subject = implementation.build(blueprint, device)
    assert sorted(subject.module.state_dict()) == sorted(key for key, _ in subject.model.state_dict())
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "state_dict/keys-follow-registration-order",
    NOTE,
    "OrderedDict([('weight', tensor([1., 1., 1.])), ('bias', tensor([0., 0., 0.])), ('running_mean', tensor([0., 0., "
    "0.]))",
    severity=RECOMMENDED,
)
@for_any_module(blueprint=blueprints())
def test_keys_are_own_parameters_then_own_buffers_then_those_of_each_child(implementation, device, blueprint):
    """state_dict() lists a module's own parameters, then its own buffers, then the entries of each child, each in
    registration order."""
    subject = implementation.build(blueprint, device)
    assert list(subject.module.state_dict()) == [key for key, _ in subject.model.state_dict()]
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "state_dict/values-are-those-of-the-tensors",
    STATE_DICT,
    "Return a dictionary containing references to the whole state of the module.",
)
@for_any_module(blueprint=blueprints())
def test_every_entry_holds_shape_dtype_and_values_of_its_tensor(implementation, device, blueprint):
    """Every entry of state_dict() has the shape, dtype and values of the parameter or buffer of that name."""
    subject = implementation.build(blueprint, device)
    observed = {key: implementation.read(value) for key, value in subject.module.state_dict().items()}
    assert observed == readings(subject.model.state())
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "state_dict/non_persistent-buffers-absent",
    "torch.nn.Module.register_buffer",
    "The only difference between a persistent buffer and a non-persistent buffer is that the latter will not be a "
    "part of this module's :attr:`state_dict`.",
    since="1.6",
    needs="Module.register_buffer(persistent)",
)
@for_any_module(blueprint=blueprints(), fill=fills(), names=name_paths())
def test_a_non_persistent_buffer_is_not_in_the_state_dict(implementation, device, blueprint, fill, names):
    """A buffer registered with persistent=False is an attribute and in buffers() as any other, but not part of the
    state_dict of its module, nor of any module above."""
    subject = implementation.build(blueprint, device)
    buffer = implementation.make(bp.Tensor((2,), fill=fill), device)
    implementation.register_buffer(subject.module, "own_buffer", buffer, persistent=False)
    assert subject.module.own_buffer is buffer
    assert any(one is buffer for one in subject.module.buffers())
    root = nest(implementation.Module, names, subject.module)
    prefix = "".join(f"{name}." for name in names)
    assert sorted(root.state_dict()) == sorted(key for key, _ in subject.model.state_dict(prefix))


@clause(
    "state_dict/none-entries-absent",
    STATE_DICT,
    "Parameters and buffers set to ``None`` are not included.",
)
@for_any_module(blueprint=blueprints(), parameter=parameters(), fill=fills())
def test_parameters_and_buffers_set_to_none_are_not_included(implementation, device, blueprint, parameter, fill):
    """A parameter or buffer that is registered as None, or set to None later, reads None and is in neither
    parameters() nor buffers() nor state_dict()."""
    slots = {"no_parameter": bp.Empty("parameter"), "no_buffer": bp.Empty("buffer")}
    tensors = {"own_parameter": parameter, "own_buffer": bp.Buffer((2,), fill=fill)}
    subject = implementation.build(extended(blueprint, **slots, **tensors), device)
    module, own = subject[subject.below], (subject.key("own_parameter"), subject.key("own_buffer"))
    expected = {key for key, _ in subject.model.state_dict()}
    assert set(subject.module.state_dict()) == expected
    register(implementation, module, "parameter", "none_parameter", None)
    register(implementation, module, "buffer", "none_buffer", None)
    assert [module.none_parameter, module.none_buffer] == [None, None]
    module.own_parameter = None
    module.own_buffer = None
    assert [module.own_parameter, module.own_buffer] == [None, None]
    assert set(subject.module.state_dict()) == expected - set(own)
    for kind in ("parameters", "buffers"):
        listed = [name for name, _ in getattr(subject.module, f"named_{kind}")()]
        known = [name for name, _ in getattr(subject.model, f"named_{kind}")()]
        assert sorted(listed) == sorted(name for name in known if name not in own)


@clause(
    "state_dict/values-alias-the-module",
    STATE_DICT,
    "The returned object is a shallow copy. It contains references to the module's parameters and buffers.",
)
@for_any_module(blueprint=blueprints(), parameter=parameters())
def test_a_write_into_the_module_shows_in_the_state_dict_and_back(implementation, device, blueprint, parameter):
    """The values of state_dict() share memory with the module's tensors: a write into one is seen in the other."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    state = subject.module.state_dict()
    other = model.of(refilled(subject.blueprint))
    for path, tensor in other.tensors().items():
        implementation.write(subject[path], tensor.values())
    assert {key: implementation.read(value) for key, value in state.items()} == readings(other.state())
    for key, tensor in subject.model.state().items():
        implementation.write(state[key], tensor.values())
    saved = {path for _, path in subject.model.state_dict()}
    assert {path: implementation.read(subject[path]) for path in saved} == {
        path: reading for path, reading in subject.expected_readings().items() if path in saved
    }


@clause(
    "state_dict/entries-may-be-edited",
    STATE_DICT,
    "The returned object is a shallow copy.",
)
@for_any_module(blueprint=blueprints(), parameter=parameters(), which=picks(), fill=fills())
def test_editing_the_dictionary_leaves_the_module_as_it_is(implementation, device, blueprint, parameter, which, fill):
    """Removing, replacing and adding entries of the returned dictionary changes nothing in the module."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    state = subject.module.state_dict()
    for key in chosen(state, which):
        state[key] = implementation.make(bp.Tensor((2,), fill=fill), device)
    state["absent"] = state.pop(subject.key("own"))
    assert subject.named(subject.module.named_parameters()) == subject.model.named_parameters()
    observed = {key: implementation.read(value) for key, value in subject.module.state_dict().items()}
    assert observed == readings(subject.model.state())
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "state_dict/values-are-detached",
    STATE_DICT,
    "by default the :class:`~torch.Tensor` s returned in the state dict are detached from autograd.",
)
@for_any_module(blueprint=blueprints(), fill=fills())
def test_by_default_no_value_requires_gradients(implementation, device, blueprint, fill):
    """By default no value of state_dict() requires gradients, while the module's parameters still do."""
    subject = implementation.build(extended(blueprint, own=bp.Parameter((2,), fill=fill)), device)
    state = subject.module.state_dict()
    assert [key for key, value in state.items() if implementation.requires_grad(value)] == []
    assert implementation.requires_grad(subject["own"])
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "state_dict/keep_vars-gives-the-own-objects",
    STATE_DICT,
    "If it's set to ``True``, detaching will not be performed.",
    needs="Module.state_dict(keep_vars)",
)
@for_any_module(blueprint=blueprints())
def test_keep_vars_gives_the_parameters_and_buffers_themselves(implementation, device, blueprint):
    """The values of state_dict(keep_vars=True) are the module's own parameters and buffers, the very objects."""
    subject = implementation.build(blueprint, device)
    assert sorted(subject.named(subject.module.state_dict(keep_vars=True).items())) == sorted(
        subject.model.state_dict()
    )
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "state_dict/prefix-before-every-key",
    STATE_DICT,
    "a prefix added to parameter and buffer names to compose the keys in state_dict.",
    needs="Module.state_dict(prefix)",
)
@for_any_module(
    blueprint=blueprints(), prefix=st.sampled_from(("", "a", "a.", "module.", "model.encoder.0.", "weight"))
)
def test_prefix_is_put_literally_before_every_key(implementation, device, blueprint, prefix):
    """state_dict(prefix=p) puts p, as it stands, before every key; a dot after it must be part of it."""
    subject = implementation.build(blueprint, device)
    observed = subject.module.state_dict(prefix=prefix)
    assert sorted(observed) == sorted(prefix + key for key, _ in subject.model.state_dict())
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "state_dict/destination-is-updated-and-returned",
    STATE_DICT,
    "If provided, the state of module will be updated into the dict and the same object is returned.",
    since="1.12",
    needs="Module.state_dict(destination)",
)
@for_any_module(blueprint=blueprints(), parameter=parameters(), ordered=st.booleans())
def test_destination_is_updated_and_returned(implementation, device, blueprint, parameter, ordered):
    """state_dict(destination=d) writes the entries into d, over entries of equal key, keeps d's others, and returns
    d."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    stale = implementation.make(bp.Tensor((7,)), device)
    destination = (OrderedDict if ordered else dict)({"absent": "kept", subject.key("own"): stale})
    assert subject.module.state_dict(destination=destination) is destination
    assert destination.pop("absent") == "kept"
    assert {key: implementation.read(value) for key, value in destination.items()} == readings(subject.model.state())
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "state_dict/new-ordered_dict-by-default",
    STATE_DICT,
    "Otherwise, an ``OrderedDict`` will be created and returned.",
)
@for_any_module(blueprint=blueprints())
def test_without_destination_each_call_returns_a_new_ordered_dict(implementation, device, blueprint):
    """Without destination, each call of state_dict() returns a new OrderedDict."""
    subject = implementation.build(blueprint, device)
    first, second = subject.module.state_dict(), subject.module.state_dict()
    assert isinstance(first, OrderedDict)
    assert first is not second and list(first) == list(second)
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "state_dict/positional-arguments-in-order",
    STATE_DICT,
    "Currently ``state_dict()`` also accepts positional arguments for ``destination``, ``prefix`` and ``keep_vars`` "
    "in order.",
    needs=("Module.state_dict(destination)", "Module.state_dict(prefix)", "Module.state_dict(keep_vars)"),
)
@for_any_module(blueprint=blueprints(), keep_vars=st.booleans(), prefix=st.sampled_from(("", "a.")))
def test_positional_arguments_are_destination_prefix_keep_vars(implementation, device, blueprint, keep_vars, prefix):
    """state_dict(d, p, k) does what state_dict(destination=d, prefix=p, keep_vars=k) does."""
    subject = implementation.build(blueprint, device)
    destination = OrderedDict()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the form is deprecated, and may say so
        assert subject.module.state_dict(destination, prefix, keep_vars) is destination
    assert sorted(destination) == sorted(key for key, _ in subject.model.state_dict(prefix))
    followed = {key for key, value in destination.items() if implementation.requires_grad(value)}
    expected = {prefix + key for key, tensor in subject.model.state().items() if tensor.requires_grad}
    assert followed == (expected if keep_vars else set())
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "state_dict/save_to_state_dict-of-subclasses",
    "torch.nn.Module._save_to_state_dict",
    "In rare cases, subclasses can achieve class-specific behavior by overriding this method with custom logic.",
    needs="Module._save_to_state_dict",
)
@given(names=name_paths(), parameter=parameters(), fill=fills())
def test_a_subclass_may_write_its_own_entries_into_the_state_dict(implementation, device, names, parameter, fill):
    """Where a subclass overrides _save_to_state_dict(destination, prefix, keep_vars), state_dict() holds what it
    writes, at any depth."""

    class Net(implementation.Module):
        def _save_to_state_dict(self, destination, prefix, keep_vars):
            super()._save_to_state_dict(destination, prefix, keep_vars)
            destination[prefix + "more"] = more

    parameter = implementation.restrict(parameter)
    more = implementation.make(bp.Tensor((2,), fill=fill), device)
    module = Net()
    module.own = implementation.parameter(implementation.make(parameter, device), parameter.differentiable)
    state = nest(implementation.Module, names, module).state_dict()
    prefix = "".join(f"{name}." for name in names)
    assert sorted(state) == [f"{prefix}more", f"{prefix}own"]
    assert state[f"{prefix}more"] is more


@clause(
    "state_dict/metadata-holds-every-version",
    "source:torch.nn.Module.state_dict",
    "destination._metadata[prefix[:-1]] = local_metadata",
    severity=OBSERVED,
    needs="Module._version",
)
@for_any_module(blueprint=blueprints())
def test_the_metadata_of_a_state_dict_names_the_version_of_every_module(implementation, device, blueprint):
    """The attribute _metadata of a state_dict holds, under the dotted name of every module, its class's _version."""
    subject = implementation.build(blueprint, device)
    metadata = getattr(subject.module.state_dict(), "_metadata", {})
    expected = {name: subject[module.path]._version for name, module in subject.model.walk()}
    assert {name: entry["version"] for name, entry in metadata.items()} == expected
    assert subject.portrait() == subject.expected_portrait()
