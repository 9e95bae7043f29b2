"""Building a blueprint on an implementation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from conformance import model
from conformance.adapter.absence import Absent
from conformance.adapter.features import held_paths
from conformance.adapter.port import Implementation
from conformance.language import blueprint as bp
from conformance.model import Reading, reading


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
        self._left_out = held_paths(blueprint) - held_paths(restricted) if restricted is not blueprint else set()
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
