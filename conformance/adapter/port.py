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

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from conformance import model
from conformance.adapter.absence import Absent, accepts, asked
from conformance.adapter.features import missing_features, restricted
from conformance.build.execute import Subject
from conformance.contract.capabilities import SEMANTIC
from conformance.language import blueprint as bp
from conformance.model import Reading


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

    @property
    def makes_buffers(self) -> bool:
        """Whether the adapter itself gives buffers to trees that are being built."""
        return type(self).place_buffer is not Implementation.place_buffer

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
        for kind, name, argument in asked(self, error):
            capability = f"{kind}.{name}({argument})" if argument else f"{kind}.{name}"
            if reason := self.lacks(capability):
                return Absent(capability, reason)
        return None

    def restrict(self, blueprint: Any) -> Any:
        """The blueprint of a module or member without what the implementation lacks: other dtypes, kinds and flags take
        their place. What it lacks in drawn trees only ("tree.bfloat16") stays where a member alone is asked about."""
        missing = missing_features(self)
        if not isinstance(blueprint, bp.Blueprint):
            missing = frozenset(each for each in missing if each != "Parameter" and not each.startswith("tree."))
        return blueprint if not missing else restricted(blueprint, missing)

    # --- building -------------------------------------------------------------------------------------------------

    def narrowed(self, clause: str, name: str, value: Any) -> Any:
        """What takes the place of the argument of that name, drawn and no witness, of the clause's property: itself, but
        where a known departure would drown every property that draws trees. One clause should still ask about it."""
        return value

    def presented(self, blueprint: bp.Blueprint) -> bp.Blueprint:
        """The blueprint of what is built where a property asks for this one: itself, but for wrappers."""
        return blueprint

    #: Whether what is built is changed as a whole, by ``wrap``, and holds its members under the same names.
    changes_in_place = False

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
