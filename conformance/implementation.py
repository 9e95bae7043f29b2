"""What an adapter offers: a namespace in torch's vocabulary, a few tensor operations, and what it lacks.

An adapter is an instance of :class:`Implementation`. It gives torch's names (``Module``, ``Sequential``, ``Parameter``,
``save``, ...) as attributes and implements the tensor operations listed under "tensors". Nothing else is mandatory:
a name that is not there makes the clauses that need it skip, with a sentence that says so.

Capabilities are written as the API they stand for, and found by introspection:

    "DataParallel"                           the namespace has that name
    "Module.get_submodule"                   the class has that method
    "Module.register_forward_hook(prepend)"  the method takes that argument
    "load(map_location)"                     the function takes that argument
    "dtype.bfloat16", "device.cuda"          tensors of that dtype, on that device, can be made

An adapter that knows better says so in ``lacking``: ``{"autograd": "tensors have no backward()"}``.
What is there but would drown every property that draws trees, a dtype that cannot be saved, say, may be kept out of the
trees alone ("tree.bfloat16"); one clause should still ask about it.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
import re
import unittest
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from packaging.version import InvalidVersion, Version

from conformance import blueprint as bp
from conformance import model
from conformance.model import Reading, reading


class Absent(unittest.SkipTest, AttributeError):
    """The implementation has no such capability: the clause that needs it is skipped, by Hypothesis and pytest alike.

    It is an AttributeError too, so that ``hasattr(implementation, name)`` answers instead of raising.
    """

    def __init__(self, capability: str, reason: str):
        super().__init__(reason)
        self.capability = capability
        self.reason = reason


class AdapterError(Exception):
    """The implementation asked for cannot be found, imported or used; the message says how to mend that."""


#: Capabilities that are no name of the API, and what they mean.
SEMANTIC = {
    "autograd": "backward() of a tensor fills the gradients of the parameters it was computed from",
    "lifecycle.copies": "the life of a module may go on with a copy of it",
    "hooks.handle": "registering a hook returns a handle that removes it",
    "save.file": "save() and load() take a path, an open file or a buffer, and write one file",
    "save.zip": "save() writes a zip archive by default",
    "save.legacy": "save(_use_new_zipfile_serialization=False) writes the older format",
    "save.device_tag": "the adapter can write a file whose tensors are tagged with a device that is not there",
    "write": "the elements of a tensor can be overwritten in place; where they cannot, other tensors take their place",
    "deepcopy": "copy.deepcopy() copies modules and tensors",
    "pickle.module": "a whole module can be pickled and saved",
    "construction": "the suite may make modules of its own from the implementation's classes",
    "computation": "the modules compute what the layers of that name are documented to compute",
    "example": "there is an input with which the modules can be called",
    "example.repeatable": "in evaluation mode a module returns the same each time that it is called with that input",
}


class Implementation:
    """Base class of adapters. Subclass it, give the names, implement the tensor operations."""

    name: str = "unnamed"
    #: The torch version whose contract the implementation claims, as text; None for "the newest".
    contract_version: str | None = None
    #: Capabilities it does not have although introspection would find them: {capability: reason}.
    lacking: dict[str, str] = {}
    #: Class names that differ from torch's, as repr prints them: {"ModuleList": "LayerList"}.
    class_names: dict[str, str] = {}
    #: The implementation on which this one builds, whose recorded deviations are therefore its own as well.
    inherits: str = ""
    #: Strategies that stand in for those of every property, by the name of the argument.
    draws: dict[str, Any] = {}

    @property
    def held_to_observed(self) -> bool:
        """Whether it is held to what no documentation promises and PyTorch does: so is who claims a version of it."""
        return self.contract_version is not None

    @property
    def version(self) -> str:
        """The framework's version."""
        raise NotImplementedError

    # --- tensors: every adapter implements these ------------------------------------------------------------------

    def tensor(self, values: Any, dtype: str = "float32", device: str = "cpu", shape: Any = None) -> Any:
        """A tensor from nested lists; ``shape`` is given where the lists cannot say it (no elements)."""
        raise NotImplementedError

    def read(self, tensor: Any) -> Reading:
        """The tensor's shape, dtype and elements."""
        raise NotImplementedError

    def readings(self, state: Mapping[str, Any]) -> dict[str, Reading]:
        """What each tensor of a state_dict holds, in order."""
        return {key: self.read(tensor) for key, tensor in state.items()}

    def device(self, tensor: Any) -> str:
        """Where the tensor lives: "cpu", "cuda", "meta"; an index is left out."""
        raise NotImplementedError

    def move(self, thing: Any, device: str) -> Any:
        """The tensor or module on that device."""
        return thing if device == "cpu" else thing.to(device)

    def is_tensor(self, value: Any) -> bool:
        """Whether the value is a tensor (parameters are tensors too)."""
        raise NotImplementedError

    def is_parameter(self, value: Any) -> bool:
        """Whether the value is a parameter."""
        return isinstance(value, self.Parameter)

    def same_storage(self, one: Any, other: Any) -> bool:
        """Whether a write into one tensor is seen in the other."""
        raise NotImplementedError

    def write(self, tensor: Any, values: Any) -> None:
        """Overwrite the elements in place with nested lists, unseen by autograd."""
        raise NotImplementedError

    def requires_grad(self, tensor: Any) -> bool:
        """Whether autograd follows this tensor."""
        return bool(tensor.requires_grad)

    def grad(self, tensor: Any) -> Any:
        """The gradient that backward() left on this tensor, or None."""
        return tensor.grad

    def backward(self, tensor: Any) -> None:
        """Run the backward pass from the sum of the tensor's elements."""
        tensor.sum().backward()

    def parameter(self, tensor: Any, requires_grad: bool = True) -> Any:
        """A parameter over that tensor."""
        return self.Parameter(tensor) if requires_grad else self.Parameter(tensor, requires_grad=False)

    def register_buffer(self, module: Any, name: str, tensor: Any, persistent: bool) -> None:
        """``module.register_buffer``, in the framework's own spelling of the arguments."""
        if persistent:
            module.register_buffer(name, tensor)
        else:
            module.register_buffer(name, tensor, persistent=False)

    def place_member(self, module: Any, name: str, tensor: Any) -> None:
        """Put the tensor in the place of a layer's own parameter or buffer of that name."""
        setattr(module, name, tensor)

    def place_buffer(self, module: Any, name: str, tensor: Any, persistent: bool) -> None:
        """Give a tree that is being built a buffer; for frameworks that have no ``register_buffer``."""
        self.register_buffer(module, name, tensor, persistent)

    def set_attribute(self, module: Any, name: str, value: Any) -> None:
        """Give the module of a drawn tree a plain attribute, also where assigning a tensor would register it."""
        setattr(module, name, value)

    def extra_repr(self, module: model.ModuleModel) -> str:
        """What a leaf layer of the framework's own prints between the parentheses of its repr."""
        return model.extra_repr(module)

    def representation(self, module: model.ModuleModel) -> str:
        """What the repr of that module must be, under the framework's own names of classes."""
        return model.representation(module, self.class_names, self.extra_repr)

    def tensor_code(self, values: str, dtype: str, device: str, shape: Any) -> str | None:
        """The expression that makes such a tensor, as a script for a failure shows it; ``values`` is an expression.

        Where it is None, a script has the method ``tensor`` itself, as a function.
        """
        return None

    def unavailable(self, device: str) -> str | None:
        """None where tensors can be made on that device, else the reason why not."""
        return None if device == "cpu" else f"{self.name} has no device {device!r}"

    # --- what is there --------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<{self.name} {self.version}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise Absent(name, f"{self.name} {self.version} has no {name}")

    @cache  # noqa: B019 - an adapter lives as long as the process
    def lacks(self, capability: str) -> str | None:
        """None where the implementation has the capability, else one sentence that says what is missing."""
        if capability in self.lacking:
            return f"{self.name} {self.version}: {self.lacking[capability]}"
        area, _, rest = capability.partition(".")
        if capability in SEMANTIC or area == "tree":
            return None
        if area == "device":
            return self.unavailable(rest)
        if area == "dtype":
            return self._try_dtype(rest)
        match = re.fullmatch(r"(\w+)(?:\.(\w+))?(?:\((\w+)\))?", capability)
        if match is None:
            return f"{capability!r} is no capability: expected Name, Class.method or Class.method(argument)"
        name, method, argument = match.groups()
        try:
            found = getattr(self, name)
        except Absent as absent:
            return absent.reason
        # What every Python object has (__repr__, __eq__) is no method of this class.
        if method and getattr(found, method, None) is getattr(object, method, None):
            return f"{self.name} {self.version} has no {name}.{method}"
        found = getattr(found, method) if method else found
        if argument and not accepts(found, argument):
            return f"{self.name} {self.version}: {capability.partition('(')[0]} takes no argument {argument!r}"
        return None

    def _try_dtype(self, dtype: str) -> str | None:
        try:
            self.tensor([1], dtype)
        except Exception as error:
            return f"{self.name} {self.version} has no dtype {dtype} ({type(error).__name__})"
        return None

    def declines(self, strategies: Mapping[str, Any]) -> str | None:
        """Why what it builds is nothing that a property with these strategies speaks of; None if it is."""
        return None

    def absent(self, error: AttributeError | TypeError) -> Absent | None:
        """The capability for want of which a property failed, if the error says that there is no such name or argument.

        Only what the contract gives that class counts, which the reference implementation knows: anything else that is
        missing, such as a parameter that was not registered, is a failure. So is everything that is missing where a
        version of the contract is claimed.
        """
        if isinstance(error, Absent):
            return error
        if self.contract_version is not None:
            return None
        for kind, name, argument in _asked(self, error):
            capability = f"{kind}.{name}({argument})" if argument else f"{kind}.{name}"
            if reason := self.lacks(capability):
                return Absent(capability, reason)
        return None

    def restrict(self, blueprint: Any) -> Any:
        """The blueprint of a module or member without what the implementation lacks: other dtypes, kinds and flags take
        their place. What it lacks in drawn trees only ("tree.bfloat16") stays where a member alone is asked about."""
        missing = _missing_features(self)
        if not isinstance(blueprint, bp.Blueprint):
            missing = frozenset(each for each in missing if each != "Parameter" and not each.startswith("tree."))
        return blueprint if not missing else _restricted(blueprint, missing)

    # --- building -------------------------------------------------------------------------------------------------

    def narrowed(self, clause: str, name: str, value: Any) -> Any:
        """What takes the place of the argument of that name, drawn and no witness, of the clause's property: itself, but
        where a known departure would drown every property that draws trees. One clause should still ask about it."""
        return value

    def presented(self, blueprint: bp.Blueprint) -> bp.Blueprint:
        """The blueprint of what is built where a property asks for this one: itself, but for wrappers."""
        return blueprint

    def finish(self, module: Any) -> Any:
        """What takes the place of a built tree as a whole, holding its members under the same names; None for itself."""
        return None

    def example(self, rows: Any, device: str) -> tuple[Any, ...]:
        """Positional arguments for a call of a built module: the drawn rows as one tensor."""
        return (self.tensor(rows, "float32", device),)

    def make(self, tensor: bp.Tensor, device: str = "cpu") -> Any:
        """The tensor that a blueprint describes."""
        return self.tensor(tensor.values(), tensor.dtype, device, tensor.shape)

    def build(self, blueprint: bp.Blueprint, device: str = "cpu") -> Subject:
        """Build the tree on that device."""
        return Subject(self, blueprint, device)

    def registered(self, module: Any) -> Iterator[tuple[str, str, Any]]:
        """(name, kind, object) of what is registered on this very module, read from where the framework keeps it and not
        through the methods that are checked: parameters, then buffers, then modules, each in order. The kind is
        "parameter", "buffer", "transient" for a buffer that is not persistent, or "module"."""
        held = vars(module)
        for name, thing in held["_parameters"].items():
            yield name, "parameter", thing
        for name, thing in held["_buffers"].items():
            yield name, "transient" if name in held.get("_non_persistent_buffers_set", ()) else "buffer", thing
        for name, thing in held["_modules"].items():
            yield name, "module", thing

    def module_for(self, node: bp.Blueprint, children: dict[str, Any]) -> Any:
        """A new module of that kind; Sequential and ModuleList take their children with them, the others are filled."""
        if node.kind in bp.LAYERS:
            return getattr(self, node.kind)(*node.arguments)
        make = getattr(self, node.kind)
        if node.kind == "Sequential":
            return make(OrderedDict(children)) if children and not numbered(children) else make(*children.values())
        return make(list(children.values())) if node.kind == "ModuleList" else make()


def numbered(names: Iterable[str]) -> bool:
    """Whether the names are "0", "1", ... in order."""
    return all(name == str(i) for i, name in enumerate(names))


class Subject:
    """A built tree, and which of its objects is which.

    Attributes:
        module: the framework's module.
        model: what the model says of the same blueprint.
        log: what the blueprint's hooks wrote: (hook name, path of the module they were called with).
        handles: what registering each hook returned, by hook name.
    """

    def __init__(self, implementation: Implementation, blueprint: bp.Blueprint, device: str = "cpu"):
        self.implementation = implementation
        restricted = implementation.restrict(blueprint)
        self._left_out = _paths(blueprint) - _paths(restricted) if restricted is not blueprint else set()
        self.blueprint = implementation.presented(restricted)
        self.device = device
        self.model = model.of(self.blueprint)
        self.log: list[tuple[str, str]] = []
        self.handles: dict[str, Any] = {}
        self._objects: dict[str, Any] = {}
        self._paths: dict[int, str] = {}
        self._models = {module.path: module for module in self.model.modules()}
        self.module = self._module(self.blueprint, "")
        finished = implementation.finish(self.module)
        if finished is not None:
            self.module = finished
            self._adopt(self.blueprint, "", finished)
        for path, node in self.blueprint.walk():
            if "tree.mode" not in implementation.lacking:
                self[path].training = node.training
            for hook in node.hooks:
                self.handles[hook.name] = self.register(hook, self[path])

    @property
    def below(self) -> str:
        """The path of the module that a property's blueprint describes: "", or where the wrapper holds it."""
        return self.blueprint.children[-1][0] if self.blueprint.kind == "Wrapper" else ""

    def key(self, path: str) -> str:
        """The name in the whole tree of what has that name in the property's blueprint."""
        return f"{self.below}.{path}" if self.below else path

    def __getitem__(self, path: str) -> Any:
        """The object that the builder registered at that path; below a wrapper, also by its path in what is wrapped."""
        path = path if path in self._objects else self.key(path)
        if path not in self._objects and path in self._left_out:
            reason = (
                f"{self.implementation.name} {self.implementation.version} cannot hold what the clause puts at {path!r}"
            )
            raise Absent("construction", reason)
        return self._objects[path]

    def path(self, thing: Any) -> str:
        """The path at which the builder first registered the object; a sentence if it is none of its objects."""
        return self._paths.get(id(thing), f"an object that was not registered: {type(thing).__name__}")

    def named(self, pairs: Iterable[tuple[str, Any]]) -> model.Named:
        """Pairs (name, object) as pairs (name, path): what an observation is compared by."""
        return [(name, self.path(thing)) for name, thing in pairs]

    def paths(self, things: Iterable[Any]) -> list[str]:
        """The path of each object."""
        return [self.path(thing) for thing in things]

    def readings(self) -> dict[str, Reading]:
        """What every parameter and buffer object holds now, by path."""
        if self.implementation.lacks("write") is None:
            return {path: self.implementation.read(self[path]) for path in self.model.tensors()}
        named = dict(self.module.named_buffers(remove_duplicate=False))
        return {path: self.implementation.read(named[path]) for path in self.model.tensors()}

    def expected_readings(self) -> dict[str, Reading]:
        """What they hold by the blueprint."""
        return {path: reading(tensor) for path, tensor in self.model.tensors().items()}

    # --- construction ---------------------------------------------------------------------------------------------

    def _keep(self, path: str, thing: Any) -> Any:
        self._objects[path] = thing
        self._paths.setdefault(id(thing), path)
        return thing

    def _module(self, node: bp.Blueprint, path: str) -> Any:
        made = {name: self._member(member, model.join(path, name)) for name, member in node.members}
        expected = self._models[path]
        children = {name: made[name] for name, child in expected.modules_.items() if child is not None}
        module = self._keep(path, self.implementation.module_for(node, children))
        if node.kind == "Wrapper":
            self._adopt(node, path, module)
            for name, member in node.members:
                if isinstance(member, bp.Tensor):
                    self.implementation.write(self[name], member.values())
            return module
        for name, member in node.members:
            self._register_member(module, name, member, made[name], expected)
        if node.kind == "Chain":
            module.steps = [name for name, child in expected.modules_.items() if child is not None]
        return module

    def _member(self, member: Any, path: str) -> Any:
        """What stands under that path: a module, a parameter, a tensor, a plain value, or None."""
        implementation = self.implementation
        if isinstance(member, bp.Blueprint):
            return self._module(member, path)
        if isinstance(member, bp.Shared):
            return self._keep(path, self[member.path])
        if isinstance(member, bp.Parameter):
            tensor = implementation.make(member, self.device)
            return self._keep(path, implementation.parameter(tensor, member.differentiable))
        if isinstance(member, bp.Buffer):
            return self._keep(path, implementation.make(member, self.device))
        if isinstance(member, bp.Attribute):
            value = member.value
            return self._keep(path, implementation.make(value) if isinstance(value, bp.Tensor) else value)
        return None

    def _adopt(self, node: bp.Blueprint, path: str, module: Any) -> None:
        """Take the module, and what it holds under the names of the blueprint, for what was built: whoever made the
        module may have put copies in place of what it was given."""
        if not path:
            self._objects, self._paths = {}, {}
        self._keep(path, module)
        for name, member in node.members:
            held = getattr(module, name)
            if isinstance(member, bp.Blueprint):
                self._adopt(member, model.join(path, name), held)
            elif not isinstance(member, bp.Empty):
                self._keep(model.join(path, name), held)

    def _register_member(self, module: Any, name: str, member: Any, made: Any, expected: model.ModuleModel) -> None:
        implementation, kind = self.implementation, expected.kind
        assigns = implementation.lacks("Module.__setattr__") is None
        if isinstance(member, bp.Attribute):
            implementation.set_attribute(module, name, made)
        elif name in expected.modules_:
            if kind in ("Sequential", "ModuleList") and made is not None:
                return  # the constructor has taken it
            if kind == "ModuleDict" and made is not None:
                module[name] = made
            elif name.isidentifier() and made is not None and assigns:
                setattr(module, name, made)
            else:
                module.add_module(name, made)
        elif name in expected.buffers_:
            if kind in bp.LAYERS:
                implementation.place_member(module, name, made)
            else:
                implementation.place_buffer(module, name, made, name not in expected.transient)
        elif kind == "ParameterList":
            module.append(made)
        elif kind == "ParameterDict":
            module[name] = made
        elif kind in bp.LAYERS:
            if made is not None:
                implementation.place_member(module, name, made)
        elif name.isidentifier() and made is not None and assigns:
            setattr(module, name, made)
        else:
            module.register_parameter(name, made)

    def register(self, hook: bp.Hook, module: Any) -> Any:
        """Register a hook that writes its name into the log, and adds its number to what passes through."""

        def record(called: Any, *arguments: Any) -> Any:
            self.log.append((hook.name, self.path(called)))
            if hook.adds is None:
                return None
            if hook.kind == "forward":
                return arguments[-1] + hook.adds
            changed = tuple(value + hook.adds for value in arguments[0])
            return (changed, arguments[1]) if hook.with_kwargs else changed

        options = {name: True for name in ("prepend", "with_kwargs", "always_call") if getattr(hook, name)}
        return getattr(module, f"register_{hook.kind}_hook")(record, **options)


# --- what a failed property asked for -------------------------------------------------------------------------------

_UNEXPECTED = re.compile(r"\w+\.(\w+)\(\) got an unexpected keyword argument '(\w+)'")

#: How Python says that a class has not the method behind an operator.
_OPERATORS = {
    re.compile(r"'([\w.]+)' object does not support item assignment"): "__setitem__",
    re.compile(r"'([\w.]+)' object does(?:n't| not) support item deletion"): "__delitem__",
    re.compile(r"'([\w.]+)' object is not subscriptable"): "__getitem__",
    re.compile(r"unsupported operand type\(s\) for \+: '([\w.]+)'"): "__add__",
    re.compile(r"unsupported operand type\(s\) for \+=: '([\w.]+)'"): "__iadd__",
    re.compile(r"unsupported operand type\(s\) for \|: '([\w.]+)'"): "__or__",
    re.compile(r"unsupported operand type\(s\) for \|=: '([\w.]+)'"): "__ior__",
}


def _asked(implementation: Implementation, error: AttributeError | TypeError) -> Iterator[tuple[str, str, str]]:
    """(class, method, argument) of the contract that the error may speak of; the argument is "" for a whole method."""
    from conformance import reference

    owner, owner_name, name, argument, text = None, "", "", "", str(error)
    if isinstance(error, AttributeError) and error.name and not error.name.startswith("_"):
        owner, name = error.obj, error.name
    elif found := _UNEXPECTED.search(text):
        name, argument = found.groups()
    for pattern, operator in _OPERATORS.items():
        if found := pattern.search(text):
            owner_name, name = found[1].rpartition(".")[2], operator
    if not name:
        return
    for kind in ("Module", *bp.CONTAINERS[2:], "Tensor"):
        promised = getattr(getattr(reference, kind), name, None)
        own = getattr(implementation, kind, None)
        if promised is None or own is None:
            continue
        if argument:
            if argument in inspect.signature(promised).parameters:
                yield kind, name, argument
        elif (
            owner_name == own.__name__ or isinstance(owner, own) or (isinstance(owner, type) and issubclass(owner, own))
        ):
            yield kind, name, ""


# --- features a blueprint may use ----------------------------------------------------------------------------------


#: What a tree may hold, and an adapter may list as ``lacking`` under "tree.": buffers that are not persistent, names
#: registered as None, tensors without dimensions, a mode of each module's own.
TREE = ("mode", "transient", "buffer", "empty_parameter", "empty_buffer", "empty_module", "0d")


@cache
def _missing_features(implementation: Implementation) -> frozenset[str]:
    features = [f"dtype.{dtype}" for dtype in bp.DTYPES] + ["Parameter", *bp.CONTAINERS, *bp.LAYERS]
    features += [f"tree.{feature}" for feature in (*TREE, *bp.DTYPES)]
    missing = {
        feature
        for feature in features
        if (feature in implementation.lacking or (not feature.startswith("tree.") and implementation.lacks(feature)))
    }
    if type(implementation).place_buffer is Implementation.place_buffer:
        for capability, feature in (("", "buffer"), ("", "empty_buffer"), ("(persistent)", "transient")):
            if implementation.lacks(f"Module.register_buffer{capability}"):
                missing.add(f"tree.{feature}")
    return frozenset(missing)


def _restricted(blueprint: Any, missing: frozenset[str]) -> Any:
    def change(member: Any) -> Any:
        if isinstance(member, bp.Empty):
            return None if f"tree.empty_{member.kind}" in missing else member
        if isinstance(member, bp.Blueprint):
            return _restricted_module(member, missing)
        if isinstance(member, bp.Attribute):
            return bp.Attribute(change(member.value)) if isinstance(member.value, bp.Tensor) else member
        if isinstance(member, bp.Buffer) and "tree.buffer" in missing:
            return None
        if isinstance(member, bp.Tensor):
            dtype = "float32" if {f"dtype.{member.dtype}", f"tree.{member.dtype}"} & missing else member.dtype
            shape = (1,) if member.shape == () and "tree.0d" in missing else member.shape
            fields = {"shape": shape, "dtype": dtype, "fill": member.fill}
            if isinstance(member, bp.Parameter) and "Parameter" not in missing:
                return bp.Parameter(**fields, requires_grad=member.requires_grad)
            if isinstance(member, bp.Parameter):
                return bp.Buffer(**fields)
            if isinstance(member, bp.Buffer):
                return bp.Buffer(**fields, persistent=member.persistent or "tree.transient" in missing)
            return bp.Tensor(**fields)
        if isinstance(member, bp.Shared) and not member.persistent and "tree.transient" in missing:
            return bp.Shared(member.path)
        return member

    if not isinstance(blueprint, bp.Blueprint):
        return change(blueprint)
    restricted = change(blueprint.map(change))
    return _without_dangling(restricted) if "tree.buffer" in missing else restricted


def _paths(blueprint: bp.Blueprint) -> set[str]:
    """Where the blueprint registers something."""
    return {model.join(path, name) for path, node in blueprint.walk() for name, _ in node.members}


def _without_dangling(blueprint: bp.Blueprint) -> bp.Blueprint:
    """The blueprint without further names for what it does not hold."""
    held = _paths(blueprint)

    def change(member: Any) -> Any:
        return None if isinstance(member, bp.Shared) and member.path not in held else member

    return blueprint.map(change)


def _restricted_module(node: bp.Blueprint, missing: frozenset[str]) -> bp.Blueprint:
    if "tree.mode" in missing:
        node = node.replace(training=True)
    names = [name for name, member in node.members if not isinstance(member, bp.Attribute)]
    gap = node.kind in ("ModuleList", "ParameterList") and not numbered(names)  # where a None was left out
    if node.kind not in missing and not gap:
        return node
    # A module that holds the same and, where it can be called, runs the same children.
    return node.replace(kind="Module" if node.kind == "Chain" or "Chain" in missing else "Chain", arguments=())


def accepts(function: Any, argument: str) -> bool:
    """Whether the function takes a keyword argument of that name, if only among others it passes on."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    return argument in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


# --- finding an implementation -------------------------------------------------------------------------------------

#: What an adapter cannot do without.
REQUIRED = ("version", "tensor", "read", "device", "is_tensor", "same_storage", "write")

#: Where an installed package offers adapters: entry points of this group, named as --implementation takes them.
GROUP = "conformance.implementations"

_OWN = ("torch", "reference", "paddle", "oneflow", "mindtorch", "mindspore", "candle", "cpp", "keras")
_WRAPPERS = (
    "data_parallel",
    "distributed_data_parallel",
    "compiled",
    "averaged_model",
    "compiled_in_place",
    "graph_module",
    "fully_shard",
)
#: Their modules may not have the names of the packages, which they import.
_ON_TORCH = {
    "lightning": "lightning_module",
    "transformers": "pretrained_model",
    "tensordict": "tensordict_module",
    "accelerate": "accelerate_hooks",
}
OURS = {
    **{name: f"conformance.implementations.{name}:implementation" for name in _OWN},
    **{name: f"conformance.implementations.torch_wrappers:{name}" for name in _WRAPPERS},
    **{name: f"conformance.implementations.{module}:implementation" for name, module in _ON_TORCH.items()},
}


def known() -> dict[str, str]:
    """Where the adapter of each name is: ours, and those of installed packages."""
    offered = importlib.metadata.entry_points(group=GROUP)
    return {**{each.name: each.value for each in offered}, **OURS}


def find(name: str) -> Implementation:
    """The implementation of that name: a known one, "package.module:attribute", or "package.module" for the attribute
    ``implementation`` of it.

    Raises:
        AdapterError: there is none, it cannot be imported, or it is no Implementation.
    """
    names = known()
    target = names.get(name, name)
    module_name, separator, attribute = target.partition(":")
    if not separator and ("." in module_name.strip(".") or _importable(module_name)):
        attribute = "implementation"
    if not module_name or not attribute or module_name.startswith("."):
        raise AdapterError(
            f"unknown implementation {name!r}: give one of {', '.join(sorted(names))}, or package.module:attribute"
        )
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        hint = f"install {error.name}, or run from where it can be imported" if error.name else "see the error"
        raise AdapterError(f"implementation {name!r} cannot be imported ({error}): {hint}") from error
    except Exception as error:
        raise AdapterError(f"implementation {name!r} cannot be imported: {type(error).__name__}: {error}") from error
    found = getattr(module, attribute, None)
    if found is None:
        raise AdapterError(f"implementation {name!r}: the module {module_name} has no attribute {attribute!r}")
    if isinstance(found, type) and issubclass(found, Implementation):
        try:
            found = found()
        except Exception as error:
            raise AdapterError(f"implementation {name!r} cannot be made: {type(error).__name__}: {error}") from error
    if not isinstance(found, Implementation):
        raise AdapterError(
            f"implementation {name!r} is a {type(found).__name__}: expected an instance of "
            "conformance.implementation.Implementation"
        )
    _check(name, found)
    return found


def _importable(name: str) -> bool:
    return name.isidentifier() and importlib.util.find_spec(name) is not None


def _check(name: str, found: Implementation) -> None:
    """What every adapter must have is there."""
    missing = [each for each in REQUIRED if getattr(type(found), each) is getattr(Implementation, each)]
    if missing:
        raise AdapterError(f"implementation {name!r} does not implement {', '.join(missing)}: its adapter must")
    for what, ask in {"version": lambda: found.version, "devices": lambda: found.unavailable("cpu")}.items():
        try:
            ask()
        except Exception as error:
            raise AdapterError(
                f"implementation {name!r} cannot say its {what}: {type(error).__name__}: {error}; mend the adapter"
            ) from error
    if found.contract_version is not None:
        try:
            Version(found.contract_version)
        except InvalidVersion:
            raise AdapterError(
                f"implementation {name!r}: contract_version = {found.contract_version!r} is no version of torch such as "
                "'2.13'; None stands for the newest"
            ) from None
