"""What the suite sees of an implementation: the adapter, and round it what the suite itself adds.

A lens holds an adapter, or another lens, and gives its names on. What properties ask of ``implementation`` beyond the
framework's names is here: which capabilities are lacking, building, narrowing, reading registries. A wrapper
(:mod:`conformance.adapter.wrapping`) and somebody's own modules (:mod:`conformance.adapter.given`) are further lenses.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from functools import cached_property
from types import ModuleType
from typing import Any

from conformance import model
from conformance.adapter.absence import Absent, accepts, asked
from conformance.adapter.features import missing_features, restricted
from conformance.adapter.former import Former, former, lens_of
from conformance.build.execute import Subject
from conformance.contract.capabilities import DECLARED, undeclared
from conformance.language import blueprint as bp
from conformance.language.transform import with_elements, without_empty
from conformance.model import Reading


def seen(implementation: Any) -> Lens:
    """The lens through which the suite sees an adapter; a lens as it is."""
    if isinstance(implementation, Lens):
        return implementation
    return lens_of(implementation)


class Lens:
    """An adapter, as the suite sees it.

    Attributes:
        inner: the adapter or lens behind this one.
        adapter: the adapter behind all of them.
        draws: strategies that stand in for those of every property, by the name of the argument.
    """

    #: What a lens lacks beside what stands behind it, and the names of classes that differ behind it.
    lacking: dict[str, str] = {}
    class_names: dict[str, str] = {}
    draws: Mapping[str, Any] = {}

    def __init__(self, inner: Any):
        self.inner = inner
        self.adapter = inner.adapter if isinstance(inner, Lens) else inner
        self.lacking = {**inner.lacking, **type(self).lacking}
        self.class_names = {**inner.class_names, **type(self).class_names}
        self._answers: dict[str, str | None] = {}
        self.__dict__.update(former(self, inner) if inner is self.adapter else {})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("inner", "adapter"):
            raise AttributeError(name)
        return getattr(self.inner, name)

    def __repr__(self) -> str:
        return f"<{self.name} {self.version}>"

    @property
    def layers(self) -> list[Any]:
        """This lens, what stands behind it, and so on to the adapter."""
        return [self, *(self.inner.layers if isinstance(self.inner, Lens) else [self.inner])]

    @property
    def classes(self) -> list[type]:
        """The classes in which all of these are written, the outermost first."""
        return [kind for layer in self.layers for kind in type(layer).__mro__ if kind not in (Former, object)]

    @property
    def home(self) -> ModuleType:
        """The file in which it is written."""
        own = (kind.__module__ for kind in self.classes if not kind.__module__.startswith("conformance.adapter."))
        return sys.modules[next(own, type(self).__module__)]

    def holder(self, name: str) -> Any:
        """This lens or what stands behind it: whoever has the name."""
        layers = self.layers
        return next((e for e in layers if name in vars(e) or any(name in vars(k) for k in type(e).__mro__)), layers[-1])

    # --- what is there --------------------------------------------------------------------------------------------

    @cached_property
    def held_to_observed(self) -> bool:
        """Whether it is held to what no documentation promises and PyTorch does: so is who claims a version of it, and
        nobody that only builds on such a one."""
        return self.contract_version is not None and not self.inherits

    def lacks(self, capability: str) -> str | None:
        """None where the implementation has the capability, else one sentence that says what is missing."""
        if capability not in self._answers:
            self._answers[capability] = self._without(capability)
        return self._answers[capability]

    def _without(self, capability: str) -> str | None:
        own = type(self).lacking if isinstance(self.inner, Lens) else self.adapter.lacking
        if capability in own:
            return f"{self.name} {self.version}: {own[capability]}"
        if reason := self.denies(capability):
            return reason
        if isinstance(self.inner, Lens):
            return self.inner.lacks(capability)
        return None if capability in self.hidden else self._introspected(capability)

    def denies(self, capability: str) -> str | None:
        """Why this very lens hides a capability; None if it does not."""
        return None

    def _introspected(self, capability: str) -> str | None:
        area, _, rest = capability.partition(".")
        if capability == "registries":
            return self._unread()
        if capability in DECLARED:
            return None
        if reason := undeclared(capability):
            return reason
        if area == "device":
            return self.unavailable(rest)
        if area == "dtype":
            return self._try_dtype(rest)
        name, method, argument = re.fullmatch(r"(\w+)(?:\.(\w+))?(?:\((\w+)\))?", capability).groups()  # type: ignore
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

    def _unread(self) -> str | None:
        try:
            self.registered(self.Module())
        except Exception as error:
            return f"{self.name} {self.version} keeps what a module registers elsewhere ({type(error).__name__})"
        return None

    def absent(self, error: AttributeError | TypeError) -> Absent | None:
        """The capability for want of which a property failed, if the error says that there is no such name or argument.

        Only what the contract gives that class counts, which a table says: anything else that is missing, such as a
        parameter that was not registered, is a failure. So is everything that is missing where a version of the contract
        is claimed.
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

    def declines(self, strategies: Mapping[str, Any]) -> str | None:
        """Why what it builds is nothing that a property with these strategies speaks of; None if it is."""
        return self.inner.declines(strategies) if isinstance(self.inner, Lens) else None

    # --- what is asked --------------------------------------------------------------------------------------------

    @cached_property
    def missing(self) -> frozenset[str]:
        """What blueprints may hold and the implementation cannot."""
        return missing_features(self)

    def restrict(self, blueprint: Any) -> Any:
        """The blueprint of a module or member without what the implementation lacks: other dtypes, kinds and flags take
        their place. What it lacks in drawn trees only ("tree.bfloat16") stays where a member alone is asked about."""
        missing = self.missing
        if not isinstance(blueprint, bp.Blueprint):
            missing = frozenset(each for each in missing if each != "Parameter" and not each.startswith("tree."))
        held = restricted(blueprint, missing) if missing else blueprint
        return self.adapted(held) if isinstance(held, bp.Blueprint) else held

    def narrowed(self, clause: Any, name: str, value: Any) -> Any:
        """What takes the place of an argument that was drawn, and is no witness, of the clause's property: itself, but
        where a known departure would drown every property that draws trees. The clause that is about it asks for it."""
        if "drawn.empty" not in self.lacking or "drawn.empty" in clause.about:
            return value
        if name == "shape":
            return tuple(extent or 1 for extent in value)
        return without_empty(value) if isinstance(value, bp.Blueprint) else with_elements(value)

    def presented(self, blueprint: bp.Blueprint) -> bp.Blueprint:
        """The blueprint of what is built where a property asks for this one: itself, but for wrappers."""
        return self.inner.presented(blueprint) if isinstance(self.inner, Lens) else blueprint

    @property
    def changes_in_place(self) -> bool:
        """Whether what is built is changed as a whole, by ``wrap``, and holds its members under the same names."""
        return self.inner.changes_in_place if isinstance(self.inner, Lens) else "finish" in self.__dict__

    def wrap(self, module: Any) -> Any:
        """What stands in the place of a built tree."""
        if isinstance(self.inner, Lens):
            return self.inner.wrap(module)
        made = self.finish(module)  # of an adapter that was written before 0.3
        return module if made is None else made

    def build(self, blueprint: bp.Blueprint, device: str = "cpu") -> Subject:
        """Build the tree on that device."""
        return Subject(self, blueprint, device)

    # --- tensors and modules, in terms of what the adapter says -----------------------------------------------------

    def make(self, tensor: bp.Tensor, device: str = "cpu") -> Any:
        """The tensor that a blueprint describes."""
        return self.tensor(tensor.values(), tensor.dtype, device, tensor.shape)

    def example(self, rows: Any, device: str) -> tuple[Any, ...]:
        """Positional arguments for a call of a built module: the drawn rows as one tensor."""
        return (self.tensor(rows, "float32", device),)

    def parameter(self, tensor: Any, requires_grad: bool = True) -> Any:
        """A parameter over that tensor."""
        return self.Parameter(tensor) if requires_grad else self.Parameter(tensor, requires_grad=False)

    def register_buffer(self, module: Any, name: str, tensor: Any, persistent: bool) -> None:
        """``module.register_buffer``, called as the documentation says."""
        if persistent:
            module.register_buffer(name, tensor)
        else:
            module.register_buffer(name, tensor, persistent=False)

    def readings(self, state: Mapping[str, Any]) -> dict[str, Reading]:
        """What each tensor of a state_dict holds, in order."""
        return {key: self.read(tensor) for key, tensor in state.items()}

    def move(self, thing: Any, device: str) -> Any:
        """The tensor or module on that device."""
        return thing if device == "cpu" else thing.to(device)

    def is_parameter(self, value: Any) -> bool:
        """Whether the value is a parameter."""
        return self.lacks("Parameter") is None and isinstance(value, self.Parameter)

    def grad(self, tensor: Any) -> Any:
        """The gradient that backward() left on this tensor, or None."""
        return tensor.grad

    def backward(self, tensor: Any) -> None:
        """Run the backward pass from the sum of the tensor's elements."""
        tensor.sum().backward()

    def representation(self, module: model.ModuleModel) -> str:
        """What the repr of that module must be, under the framework's own names of classes."""
        return model.representation(module, self.class_names, self.extra_repr)

    @cached_property
    def usual_attributes(self) -> tuple[str, ...]:
        """The names of the public attributes that every module has."""
        return tuple(name for name in vars(self.Module()) if not name.startswith("_"))

    def registered(self, module: Any) -> list[tuple[str, str, Any]]:
        """(name, kind, object) of what is registered on this very module, read from where the framework keeps it and not
        through the methods that are checked: parameters, then buffers, then modules, each in order. The kind is
        "parameter", "buffer", "transient" for a buffer that is not persistent, or "module"."""
        held = vars(module)
        transient = held.get("_non_persistent_buffers_set", ())
        found = [(name, "parameter", thing) for name, thing in held["_parameters"].items()]
        found += [(name, "transient" if name in transient else "buffer", b) for name, b in held["_buffers"].items()]
        return found + [(name, "module", thing) for name, thing in held["_modules"].items()]
