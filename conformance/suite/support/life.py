"""The life of a module as it is lived: the module and its model, edited alike and compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from conformance.language import blueprint as bp
from conformance.model import ModuleModel, TensorModel, reading

if TYPE_CHECKING:
    from conformance.adapter.port import Implementation

#: The longest list of all paths to modules. A module that has two names, in one that has two names, ..., has many.
ROOM = 24

#: Containers of modules by position, and what holds members under names of its own alone.
LISTS = ("ModuleList", "Sequential")
DICTS = ("ModuleDict", "ParameterDict")
PARAMETERS = ("ParameterList", "ParameterDict")

#: Under which name the root holds what a step needs and makes for itself; no name that is drawn.
MADE = {
    "Identity": "identity",
    "Sequential": "chain",
    "ModuleList": "items",
    "ModuleDict": "entries",
    "ParameterList": "values",
    "ParameterDict": "table",
}

#: The methods behind what is done to containers, where the API has it under another name. Deletion from a Sequential
#: numbers what is left anew since it has pop().
METHODS = {
    ("set_item", ""): "__setitem__",
    ("take_slice", ""): "__getitem__",
    ("delete_item", "ModuleList"): "__delitem__",
    ("delete_item", "Sequential"): "pop",
    ("pop_item", ""): "pop",
    ("set_key", ""): "__setitem__",
    ("update_keys", ""): "update",
    ("delete_key", ""): "__delitem__",
    ("pop_key", ""): "pop",
    ("clear_keys", ""): "clear",
}
#: What no documentation says of these containers: clauses of their own observe it in PyTorch.
UNDOCUMENTED = (
    ("pop_item", "ModuleList"),
    ("set_item", "Sequential"),
    ("delete_item", "Sequential"),
    ("take_slice", "Sequential"),
)


def begin(implementation: Implementation, device: str) -> Life:
    """A life that begins with an empty Module."""
    names, fired = {}, []

    def path(thing: Any) -> str:
        return names.get(id(thing), "an object that was not registered")

    def record(hook: str) -> None:
        fired.append(hook)

    return Life(implementation, device, names, path, fired, record)


class Life:
    """One module and its model.

    Attributes:
        root: the model.
        real: the framework's object (a module, a parameter or buffer, a handle) for each of the model's and each hook.
        names: what each of them is called, by id; ``path`` says it of any object.
        fired: what the hooks wrote; ``record`` writes it.
    """

    def __init__(self, implementation: Implementation, device: str, names: Any, path: Any, fired: Any, record: Any):
        self.implementation = implementation
        self.device = device
        self.names = names
        self.path = path
        self.fired = fired
        self.record = record
        self.count = 0
        self.iterated = ("ModuleList", "ParameterList", *(LISTS if implementation.held_to_observed else ()))
        self.keyed = [kind for kind in DICTS if not self.lacks(f"{kind}.items")]
        self.root = ModuleModel(self.fresh("Module"), "Module")
        self.real = {self.root: implementation.Module()}
        self.name(self.root)

    def fresh(self, kind: str) -> str:
        """What a new object is called."""
        self.count += 1
        return f"{kind.lower()} {self.count}"

    def name(self, thing: Any) -> None:
        """Note what the framework's object is called."""
        self.names[id(self.real[thing])] = thing.path

    def lacks(self, *capabilities: str) -> bool:
        """Whether the implementation has not all of these."""
        return any(self.implementation.lacks(capability) is not None for capability in capabilities)

    # --- what is there ---------------------------------------------------------------------------------------------

    def pick(self, where: int) -> ModuleModel:
        """One of the modules whose attributes can be registered."""
        found = [module for module in self.root.modules() if module.kind not in PARAMETERS]
        return found[where % len(found)]

    def taking(self, step: str, kinds: Sequence[str]) -> list[str]:
        """Those of these kinds of containers with which the step can be taken."""
        held = self.implementation.held_to_observed
        return [
            kind
            for kind in kinds
            if not self.lacks(f"{kind}.{METHODS.get((step, kind), METHODS.get((step, ''), step))}")
            and (held or (step, kind) not in UNDOCUMENTED)
        ]

    def container(self, where: int, kinds: Sequence[str]) -> ModuleModel | None:
        """One of the containers of these kinds, one with something in it if there is; a new child of the root if there
        is none. None where that cannot be."""
        every = [each for each in self.root.modules() if each.kind in kinds and positioned(each)]
        found = [each for each in every if held(each)] or every
        if found or not kinds or not self.has_room(self.root):
            return found[where % len(found)] if found else None
        made = self.make(bp.Blueprint(kinds[where % len(kinds)]))
        self.assign(self.root, MADE[made.kind], made)
        return made

    def filled(self, where: int, kinds: Sequence[str]) -> ModuleModel | None:
        """The same, in which there are two things at least, if only since now."""
        found = self.container(where, kinds)
        for name in ("0", "1") if found is not None else ():
            if len(held(found)) < 2 and self.has_room(found):
                self.fill(found, name)
        return found if found is not None and held(found) else None

    def fill(self, container: ModuleModel, name: str) -> None:
        """Put something new at the end of a list, or under that name into a dict unless the name is taken."""
        if self.lacks(f"{container.kind}.append") if container.kind in bp.INDEXED else not free(container, name):
            return
        thing = self.make(bp.Parameter((2,)) if container.kind in PARAMETERS else bp.Identity())
        if container.kind in bp.INDEXED:
            self.real[container].append(self.real[thing])
            keep(container, str(len(held(container))), thing)
        else:
            self.real[container][name] = self.real[thing]
            keep(container, name, thing)

    def runs(self, where: int) -> ModuleModel | None:
        """One of the modules that can be called, one with hooks if there is; a new child of the root if there is none."""
        every = [module for module in self.root.modules() if can_run(module)]
        found = [module for module in every if any(each.hooks for each in module.modules())] or every
        if found or not self.has_room(self.root):
            return found[where % len(found)] if found else None
        made = self.make(bp.Identity())
        self.assign(self.root, MADE["Identity"], made)
        return made

    def has_room(self, module: ModuleModel, *things: Any) -> bool:
        """Whether the tree stays small if the module holds these as well, or one new thing."""
        paths = [each for _, each in self.root.walk()]
        more = sum(len(list(thing.walk())) for thing in things if isinstance(thing, ModuleModel))
        return len(paths) + paths.count(module) * max(more, 1) <= ROOM

    def registered(self) -> list[tuple[ModuleModel, str]]:
        """Every registered name, those of containers' own items aside."""
        return [
            (module, name)
            for module in self.root.modules()
            if module.kind not in PARAMETERS
            for name in (*module.parameters_, *module.buffers_, *module.modules_)
            if not (module.kind in (*LISTS, "ModuleDict") and name in module.modules_)
        ]

    # --- what is done ----------------------------------------------------------------------------------------------

    def make(self, what: bp.Blueprint | bp.Tensor) -> Any:
        """The model of a new module, parameter or buffer; ``real`` has the thing itself."""
        if isinstance(what, bp.Blueprint):
            kind = "Module" if self.lacks(what.kind) else what.kind
            module = ModuleModel(self.fresh(kind), kind)
            self.real[module] = getattr(self.implementation, kind)()
            self.name(module)
            return module
        member = self.restricted(what)
        if isinstance(member, bp.Buffer):
            buffer = TensorModel(self.fresh("Buffer"), "buffer", member.shape, member.dtype, member.flat)
            self.real[buffer] = self.implementation.make(member, self.device)
            self.name(buffer)
            return buffer
        differentiable, held = member.differentiable, (member.shape, member.dtype, member.flat)
        parameter = TensorModel(self.fresh("Parameter"), "parameter", *held, differentiable)
        tensor = self.implementation.make(member, self.device)
        self.real[parameter] = self.implementation.parameter(tensor, differentiable)
        self.name(parameter)
        return parameter

    def restricted(self, member: bp.Tensor) -> Any:
        """The parameter or buffer as a tree of this implementation may hold it."""
        return self.implementation.restrict(bp.Module({"own": member})).at("own")

    def assign(self, module: ModuleModel, name: str, thing: Any) -> None:
        """Make it an attribute of the module."""
        setattr(self.real[module], name, self.real[thing])
        registry = module.modules_ if isinstance(thing, ModuleModel) else module.parameters_
        if name not in registry:
            forget(module, name)
        registry[name] = thing

    def adopt(self, module: Any) -> None:
        """Go on with a copy: each object of the model is now what stands under its first name in the copy."""
        things = (*self.root.modules(), *self.root.tensors().values())
        old = [self.real[thing] for thing in things]
        self.real = {self.root: module}
        for _, here in self.root.visits():
            for registry in (here.parameters_, here.buffers_, here.modules_):
                for name, thing in registry.items():
                    if thing is not None:
                        self.real.setdefault(thing, getattr(self.real[here], name))
        assert not {id(thing) for thing in old} & {id(self.real[thing]) for thing in things}
        self.names.clear()
        for thing in things:
            self.name(thing)

    # --- what is seen ----------------------------------------------------------------------------------------------

    def compare(self) -> None:
        """The names, identities, flags and values of all that is registered, and what containers hold."""
        root, implementation = self.real[self.root], self.implementation
        tensors, modes = self.root.tensors(), self.root.modes()
        modules = [(name, own, modes[own]) for name, own in self.root.named_modules()]
        assert [(name, self.path(module), module.training) for name, module in root.named_modules()] == modules
        parameters = [(name, own, True, tensors[own].requires_grad) for name, own in self.root.named_parameters()]
        assert [
            (name, self.path(each), implementation.is_parameter(each), implementation.requires_grad(each))
            for name, each in root.named_parameters()
        ] == parameters
        buffers = [(name, own, reading(tensors[own])) for name, own in self.root.named_buffers()]
        assert [
            (name, self.path(buffer), implementation.read(buffer)) for name, buffer in root.named_buffers()
        ] == buffers
        state = [(key, reading(tensor)) for key, tensor in self.root.state().items()]
        assert [(key, implementation.read(value)) for key, value in root.state_dict().items()] == state
        for each in self.root.modules():
            items = [(key, value.path) for key, value in held(each).items() if value is not None]
            if each.kind in self.iterated:
                assert [self.path(item) for item in self.real[each]] == [path for _, path in items]
            elif each.kind in self.keyed:
                assert [(key, self.path(value)) for key, value in self.real[each].items()] == items


def held(container: ModuleModel) -> dict[str, Any]:
    """What a container holds as its own, by name."""
    return container.parameters_ if container.kind in PARAMETERS else container.modules_


def keep(container: ModuleModel, name: str, thing: Any) -> None:
    """Put that into a container, under that name."""
    items = held(container)
    items[name] = thing


def free(container: ModuleModel, name: str) -> bool:
    """Whether nothing has the name that is no item of the dict."""
    return name not in {**container.parameters_, **container.buffers_, **container.modules_} or name in held(container)


def positioned(container: ModuleModel) -> bool:
    """Whether the names are positions, if it is a list: a Sequential may have others."""
    return container.kind not in bp.INDEXED or list(held(container)) == [str(i) for i in range(len(held(container)))]


def can_run(module: ModuleModel) -> bool:
    """Whether the module can be called."""
    items = module.modules_.values()
    return module.kind == "Identity" or (module.kind == "Sequential" and bool(items) and all(map(can_run, items)))


def reserved(module: ModuleModel, name: str) -> bool:
    """Whether the name is kept for a buffer: it then takes nothing else."""
    return name in module.buffers_ and module.buffers_[name] is None


def forget(module: ModuleModel, name: str) -> None:
    """A name given to a new kind of thing leaves the registry that had it."""
    for registry in (module.parameters_, module.buffers_, module.modules_):
        registry.pop(name, None)
    module.transient.discard(name)
