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
    "hooks.handle": "registering a hook returns a handle that removes it",
    "save.file": "save() and load() take a path, an open file or a buffer, and write one file",
    "save.zip": "save() writes a zip archive by default",
    "save.legacy": "save(_use_new_zipfile_serialization=False) writes the older format",
    "save.device_tag": "the adapter can write a file whose tensors are tagged with a device that is not there",
    "write": "the elements of a tensor can be overwritten in place; where they cannot, other tensors take their place",
    "deepcopy": "copy.deepcopy() copies modules and tensors",
    "pickle.module": "a whole module can be pickled and saved",
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
        return self.Parameter(tensor, requires_grad=requires_grad)

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

    def make(self, tensor: bp.Tensor, device: str = "cpu") -> Any:
        """The tensor that a blueprint describes."""
        return self.tensor(tensor.values(), tensor.dtype, device, tensor.shape)

    def build(self, blueprint: bp.Blueprint, device: str = "cpu") -> Subject:
        """Build the tree on that device."""
        return Subject(self, blueprint, device)

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

    latest: Subject | None = None  # what a failure report shows

    def __init__(self, implementation: Implementation, blueprint: bp.Blueprint, device: str = "cpu"):
        self.implementation = implementation
        self.blueprint = implementation.restrict(blueprint)
        self.device = device
        self.model = model.of(self.blueprint)
        self.log: list[tuple[str, str]] = []
        self.handles: dict[str, Any] = {}
        self._objects: dict[str, Any] = {}
        self._paths: dict[int, str] = {}
        self._models = {module.path: module for module in self.model.modules()}
        self.module = self._module(self.blueprint, "")
        for path, node in self.blueprint.walk():
            if "tree.mode" not in implementation.lacking:
                self[path].training = node.training
            for hook in node.hooks:
                self.handles[hook.name] = self.register(hook, self[path])
        Subject.latest = self

    def __getitem__(self, path: str) -> Any:
        """The object that the builder registered at that path."""
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
        implementation = self.implementation
        made: dict[str, Any] = {}
        for name, member in node.members:
            here = model.join(path, name)
            if isinstance(member, bp.Blueprint):
                made[name] = self._module(member, here)
            elif isinstance(member, bp.Shared):
                made[name] = self._keep(here, self[member.path])
            elif isinstance(member, bp.Parameter):
                tensor = implementation.make(member, self.device)
                made[name] = self._keep(here, implementation.parameter(tensor, member.differentiable))
            elif isinstance(member, bp.Buffer):
                made[name] = self._keep(here, implementation.make(member, self.device))
            elif isinstance(member, bp.Attribute):
                value = member.value
                made[name] = self._keep(here, implementation.make(value) if isinstance(value, bp.Tensor) else value)
            else:
                made[name] = None
        expected = self._models[path]
        children = {name: made[name] for name, child in expected.modules_.items() if child is not None}
        module = self._keep(path, implementation.module_for(node, children))
        for name, member in node.members:
            self._register_member(module, name, member, made[name], expected)
        if node.kind == "Chain":
            module.steps = [name for name, child in expected.modules_.items() if child is not None]
        return module

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
TREE = ("mode", "transient", "empty_parameter", "empty_buffer", "empty_module", "0d")


@cache
def _missing_features(implementation: Implementation) -> frozenset[str]:
    features = [f"dtype.{dtype}" for dtype in bp.DTYPES] + ["Parameter", *bp.CONTAINERS, *bp.LAYERS]
    features += [f"tree.{feature}" for feature in (*TREE, *bp.DTYPES)]
    return frozenset(
        feature
        for feature in features
        if (feature in implementation.lacking or (not feature.startswith("tree.") and implementation.lacks(feature)))
    )


def _restricted(blueprint: Any, missing: frozenset[str]) -> Any:
    def change(member: Any) -> Any:
        if isinstance(member, bp.Empty):
            return None if f"tree.empty_{member.kind}" in missing else member
        if isinstance(member, bp.Blueprint):
            return _restricted_module(member, missing)
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

    return change(blueprint.map(change) if isinstance(blueprint, bp.Blueprint) else blueprint)


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

OURS = {
    "torch": "conformance.implementations.torch:implementation",
    "reference": "conformance.implementations.reference:implementation",
    "paddle": "conformance.implementations.paddle:implementation",
    "oneflow": "conformance.implementations.oneflow:implementation",
    "mindtorch": "conformance.implementations.mindtorch:implementation",
    "mindspore": "conformance.implementations.mindspore:implementation",
    "cpp": "conformance.implementations.cpp:implementation",
    "keras": "conformance.implementations.keras:implementation",
    "candle": "conformance.implementations.candle:implementation",
}


def find(name: str) -> Implementation:
    """The implementation of that name: one of ours, or "package.module:attribute".

    Raises:
        AdapterError: there is none, it cannot be imported, or it is no Implementation.
    """
    target = OURS.get(name, name)
    module_name, separator, attribute = target.partition(":")
    if not separator or not module_name or not attribute or module_name.startswith("."):
        raise AdapterError(
            f"unknown implementation {name!r}: give one of {', '.join(sorted(OURS))}, or package.module:attribute"
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
        found = found()
    if not isinstance(found, Implementation):
        raise AdapterError(
            f"implementation {name!r} is a {type(found).__name__}: expected an instance of "
            "conformance.implementation.Implementation"
        )
    _check(name, found)
    return found


def _check(name: str, found: Implementation) -> None:
    """What every adapter must have is there."""
    missing = [each for each in REQUIRED if getattr(type(found), each) is getattr(Implementation, each)]
    if missing:
        raise AdapterError(f"implementation {name!r} does not implement {', '.join(missing)}: its adapter must")
    if found.contract_version is not None:
        try:
            Version(found.contract_version)
        except InvalidVersion:
            raise AdapterError(
                f"implementation {name!r}: contract_version = {found.contract_version!r} is no version of torch such as "
                "'2.13'; None stands for the newest"
            ) from None
