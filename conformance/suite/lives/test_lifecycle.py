"""A module through its life: any sequence of edits, copies and files, with the model mirrored step by step."""

from __future__ import annotations

import copy
import functools
import io
import pickle
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from conformance import model
from conformance.adapter.port import Implementation
from conformance.contract import clause, drawn
from conformance.language import blueprint as bp
from conformance.model import Reading
from strategies import buffers, names, parameters

INDEX = st.integers(0, 7)
CHILDREN = st.sampled_from(("Module", "ModuleList", "ModuleDict", "Sequential", "Identity"))
LISTS = ("ModuleList", "Sequential")


@clause(
    "lifecycle/every-sequence-of-edits-keeps-the-contract",
    "torch.nn.Module",
    "Modules can also contain other Modules, allowing them to be nested in a tree structure.",
    needs=("Module.train", "Sequential", "ModuleList", "ModuleDict", "Identity"),
)
def test_names_values_and_modes_follow_any_sequence_of_edits(implementation, device):
    """After any sequence of registering, replacing, deleting, list edits, mode changes, freezing, loading, saving, copying
    and pickling, the module's names, identities, values, modes and state_dict are those of the edits made."""

    def begin() -> Lifecycle:
        drawn["steps"] = []
        return Lifecycle(implementation, device)

    run_state_machine_as_test(begin, settings=settings())


def replay(implementation: Implementation, device: str, steps: list[tuple[str, dict[str, Any]]]) -> None:
    """The steps of one life, and the invariants at its end: what a failure shows as a script."""
    machine = Lifecycle(implementation, device)
    for name, arguments in steps:
        getattr(machine, name)(**arguments)
    for name in INVARIANTS:
        getattr(machine, name)()


test_names_values_and_modes_follow_any_sequence_of_edits.clause.function.replay = replay


def step(**strategies: Any) -> Callable[[Any], Any]:
    """A rule of the machine, of which a failure tells that it was taken, and with which arguments."""

    def mark(function: Any) -> Any:
        @functools.wraps(function)
        def recorded(self: Any, **arguments: Any) -> None:
            drawn["steps"].append((function.__name__, arguments))
            function(self, **arguments)

        return rule(**strategies)(recorded)

    return mark


def reserved(module: model.ModuleModel, name: str) -> bool:
    """Whether the name is kept for a buffer: it then takes nothing else."""
    return name in module.buffers_ and module.buffers_[name] is None


class Lifecycle(RuleBasedStateMachine):
    """One module and its model, edited alike. ``real`` maps each object of the model to the framework's."""

    def __init__(self, implementation: Implementation, device: str):
        super().__init__()
        self.implementation = implementation
        self.device = device
        self.copies = implementation.lacks("lifecycle.copies") is None
        self.growing = tuple(kind for kind in LISTS if implementation.lacks(f"{kind}.append") is None)
        self.count = 0
        self.root = model.ModuleModel(self.fresh(), "Module")
        self.real = {self.root: implementation.Module()}

    def fresh(self) -> str:
        self.count += 1
        return f"object {self.count}"

    def pick(self, index: int, kinds: tuple[str, ...] = ()) -> model.ModuleModel:
        """One of the tree's modules, of these kinds if any are given."""
        found = [module for module in self.root.modules() if not kinds or module.kind in kinds]
        return found[index % len(found)]

    def has(self, *kinds: str) -> bool:
        return any(module.kind in kinds for module in self.root.modules())

    def forget(self, module: model.ModuleModel, name: str) -> None:
        """A name given to a new kind of thing leaves the registry that had it."""
        for registry in (module.parameters_, module.buffers_, module.modules_):
            registry.pop(name, None)
        module.transient.discard(name)

    def restricted(self, member: bp.Member) -> bp.Member:
        """The member as a tree of this implementation may hold it."""
        return self.implementation.restrict(bp.Module({"own": member})).at("own")

    @step(where=INDEX, name=names(), parameter=parameters())
    def assign_a_parameter(self, where, name, parameter):
        module = self.pick(where)
        if (module.kind in LISTS and name.isdigit()) or reserved(module, name):
            return  # an indexed name belongs to the list
        parameter = self.restricted(parameter)
        tensor = model.TensorModel(
            self.fresh(), "parameter", parameter.shape, parameter.dtype, parameter.flat, parameter.differentiable
        )
        made = self.implementation.make(parameter, self.device)
        self.real[tensor] = self.implementation.parameter(made, parameter.differentiable)
        setattr(self.real[module], name, self.real[tensor])
        if name not in module.parameters_:
            self.forget(module, name)
        module.parameters_[name] = tensor

    @step(where=INDEX, name=names(), buffer=buffers())
    def register_a_buffer(self, where, name, buffer):
        module = self.pick(where)
        if name in {**module.parameters_, **module.modules_} or (module.kind in LISTS and name.isdigit()):
            return  # a name of another kind is refused
        buffer = self.restricted(buffer)
        tensor = model.TensorModel(self.fresh(), "buffer", buffer.shape, buffer.dtype, buffer.flat)
        self.real[tensor] = self.implementation.make(buffer, self.device)
        self.implementation.register_buffer(self.real[module], name, self.real[tensor], buffer.persistent)
        module.buffers_[name] = tensor
        (module.transient.discard if buffer.persistent else module.transient.add)(name)

    @step(where=INDEX, name=names(), kind=CHILDREN)
    def assign_a_child(self, where, name, kind):
        module = self.pick(where)
        if module.kind in LISTS or name in module.parameters_ or reserved(module, name):
            return
        child = model.ModuleModel(self.fresh(), kind)
        self.real[child] = getattr(self.implementation, kind)()
        setattr(self.real[module], name, self.real[child])
        if name not in module.modules_:
            self.forget(module, name)
        module.modules_[name] = child

    @step(where=INDEX, which=INDEX, name=names())
    def give_a_module_a_second_name(self, where, which, name):
        module, other = self.pick(where), self.pick(which)
        if module.kind in LISTS or module in other.modules() or name in {**module.parameters_, **module.buffers_}:
            return  # a module that holds itself has no finite tree
        setattr(self.real[module], name, self.real[other])
        module.modules_[name] = other

    @precondition(lambda self: self.has(*self.growing))
    @step(where=INDEX, kind=CHILDREN)
    def append_to_a_list(self, where, kind):
        module = self.pick(where, self.growing)
        child = model.ModuleModel(self.fresh(), kind)
        self.real[child] = getattr(self.implementation, kind)()
        self.real[module].append(self.real[child])
        module.modules_[str(len(module.modules_))] = child

    @precondition(lambda self: any(m.modules_ for m in self.root.modules() if m.kind in LISTS))
    @step(where=INDEX, which=INDEX)
    def delete_from_a_list(self, where, which):
        filled = [module for module in self.root.modules() if module.kind in LISTS and module.modules_]
        module = filled[where % len(filled)]
        index = which % len(module.modules_)
        del self.real[module][index]
        kept = list(module.modules_.values())
        del kept[index]
        module.modules_ = model.renumber(kept)

    @precondition(lambda self: self.registered())
    @step(which=INDEX)
    def delete_an_attribute(self, which):
        module, name = self.registered()[which % len(self.registered())]
        delattr(self.real[module], name)
        self.forget(module, name)

    @precondition(lambda self: self.registered())
    @step(which=INDEX)
    def assign_none(self, which):
        module, name = self.registered()[which % len(self.registered())]
        setattr(self.real[module], name, None)
        for registry in (module.parameters_, module.buffers_, module.modules_):
            if name in registry:
                registry[name] = None

    def registered(self) -> list[tuple[model.ModuleModel, str]]:
        """Every registered name, those of list items aside: their positions would be left with a hole."""
        return [
            (module, name)
            for module in self.root.modules()
            for name in (*module.parameters_, *module.buffers_, *module.modules_)
            if not (module.kind in LISTS and name in module.modules_)
        ]

    @step(where=INDEX, mode=st.booleans())
    def set_the_mode(self, where, mode):
        module = self.pick(where)
        self.real[module].train(mode)
        for below in module.modules():
            below.training = mode

    @step(where=INDEX)
    def freeze(self, where):
        module = self.pick(where)
        for parameter in self.real[module].parameters():
            parameter.requires_grad = False
        for tensor in module.tensors().values():
            if tensor.kind == "parameter":
                tensor.requires_grad = False

    def load(self, fill: int) -> dict[model.TensorModel, bp.Tensor]:
        """Load a state of other values; which, of each tensor."""
        state = self.root.state()
        others = {
            tensor: bp.Tensor(tensor.shape, tensor.dtype, fill + number)
            for number, tensor in enumerate(dict.fromkeys(state.values()))
        }
        given = self.real[self.root].state_dict()
        for key, tensor in state.items():
            given[key] = self.implementation.make(others[tensor], self.device)
        self.real[self.root].load_state_dict(given)
        return others

    @step(fill=st.integers(0, 30))
    def load_another_state(self, fill):
        for tensor, other in self.load(fill).items():
            tensor.flat = other.flat

    @precondition(lambda self: self.implementation.lacks("save") is None)
    @step(fill=st.integers(0, 30))
    def save_the_state_and_load_it_over_another(self, fill):
        file = io.BytesIO()
        self.implementation.save(self.real[self.root].state_dict(), file)
        self.load(fill)
        file.seek(0)
        self.real[self.root].load_state_dict(self.implementation.load(file))

    @precondition(lambda self: self.copies and self.implementation.lacks("deepcopy") is None)
    @step()
    def continue_with_a_deep_copy(self):
        self.adopt(copy.deepcopy(self.real[self.root]))

    @precondition(lambda self: self.copies and self.implementation.lacks("pickle.module") is None)
    @step()
    def continue_with_a_pickled_copy(self):
        self.adopt(pickle.loads(pickle.dumps(self.real[self.root])))

    def adopt(self, module: object) -> None:
        """Go on with a copy: each object of the model is now what stands under its first name in the copy."""
        old = set(map(id, self.real.values()))
        self.real = {self.root: module}
        for _, here in self.root.visits():
            for registry in (here.parameters_, here.buffers_, here.modules_):
                for name, thing in registry.items():
                    if thing is not None:
                        self.real.setdefault(thing, getattr(self.real[here], name))
        assert not old & set(map(id, self.real.values())), "the copy holds an object of the original"

    def named(self, pairs: object) -> model.Named:
        paths = {id(real): thing.path for thing, real in self.real.items()}
        return [(name, paths.get(id(thing), "unknown")) for name, thing in pairs]  # type: ignore[attr-defined]

    @invariant()
    def parameters_and_buffers_are_those_registered(self):
        module = self.real[self.root]
        assert self.named(module.named_parameters()) == self.root.named_parameters()
        assert self.named(module.named_buffers()) == self.root.named_buffers()

    @invariant()
    def modules_are_those_registered(self):
        assert self.named(self.real[self.root].named_modules()) == self.root.named_modules()

    @invariant()
    def the_state_dict_holds_the_values_under_their_names(self):
        state = self.real[self.root].state_dict()
        observed = {key: self.implementation.read(value) for key, value in state.items()}
        expected = {key: Reading(t.shape, t.dtype, t.flat) for key, t in self.root.state().items()}
        assert list(observed) == list(expected)
        assert observed == expected

    @invariant()
    def modes_are_those_set_last(self):
        observed = {module.path: self.real[module].training for module in self.root.modules()}
        assert observed == self.root.modes()

    @invariant()
    def gradients_are_wanted_where_they_were_asked_for(self):
        tensors = [tensor for tensor in self.root.tensors().values() if tensor.kind == "parameter"]
        observed = {t.path: self.implementation.requires_grad(self.real[t]) for t in tensors}
        assert observed == {t.path: t.requires_grad for t in tensors}


INVARIANTS = (
    "parameters_and_buffers_are_those_registered",
    "modules_are_those_registered",
    "the_state_dict_holds_the_values_under_their_names",
    "modes_are_those_set_last",
    "gradients_are_wanted_where_they_were_asked_for",
)
