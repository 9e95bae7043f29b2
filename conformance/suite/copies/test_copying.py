"""Copies of whole modules: copy.deepcopy and pickle keep everything a module is, and share nothing with it."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, clause, for_any_module, given
from conformance.language import blueprint as bp
from conformance.language.transform import extended, refilled
from conformance.model import reading
from conformance.model.files import ties
from conformance.model.state import state_readings
from strategies import blueprints, buffers, parameters

#: No docstring speaks of deepcopy of a module; that it is a module of its own is what PyTorch itself relies on.
DEEPCOPY = {
    "docs": "source:torch.optim.swa_utils.AveragedModel.__init__",
    "quote": "self.module = deepcopy(model)",
    "severity": OBSERVED,
}
#: What keeps ties: a parameter that was copied already is not copied again.
DEEPCOPY_ONCE = {
    "docs": "source:torch.nn.Parameter.__deepcopy__",
    "quote": "if id(self) in memo:",
    "severity": OBSERVED,
}
PICKLE = {
    "docs": "https://docs.pytorch.org/docs/stable/notes/serialization.html",
    "quote": "Custom data structures that include PyTorch tensors can also be saved if the data structure is "
    "pickle-able.",
}
EVERY_NAME = ("Module.named_parameters(remove_duplicate)", "Module.named_buffers(remove_duplicate)")

#: Kinds of hooks, those of a group in the order in which they fire, and what an implementation needs for them.
FORWARD = ("forward_pre", "forward")
BACKWARD = ("full_backward_pre", "full_backward")
STATE = ("state_dict_pre", "state_dict_post", "load_state_dict_pre", "load_state_dict_post")
BACKWARD_HOOKS = ("autograd", "Module.register_full_backward_pre_hook", "Module.register_full_backward_hook")
STATE_HOOKS = (
    "Module.register_state_dict_pre_hook",
    "Module.register_state_dict_post_hook",
    "Module.register_load_state_dict_pre_hook",
    "Module.register_load_state_dict_post_hook",
)
OPTIONS = (
    "Module.register_forward_pre_hook(with_kwargs)",
    "Module.register_forward_hook(with_kwargs)",
    "Module.register_forward_hook(always_call)",
)

#: What Noting hooks have written: copies of them write here too.
NOTES = []


class Noting:
    """A hook that can be pickled: it writes its name, its module and how much more it was given into NOTES."""

    def __init__(self, name):
        self.name = name

    def __call__(self, module, *arguments):
        NOTES.append((self.name, module, len(arguments)))


def run_forward(implementation, device, layer):
    """Call the layer."""
    layer(implementation.tensor([[0.5, 1.0]], "float32", device))


def run_backward(implementation, device, layer):
    """Call the layer and go back through it, to its input too."""
    x = implementation.parameter(implementation.tensor([[0.5, 1.0]], "float32", device))
    implementation.backward(layer(x))


def save_and_load(implementation, device, layer):
    """Load into the layer what it has saved."""
    layer.load_state_dict(layer.state_dict())


def add_hooks(module, kinds):
    """Register a Noting hook of each of these kinds."""
    for i, kind in enumerate(kinds):
        getattr(module, f"register_{kind}_hook")(Noting(f"{kind}{i}"))


def check_hooks(implementation, device, copied, kinds, use, order):
    """A copy runs the hooks that were on the module, of all kinds and in order, and the module none of the copy's."""
    module = implementation.build(bp.Module({"layer": bp.Linear(2, 2)}), device).module
    add_hooks(module.layer, kinds)
    clone = copied(module)
    expected = [f"{kind}{i}" for which in order for i, kind in enumerate(kinds) if kind == which]
    for layer in (clone.layer, module.layer):
        NOTES.clear()
        use(implementation, device, layer)
        assert [name for name, _, _ in NOTES] == expected
        assert all(told is layer for _, told, _ in NOTES)
        add_hooks(clone.layer, kinds)


def check_options(implementation, device, copied, pre_hooks, hooks):
    """The hooks of a copy get keyword arguments, and run when the call raises, as they were registered."""
    module = implementation.build(bp.Module({"layer": bp.Linear(2, 2)}), device).module
    for i, with_kwargs in enumerate(pre_hooks):
        module.layer.register_forward_pre_hook(Noting(f"forward_pre{i}"), with_kwargs=with_kwargs)
    for i, (with_kwargs, always_call) in enumerate(hooks):
        module.layer.register_forward_hook(Noting(f"forward{i}"), with_kwargs=with_kwargs, always_call=always_call)
    clone = copied(module)
    before = [(f"forward_pre{i}", 1 + with_kwargs) for i, with_kwargs in enumerate(pre_hooks)]
    after = [(f"forward{i}", 2 + with_kwargs, always_call) for i, (with_kwargs, always_call) in enumerate(hooks)]
    NOTES.clear()
    run_forward(implementation, device, clone.layer)
    assert [(name, given) for name, _, given in NOTES] == before + [(name, given) for name, given, _ in after]

    def fail(module, args):
        raise KeyError

    clone.layer.register_forward_pre_hook(fail)
    NOTES.clear()
    with pytest.raises(KeyError):
        run_forward(implementation, device, clone.layer)
    assert [(name, given) for name, _, given in NOTES] == before + [
        (name, given) for name, given, always_call in after if always_call
    ]


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
@for_any_module(blueprint=blueprints())
def test_a_deep_copy_has_the_names_values_and_flags_of_the_module(implementation, device, blueprint):
    """copy.deepcopy(module) has the same parameters and buffers in the same order: names, values, requires_grad."""
    subject = implementation.build(blueprint, device)
    check_content(implementation, copy.deepcopy(subject.module), subject.model)
    assert subject.portrait() == subject.expected_portrait()


@clause("copying/deepcopy-keeps-modes-and-attributes", **DEEPCOPY)
@for_any_module(blueprint=blueprints())
def test_a_deep_copy_keeps_classes_modes_and_plain_attributes(implementation, device, blueprint):
    """copy.deepcopy(module) keeps the class, the training flag and the plain attributes of every node; tensors among
    the attributes are copied."""
    subject = implementation.build(blueprint, device)
    check_modes_and_attributes(implementation, copy.deepcopy(subject.module), subject, subject.model)
    assert subject.portrait() == subject.expected_portrait()


@clause("copying/deepcopy-keeps-persistence", **DEEPCOPY)
@for_any_module(blueprint=blueprints(), parameter=parameters(("float32",)), buffer=buffers())
def test_the_state_dict_of_a_deep_copy_has_the_same_keys(implementation, device, blueprint, parameter, buffer):
    """The state_dict of copy.deepcopy(module) has the keys and values of the module's: buffers that were not persistent
    are not so in the copy."""
    members = {"kept": bp.Buffer(buffer.shape), "left": bp.Buffer(buffer.shape, persistent=False), "own": parameter}
    subject = implementation.build(extended(blueprint, **members), device)
    state = copy.deepcopy(subject.module).state_dict()
    assert list(state) == [key for key, _ in subject.model.state_dict()]
    assert {key: implementation.read(value) for key, value in state.items()} == state_readings(subject.model)
    assert subject.portrait() == subject.expected_portrait()


@clause("copying/deepcopy-keeps-ties", since="2.0", needs=EVERY_NAME, **DEEPCOPY_ONCE)
@for_any_module(blueprint=blueprints(), parameter=parameters(), buffer=buffers())
def test_tied_members_stay_tied_in_a_deep_copy(implementation, device, blueprint, parameter, buffer):
    """Parameters, buffers and modules under several names are one object under the same names in
    copy.deepcopy(module)."""
    subject = implementation.build(tied(blueprint, parameter, buffer), device)
    check_ties(copy.deepcopy(subject.module), subject.model)
    assert subject.portrait() == subject.expected_portrait()


@clause("copying/deepcopy-shares-nothing", **DEEPCOPY)
@for_any_module(blueprint=blueprints(), parameter=parameters(), buffer=buffers())
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
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "copying/deepcopy-keeps-hooks",
    needs=("Module.register_forward_pre_hook", "Module.register_forward_hook", "hooks.handle"),
    **DEEPCOPY,
)
@given(kinds=st.lists(st.sampled_from(FORWARD), min_size=1, max_size=4))
def test_a_deep_copy_has_the_hooks_of_the_module_as_its_own(implementation, device, kinds):
    """copy.deepcopy(module) runs the same hooks in the same order, and goes on doing so after they are removed from the
    module."""
    hooks = [bp.Hook(kind, f"{kind}{i}") for i, kind in enumerate(kinds)]
    subject = implementation.build(bp.Module({"layer": bp.Linear(2, 2, hooks=hooks)}), device)
    clone = copy.deepcopy(subject.module)
    x = implementation.tensor([[0.5, 1.0]], "float32", device)
    expected = [hook.name for kind in FORWARD for hook in hooks if hook.kind == kind]
    clone.layer(x)
    assert [name for name, _ in subject.log] == expected
    for handle in subject.handles.values():
        handle.remove()
    subject.module.layer(x)
    clone.layer(x)
    assert [name for name, _ in subject.log] == expected * 2


@clause("copying/deepcopy-keeps-hook-options", since="2.1", needs=OPTIONS, **DEEPCOPY)
@given(
    pre_hooks=st.lists(st.booleans(), max_size=3),
    hooks=st.lists(st.tuples(st.booleans(), st.booleans()), max_size=3),
)
def test_the_hooks_of_a_deep_copy_keep_their_options(implementation, device, pre_hooks, hooks):
    """copy.deepcopy(module) runs its forward pre-hooks and forward hooks with the options with_kwargs and
    always_call that they were registered with."""
    check_options(implementation, device, copy.deepcopy, pre_hooks, hooks)


@clause("copying/deepcopy-keeps-backward-hooks", since="2.0", needs=BACKWARD_HOOKS, **DEEPCOPY)
@given(kinds=st.lists(st.sampled_from(BACKWARD), min_size=1, max_size=4))
def test_a_deep_copy_has_the_backward_hooks_of_the_module(implementation, device, kinds):
    """copy.deepcopy(module) has the full backward pre-hooks and full backward hooks of the module, and calls
    them with itself."""
    check_hooks(implementation, device, copy.deepcopy, kinds, run_backward, BACKWARD)


@clause("copying/deepcopy-keeps-state_dict-hooks", since="2.5", needs=STATE_HOOKS, **DEEPCOPY)
@given(kinds=st.lists(st.sampled_from(STATE), min_size=1, max_size=6))
def test_a_deep_copy_has_the_state_dict_hooks_of_the_module(implementation, device, kinds):
    """copy.deepcopy(module) has the pre-hooks and post-hooks of state_dict() and load_state_dict() that the module
    has, and calls them with itself."""
    check_hooks(implementation, device, copy.deepcopy, kinds, save_and_load, STATE)


@clause(
    "copying/deepcopy-of-a-state_dict-is-a-snapshot",
    "torch.nn.Module.state_dict",
    "The returned object is a shallow copy. It contains references to the module's parameters and buffers.",
    needs="deepcopy",
)
@for_any_module(blueprint=blueprints(), parameter=parameters(("float32",)))
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
@for_any_module(blueprint=blueprints())
def test_an_unpickled_module_has_the_names_values_and_flags_it_had(implementation, device, blueprint):
    """A module that went through pickle has the same parameters and buffers in the same order: names, values,
    requires_grad."""
    subject = implementation.build(blueprint, device)
    check_content(implementation, pickled(subject.module), subject.model)
    assert subject.portrait() == subject.expected_portrait()


@clause("copying/pickle-keeps-modes-and-attributes", needs="pickle.module", **PICKLE)
@for_any_module(blueprint=blueprints())
def test_an_unpickled_module_keeps_classes_modes_and_plain_attributes(implementation, device, blueprint):
    """A module that went through pickle keeps the class, the training flag and the plain attributes of every node."""
    subject = implementation.build(blueprint, device)
    check_modes_and_attributes(implementation, pickled(subject.module), subject, subject.model)
    assert subject.portrait() == subject.expected_portrait()


@clause("copying/pickle-keeps-persistence", needs="pickle.module", **PICKLE)
@for_any_module(blueprint=blueprints(), parameter=parameters(("float32",)), buffer=buffers())
def test_the_state_dict_of_an_unpickled_module_has_the_same_keys(implementation, device, blueprint, parameter, buffer):
    """The state_dict of a module that went through pickle has the keys and values it had: buffers that were not
    persistent are not so now."""
    members = {"kept": bp.Buffer(buffer.shape), "left": bp.Buffer(buffer.shape, persistent=False), "own": parameter}
    subject = implementation.build(extended(blueprint, **members), device)
    state = pickled(subject.module).state_dict()
    assert list(state) == [key for key, _ in subject.model.state_dict()]
    assert {key: implementation.read(value) for key, value in state.items()} == state_readings(subject.model)
    assert subject.portrait() == subject.expected_portrait()


@clause("copying/pickle-keeps-ties", since="2.0", needs=("pickle.module", *EVERY_NAME), **PICKLE)
@for_any_module(blueprint=blueprints(), parameter=parameters(), buffer=buffers())
def test_tied_members_stay_tied_through_pickle(implementation, device, blueprint, parameter, buffer):
    """Parameters, buffers and modules under several names are one object under the same names after pickle."""
    subject = implementation.build(tied(blueprint, parameter, buffer), device)
    check_ties(pickled(subject.module), subject.model)
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "copying/pickle-keeps-hooks",
    needs=("pickle.module", "Module.register_forward_pre_hook", "Module.register_forward_hook"),
    **PICKLE,
)
@given(kinds=st.lists(st.sampled_from(FORWARD), min_size=1, max_size=4))
def test_an_unpickled_module_has_the_hooks_that_can_be_pickled(implementation, device, kinds):
    """A module that went through pickle runs copies of its hooks in the same order."""
    check_hooks(implementation, device, pickled, kinds, run_forward, FORWARD)


@clause("copying/pickle-keeps-hook-options", since="2.1", needs=("pickle.module", *OPTIONS), **PICKLE)
@given(
    pre_hooks=st.lists(st.booleans(), max_size=3),
    hooks=st.lists(st.tuples(st.booleans(), st.booleans()), max_size=3),
)
def test_the_hooks_of_an_unpickled_module_keep_their_options(implementation, device, pre_hooks, hooks):
    """A module that went through pickle runs its forward pre-hooks and forward hooks with the options with_kwargs and
    always_call that they were registered with."""
    check_options(implementation, device, pickled, pre_hooks, hooks)


@clause("copying/pickle-keeps-backward-hooks", since="2.0", needs=("pickle.module", *BACKWARD_HOOKS), **PICKLE)
@given(kinds=st.lists(st.sampled_from(BACKWARD), min_size=1, max_size=4))
def test_an_unpickled_module_has_the_backward_hooks_it_had(implementation, device, kinds):
    """A module that went through pickle has the full backward pre-hooks and full backward hooks that it had, and calls
    them with itself."""
    check_hooks(implementation, device, pickled, kinds, run_backward, BACKWARD)


@clause("copying/pickle-keeps-state_dict-hooks", since="2.5", needs=("pickle.module", *STATE_HOOKS), **PICKLE)
@given(kinds=st.lists(st.sampled_from(STATE), min_size=1, max_size=6))
def test_an_unpickled_module_has_the_state_dict_hooks_it_had(implementation, device, kinds):
    """A module that went through pickle has the pre-hooks and post-hooks of state_dict() and load_state_dict() that it
    had, and calls them with itself."""
    check_hooks(implementation, device, pickled, kinds, save_and_load, STATE)
