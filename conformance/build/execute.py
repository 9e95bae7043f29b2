"""A plan executed: a tree that stands, and which of its objects is which."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from conformance import model
from conformance.build import portrait
from conformance.build.plan import IMPLEMENTATION, OBJECT, PYTHON, At, Listed, Step, Titled, plan
from conformance.contract.capabilities import Absent
from conformance.language import blueprint as bp
from conformance.language.transform import held_paths
from conformance.model import Reading, reading
from conformance.model import portrait as predicted

if TYPE_CHECKING:
    from conformance.adapter.lens import Lens


def _set_mode(module: Any, training: bool, made: bool) -> None:
    module.training = training


#: What a step asks of Python.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "setattr": setattr,
    "getattr": getattr,
    "setitem": operator.setitem,
    "same": lambda thing: thing,
    "value": lambda value: value,
    "mode": _set_mode,
}


#: Arguments that are neither data nor one object that stands already.
MADE = frozenset({Step, Listed, Titled})


class Subject:
    """A built tree, and which of its objects is which.

    Attributes:
        model: what the model says of the same blueprint.
        log: what the blueprint's hooks wrote: (hook name, path of the module they were called with).
        handles: what registering each hook returned, by hook name.
    """

    def __init__(self, implementation: Lens, blueprint: bp.Blueprint, device: str = "cpu"):
        self.implementation = implementation
        restricted = implementation.restrict(blueprint)
        self._left_out = held_paths(blueprint) - held_paths(restricted) if restricted is not blueprint else set()
        self.blueprint = implementation.presented(restricted)
        self.device = device
        self.model = model.of(self.blueprint)
        self.log: list[tuple[str, str]] = []
        self.handles: dict[str, Any] = {}
        self._objects: dict[str, Any] = {}
        self._paths: dict[int, str] = {}
        for step in plan(self.blueprint, implementation, device, self.model):
            self._do(step)

    @property
    def module(self) -> Any:
        """The framework's module."""
        return self._objects[""]

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

    def portrait(self) -> predicted.Portrait:
        """All that can be seen of the tree now; the values alone where the implementation's registries cannot be read."""
        if self.implementation.lacks("registries") is not None:
            return {path: {"holds": held} for path, held in self.readings().items()}
        return portrait.portrait_of(self.implementation, self.module, self.path, **portrait.scope(self))

    def expected_portrait(self) -> predicted.Portrait:
        """What can be seen of it by the blueprint."""
        if self.implementation.lacks("registries") is not None:
            return {path: {"holds": held} for path, held in self.expected_readings().items()}
        return predicted.of(self.model, portrait.left_out(self.implementation))

    # --- construction ---------------------------------------------------------------------------------------------

    def _do(self, step: Step) -> Any:
        """Take one step; what it makes."""
        by, call, given, makes, *_ = step
        # Most arguments are data or stand in the tree that is built: this runs fifty times a tree.
        objects = self._objects
        arguments = [
            (objects[each.path] if each.path in objects else self[each.path]) if type(each) is At
            else self._made(each) if type(each) in MADE
            else each
            for each in given
        ]  # fmt: skip
        if by == PYTHON:
            made = FUNCTIONS[call](*arguments)
        elif by == IMPLEMENTATION:
            made = getattr(self.implementation, call)(*arguments)
        elif by == OBJECT:
            made = getattr(arguments[0], call)(*arguments[1:])
        elif call == "register":
            hook, module = arguments
            made = self.handles[hook.name] = self.register(hook, module)
        else:
            self._objects, self._paths, made = {}, {}, arguments[0]
        if makes is not None:
            self._objects[makes] = made
            self._paths.setdefault(id(made), makes)
        return made

    def _made(self, argument: Any) -> Any:
        if type(argument) is Step:
            return self._do(argument)
        if type(argument) is Listed:
            return [self[item.path] for item in argument.items]
        return OrderedDict((name, self[item.path]) for name, item in argument.pairs)

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
