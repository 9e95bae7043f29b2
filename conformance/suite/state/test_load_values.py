"""load_state_dict(): which values it restores, and what it copies them into."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.contract import RECOMMENDED, clause, for_any_module
from conformance.language import blueprint as bp
from conformance.language.transform import FLOATING, extended, refilled
from conformance.model import reading
from conformance.model.state import loaded, readings
from conformance.suite.support.loading import keys
from strategies import blueprints, dtypes, parameters, tensors

LOAD = "torch.nn.Module.load_state_dict"
COPY = "Copy parameters and buffers from :attr:`state_dict` into this module and its descendants."


@clause("load_state_dict/round-trip-restores-every-value", LOAD, COPY)
@for_any_module(blueprint=blueprints())
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
@for_any_module(blueprint=blueprints(), turn=st.integers(0, 63))
def test_a_plain_dict_loads_whatever_the_order_of_its_entries(implementation, device, blueprint, turn):
    """A plain dict of the right keys loads like the state_dict it was made from, in whatever order its entries are."""
    subject = implementation.build(blueprint, device)
    source = implementation.build(refilled(blueprint), device)
    entries = list(source.module.state_dict().items())[::-1]
    entries = entries[turn:] + entries[:turn]
    assert keys(subject.module.load_state_dict(dict(entries))) == ([], [])
    assert subject.readings() == loaded(subject.model, source.model.state())


@clause("load_state_dict/copies-into-the-same-objects", LOAD, COPY)
@for_any_module(blueprint=blueprints())
def test_parameters_and_buffers_stay_the_same_objects(implementation, device, blueprint):
    """Loading copies values into the module's own parameters and buffers, which stay the same objects, under the same
    names and tied as before."""
    subject = implementation.build(blueprint, device)
    source = implementation.build(refilled(blueprint), device)
    subject.module.load_state_dict(source.module.state_dict())
    names = subject.named(subject.module.named_parameters()) + subject.named(subject.module.named_buffers())
    assert names == subject.model.named_parameters() + subject.model.named_buffers()


@clause("load_state_dict/copies-into-the-same-memory", LOAD, COPY)
@for_any_module(blueprint=blueprints(), parameter=parameters())
def test_loaded_values_show_in_a_state_dict_taken_before(implementation, device, blueprint, parameter):
    """Loading writes into the memory that the module's tensors have: a state_dict taken before shows the loaded
    values."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    source = implementation.build(refilled(subject.blueprint), device)
    before = subject.module.state_dict()
    subject.module.load_state_dict(source.module.state_dict())
    assert {key: implementation.read(value) for key, value in before.items()} == readings(source.model.state())


@clause("load_state_dict/source-is-copied-not-shared", LOAD, COPY)
@for_any_module(blueprint=blueprints(), parameter=parameters())
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
@for_any_module(blueprint=blueprints(), parameter=parameters(FLOATING), dtype=dtypes(FLOATING))
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
@for_any_module(blueprint=blueprints(), tensor=tensors())
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
