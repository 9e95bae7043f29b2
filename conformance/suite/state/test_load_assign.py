"""load_state_dict(assign=True): the given tensors become the module's own."""

from __future__ import annotations

from conformance.contract import clause, for_any_module
from conformance.language import blueprint as bp
from conformance.language.transform import FLOATING, extended, refilled
from conformance.model.state import loaded, readings
from conformance.suite.support.loading import contents, keys
from strategies import blueprints, dtypes, fills, parameters, shapes

LOAD = "torch.nn.Module.load_state_dict"
LOAD_OWN = "torch.nn.Module._load_from_state_dict"
ASSIGN = "Module.load_state_dict(assign)"


@clause(
    "load_state_dict/assign-takes-values-and-dtype-of-the-source",
    LOAD,
    "setting it to ``True`` preserves properties of the Tensors in the state dict.",
    since="2.1",
    needs=ASSIGN,
)
@for_any_module(blueprint=blueprints(), parameter=parameters(FLOATING), dtype=dtypes(FLOATING))
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
@for_any_module(blueprint=blueprints(shared=False), parameter=parameters())
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
@for_any_module(blueprint=blueprints(), parameter=parameters())
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
@for_any_module(blueprint=blueprints(), shape=shapes(), fill=fills())
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
@for_any_module(blueprint=blueprints(), parameter=parameters(FLOATING), dtype=dtypes(FLOATING))
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
