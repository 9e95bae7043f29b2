"""Copies of whole modules: copy.deepcopy and pickle keep everything a module is, and share nothing with it."""

from __future__ import annotations

import copy
import pickle

from hypothesis import strategies as st

from conformance import blueprint as bp
from conformance.contract import OBSERVED, clause, given
from conformance.model import reading
from conformance.model.files import ties
from conformance.model.state import state_readings
from conformance.transform import extended, refilled
from strategies import blueprints, buffers, parameters

#: No docstring speaks of deepcopy; what parameters do in one is code.
DEEPCOPY = {"docs": "source:torch.nn.Parameter.__deepcopy__", "quote": "if id(self) in memo:", "severity": OBSERVED}
PICKLE = {
    "docs": "https://docs.pytorch.org/docs/stable/notes/serialization.html",
    "quote": "Custom data structures that include PyTorch tensors can also be saved if the data structure is "
    "pickle-able.",
}
EVERY_NAME = ("Module.named_parameters(remove_duplicate)", "Module.named_buffers(remove_duplicate)")

#: What Noting hooks have written: pickle makes new hooks, which write here too.
NOTES = []


class Noting:
    """A hook that can be pickled: it writes its name into NOTES."""

    def __init__(self, name):
        self.name = name

    def __call__(self, module, *arguments):
        NOTES.append(self.name)


def pickled(module):
    """The module after a journey through pickle."""
    return pickle.loads(pickle.dumps(module))


def check_content(implementation, module, model):
    """The module has the names, values and requires_grad that the model says, in that order."""
    tensors = model.tensors()
    for observed, expected in (
        (module.named_parameters(), model.named_parameters()),
        (module.named_buffers(), model.named_buffers()),
    ):
        assert [(name, implementation.read(t), implementation.requires_grad(t)) for name, t in observed] == [
            (name, reading(tensors[path]), tensors[path].requires_grad) for name, path in expected
        ]


def check_ties(module, model):
    """Under every name the module has the same object as under the first name that the model says."""
    for method in ("named_modules", "named_parameters", "named_buffers"):
        observed = [(name, id(thing)) for name, thing in getattr(module, method)(remove_duplicate=False)]
        assert ties(observed) == ties(getattr(model, method)(remove_duplicate=False))


def check_modes_and_attributes(implementation, module, original, model):
    """Every node has the class and the mode of the original's node, and its plain attributes."""
    nodes = dict(module.named_modules())
    assert list(nodes) == [name for name, _ in model.named_modules()]
    for name, path in model.named_modules():
        assert type(nodes[name]) is type(original[path])
        assert nodes[name].training is model.at(path).training
        for attribute, value in model.at(path).attributes.items():
            found = getattr(nodes[name], attribute)
            if isinstance(value, bp.Tensor):
                assert implementation.read(found) == reading(value)
                assert found is not getattr(original[path], attribute)
            else:
                assert found == value


def tied(blueprint, parameter, buffer):
    """The tree with a parameter, a buffer and a module more, each of them under two names."""
    return extended(
        blueprint,
        parameter1=parameter,
        parameter2=bp.Shared("parameter1"),
        buffer1=buffer,
        buffer2=bp.Shared("buffer1"),
        child1=bp.Module({"own": parameter, "again": bp.Shared("parameter1")}),
        child2=bp.Shared("child1"),
    )


@clause("copying/deepcopy-keeps-names-and-values", **DEEPCOPY)
@given(blueprint=blueprints())
def test_a_deep_copy_has_the_names_values_and_flags_of_the_module(implementation, device, blueprint):
    """copy.deepcopy(module) has the same parameters and buffers in the same order: names, values, requires_grad."""
    subject = implementation.build(blueprint, device)
    check_content(implementation, copy.deepcopy(subject.module), subject.model)


@clause("copying/deepcopy-keeps-modes-and-attributes", **DEEPCOPY)
@given(blueprint=blueprints())
def test_a_deep_copy_keeps_classes_modes_and_plain_attributes(implementation, device, blueprint):
    """copy.deepcopy(module) keeps the class, the training flag and the plain attributes of every node; tensors among
    the attributes are copied."""
    subject = implementation.build(blueprint, device)
    check_modes_and_attributes(implementation, copy.deepcopy(subject.module), subject, subject.model)


@clause("copying/deepcopy-keeps-persistence", **DEEPCOPY)
@given(blueprint=blueprints(), parameter=parameters(("float32",)), buffer=buffers())
def test_the_state_dict_of_a_deep_copy_has_the_same_keys(implementation, device, blueprint, parameter, buffer):
    """The state_dict of copy.deepcopy(module) has the keys and values of the module's: buffers that were not persistent
    are not so in the copy."""
    members = {"kept": bp.Buffer(buffer.shape), "left": bp.Buffer(buffer.shape, persistent=False), "own": parameter}
    subject = implementation.build(extended(blueprint, **members), device)
    state = copy.deepcopy(subject.module).state_dict()
    assert list(state) == [key for key, _ in subject.model.state_dict()]
    assert {key: implementation.read(value) for key, value in state.items()} == state_readings(subject.model)


@clause("copying/deepcopy-keeps-ties", since="2.0", needs=EVERY_NAME, **DEEPCOPY)
@given(blueprint=blueprints(), parameter=parameters(), buffer=buffers())
def test_tied_members_stay_tied_in_a_deep_copy(implementation, device, blueprint, parameter, buffer):
    """Parameters, buffers and modules under several names are one object under the same names in
    copy.deepcopy(module)."""
    subject = implementation.build(tied(blueprint, parameter, buffer), device)
    check_ties(copy.deepcopy(subject.module), subject.model)


@clause("copying/deepcopy-shares-nothing", **DEEPCOPY)
@given(blueprint=blueprints(), parameter=parameters(), buffer=buffers())
def test_a_deep_copy_shares_no_object_and_no_storage_with_the_module(
    implementation, device, blueprint, parameter, buffer
):
    """No module, parameter or buffer of copy.deepcopy(module) is one of the module's, and writing into those of the
    copy leaves the module's as they are."""
    subject = implementation.build(tied(blueprint, parameter, buffer), device)
    clone = copy.deepcopy(subject.module)
    own = [*subject.module.modules(), *subject.module.parameters(), *subject.module.buffers()]
    copies = [*clone.modules(), *clone.parameters(), *clone.buffers()]
    assert {id(thing) for thing in own}.isdisjoint(map(id, copies))
    other = implementation.build(refilled(tied(blueprint, parameter, buffer)), device)
    for (_, path), tensor in zip(other.model.named_parameters(), clone.parameters(), strict=True):
        implementation.write(tensor, other.model.tensors()[path].values())
    for (_, path), tensor in zip(other.model.named_buffers(), clone.buffers(), strict=True):
        implementation.write(tensor, other.model.tensors()[path].values())
    check_content(implementation, clone, other.model)
    check_content(implementation, subject.module, subject.model)


@clause(
    "copying/deepcopy-keeps-hooks",
    needs=("Module.register_forward_pre_hook", "Module.register_forward_hook", "hooks.handle"),
    **DEEPCOPY,
)
@given(kinds=st.lists(st.sampled_from(("forward_pre", "forward")), min_size=1, max_size=4))
def test_a_deep_copy_has_the_hooks_of_the_module_as_its_own(implementation, device, kinds):
    """copy.deepcopy(module) runs the same hooks in the same order, and goes on doing so after they are removed from the
    module."""
    hooks = [bp.Hook(kind, f"{kind}{i}") for i, kind in enumerate(kinds)]
    subject = implementation.build(bp.Module({"layer": bp.Linear(2, 2, hooks=hooks)}), device)
    clone = copy.deepcopy(subject.module)
    x = implementation.tensor([[0.5, 1.0]], "float32", device)
    expected = [hook.name for kind in ("forward_pre", "forward") for hook in hooks if hook.kind == kind]
    clone.layer(x)
    assert [name for name, _ in subject.log] == expected
    for handle in subject.handles.values():
        handle.remove()
    subject.module.layer(x)
    clone.layer(x)
    assert [name for name, _ in subject.log] == expected * 2


@clause(
    "copying/deepcopy-of-a-state_dict-is-a-snapshot",
    "torch.nn.Module.state_dict",
    "The returned object is a shallow copy. It contains references to the module's parameters and buffers.",
    needs="deepcopy",
)
@given(blueprint=blueprints(), parameter=parameters(("float32",)))
def test_a_state_dict_follows_the_module_and_its_deep_copy_does_not(implementation, device, blueprint, parameter):
    """What is written into the module shows in its state_dict, and not in a deep copy made of that before."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    state = subject.module.state_dict()
    snapshot = copy.deepcopy(state)
    shape = subject.model.tensors()[subject.key("own")].shape
    other = bp.Tensor(shape, "float32", parameter.fill + 1)
    implementation.write(subject["own"], other.values())
    assert implementation.read(state[subject.key("own")]) == reading(other)
    assert {key: implementation.read(value) for key, value in snapshot.items()} == state_readings(subject.model)


@clause("copying/pickle-keeps-names-and-values", needs="pickle.module", **PICKLE)
@given(blueprint=blueprints())
def test_an_unpickled_module_has_the_names_values_and_flags_it_had(implementation, device, blueprint):
    """A module that went through pickle has the same parameters and buffers in the same order: names, values,
    requires_grad."""
    subject = implementation.build(blueprint, device)
    check_content(implementation, pickled(subject.module), subject.model)


@clause("copying/pickle-keeps-modes-and-attributes", needs="pickle.module", **PICKLE)
@given(blueprint=blueprints())
def test_an_unpickled_module_keeps_classes_modes_and_plain_attributes(implementation, device, blueprint):
    """A module that went through pickle keeps the class, the training flag and the plain attributes of every node."""
    subject = implementation.build(blueprint, device)
    check_modes_and_attributes(implementation, pickled(subject.module), subject, subject.model)


@clause("copying/pickle-keeps-persistence", needs="pickle.module", **PICKLE)
@given(blueprint=blueprints(), parameter=parameters(("float32",)), buffer=buffers())
def test_the_state_dict_of_an_unpickled_module_has_the_same_keys(implementation, device, blueprint, parameter, buffer):
    """The state_dict of a module that went through pickle has the keys and values it had: buffers that were not
    persistent are not so now."""
    members = {"kept": bp.Buffer(buffer.shape), "left": bp.Buffer(buffer.shape, persistent=False), "own": parameter}
    subject = implementation.build(extended(blueprint, **members), device)
    state = pickled(subject.module).state_dict()
    assert list(state) == [key for key, _ in subject.model.state_dict()]
    assert {key: implementation.read(value) for key, value in state.items()} == state_readings(subject.model)


@clause("copying/pickle-keeps-ties", since="2.0", needs=("pickle.module", *EVERY_NAME), **PICKLE)
@given(blueprint=blueprints(), parameter=parameters(), buffer=buffers())
def test_tied_members_stay_tied_through_pickle(implementation, device, blueprint, parameter, buffer):
    """Parameters, buffers and modules under several names are one object under the same names after pickle."""
    subject = implementation.build(tied(blueprint, parameter, buffer), device)
    check_ties(pickled(subject.module), subject.model)


@clause(
    "copying/pickle-keeps-hooks",
    needs=("pickle.module", "Module.register_forward_pre_hook", "Module.register_forward_hook"),
    **PICKLE,
)
@given(kinds=st.lists(st.sampled_from(("forward_pre", "forward")), min_size=1, max_size=4))
def test_an_unpickled_module_has_the_hooks_that_can_be_pickled(implementation, device, kinds):
    """A module that went through pickle runs copies of its hooks in the same order."""
    subject = implementation.build(bp.Module({"layer": bp.Linear(2, 2)}), device)
    for i, kind in enumerate(kinds):
        getattr(subject["layer"], f"register_{kind}_hook")(Noting(f"{kind}{i}"))
    clone = pickled(subject.module)
    NOTES.clear()
    clone.layer(implementation.tensor([[0.5, 1.0]], "float32", device))
    named = [(kind, f"{kind}{i}") for i, kind in enumerate(kinds)]
    assert NOTES == [name for which in ("forward_pre", "forward") for kind, name in named if kind == which]
