"""How a tree is built, as data: a straight line of steps, made in one place and then executed or shown.

Each step is one call: of the implementation, of an object that an earlier step made, or of Python itself. A plan holds
blueprints' data and no object: :class:`At` stands for what an earlier step made.

    >>> from conformance.implementations.reference import implementation
    >>> for step in plan(bp.Sequential([bp.ReLU()]), implementation): print(step.by, step.call, step.makes)
    implementation ReLU 0
    implementation Sequential
    python mode None
    python mode None
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from conformance import model
from conformance.language import blueprint as bp
from conformance.language.depth import flattened

if TYPE_CHECKING:
    from conformance.adapter.lens import Lens
    from conformance.model import ModuleModel

#: Who is asked: the implementation, by one of its names or by what its adapter says; the first argument, by one of its
#: methods; Python, by a function of its own ("setattr", "getattr", "setitem") or by one of these three words: "same", one
#: more name for an object; "value", a plain value; "mode", the mode of a module, and the one it has when it is made.
#: The subject registers the hooks, for it keeps their log; and is told to "forget" the objects that a wrapper has
#: taken, for the wrapper may hold copies of them.
IMPLEMENTATION, OBJECT, PYTHON, SUBJECT = "implementation", "object", "python", "subject"


class At(NamedTuple):
    """What an earlier step made."""

    path: str


class Listed(NamedTuple):
    """A list of what earlier steps made."""

    items: tuple[At, ...]


class Titled(NamedTuple):
    """An ordered dict of what earlier steps made."""

    pairs: tuple[tuple[str, At], ...]


class Step(NamedTuple):
    """One call.

    Attributes:
        by: who is asked.
        call: for what.
        arguments: data, objects made before, or a step whose result is nobody else's.
        makes: the path of what it makes; None where it only changes what is there.
        kind: what that is: a module, a parameter, a buffer, a tensor, a value.
        owner: the path of the object that is not whole without this step.
        held: whether the values that it writes are those that a module of somebody else's had already.
    """

    by: str
    call: str
    arguments: tuple[Any, ...] = ()
    makes: str | None = None
    kind: str = ""
    owner: str = ""
    held: bool = False


def plan(
    blueprint: bp.Blueprint, implementation: Lens, device: str = "cpu", known: ModuleModel | None = None
) -> list[Step]:
    """The steps that build the tree on that device.

    Args:
        blueprint: of what is built, wrapper and all, without what the implementation cannot hold.
        implementation: what is asked; nothing is made on it.
        device: where parameters and buffers are.
        known: the model of the blueprint, if there is one already.
    """
    return list(flattened(_Planner(implementation, device, known or model.of(blueprint)).tree(blueprint)))


Steps = Iterator[Any]  # of steps, and of iterators of steps


class _Planner:
    def __init__(self, implementation: Lens, device: str, known: ModuleModel):
        self.implementation = implementation
        self.device = device
        self.models = {module.path: module for module in known.modules()}
        self.assigns = implementation.lacks("Module.__setattr__") is None
        self.modes: dict[str, bool] = {}  # of modules that somebody else made, as they come
        self.owners: dict[str, str] = {}  # of what is reached, and not built here, where that is not the object itself

    def tree(self, blueprint: bp.Blueprint) -> Steps:
        yield self.module(blueprint, "")
        if self.implementation.changes_in_place:
            yield Step(IMPLEMENTATION, "wrap", (At(""),), "", "module")
            yield self.adopted(blueprint)
        modes = "tree.mode" not in self.implementation.lacking
        for path, node in blueprint.walk():
            owner = self.owners.get(path, path)
            if modes:
                yield Step(PYTHON, "mode", (At(path), node.training, self.modes.get(path, True)), owner=owner)
            for hook in node.hooks:
                yield Step(SUBJECT, "register", (hook, At(path)), owner=owner)

    def module(self, node: bp.Blueprint, path: str) -> Steps:
        if node.kind == "Given":
            yield self.given(node, path)
            return
        if node.kind == "Wrapper":
            yield self.wrapper(node, path)
            return
        expected = self.models[path]
        below = f"{path}." if path else ""
        for name, member in node.members:
            if (steps := self.member(member, below + name)) is not None:
                yield steps
        children = {name: At(below + name) for name, child in expected.modules_.items() if child is not None}
        yield self.construction(node, path, children)
        for name, member in node.members:
            made = None if isinstance(member, bp.Empty) else At(below + name)
            if (step := self.registered(path, name, member, made)) is not None:
                yield step
        if node.kind == "Chain":
            yield Step(PYTHON, "setattr", (At(path), "steps", list(children)), owner=path)

    def construction(self, node: bp.Blueprint, path: str, children: dict[str, At]) -> Step:
        """The call of the class: Sequential and ModuleList take their children with them, the others are filled."""
        arguments: tuple[Any, ...] = ()
        if node.kind in bp.LAYERS:
            arguments = node.arguments
        elif node.kind == "Sequential":
            numbered = all(name == str(i) for i, name in enumerate(children))
            arguments = tuple(children.values()) if numbered else (Titled(tuple(children.items())),)
        elif node.kind == "ModuleList":
            arguments = (Listed(tuple(children.values())),)
        call = self.implementation.in_trees.get(node.kind, node.kind) if path else node.kind
        if "module_for" in vars(self.implementation):  # of an adapter that was written before 0.3
            call, arguments = "module_for", (node, Titled(tuple(children.items())))
        return Step(IMPLEMENTATION, call, arguments, path, "module", path)

    def member(self, member: bp.Member, path: str) -> Step | Steps | None:
        """What stands under that path, before it is registered there: nothing, for a name that is only reserved."""
        if isinstance(member, bp.Blueprint):
            return self.module(member, path)
        if isinstance(member, bp.Empty):
            return None
        if isinstance(member, bp.Parameter):
            tensor = Step(IMPLEMENTATION, "make", (member, self.device))
            return Step(IMPLEMENTATION, "parameter", (tensor, member.differentiable), path, "parameter", path)
        if isinstance(member, bp.Buffer):
            return Step(IMPLEMENTATION, "make", (member, self.device), path, "buffer", path)
        if isinstance(member, bp.Shared):
            return Step(PYTHON, "same", (At(member.path),), path)
        assert isinstance(member, bp.Attribute)
        if isinstance(member.value, bp.Tensor):
            return Step(IMPLEMENTATION, "make", (member.value,), path, "tensor", path)
        return Step(PYTHON, "value", (member.value,), path, "value", path)

    def registered(self, path: str, name: str, member: bp.Member, made: At | None) -> Step | None:
        """How the module at the path gets the member; None where the constructor has taken it, or there is nothing to do."""
        expected, here = self.models[path], At(path)
        kind = expected.kind
        by, call, arguments = IMPLEMENTATION, "place", (here, name, made, "member")
        if isinstance(member, bp.Attribute):
            arguments = (here, name, made, "attribute")
        elif name in expected.modules_:
            if kind in ("Sequential", "ModuleList") and made is not None:
                return None
            by, call, arguments = self.assigned(here, name, made, "add_module")
            if kind == "ModuleDict" and made is not None:
                by, call = PYTHON, "setitem"
        elif name in expected.buffers_:
            if kind not in bp.LAYERS:
                arguments = (here, name, made, "transient" if name in expected.transient else "buffer")
        elif kind == "ParameterList":
            by, call, arguments = OBJECT, "append", (here, made)
        elif kind == "ParameterDict":
            by, call, arguments = PYTHON, "setitem", (here, name, made)
        elif kind not in bp.LAYERS:
            by, call, arguments = self.assigned(here, name, made, "register_parameter")
        elif made is None:
            return None
        return Step(by, call, arguments, owner=path)

    def assigned(self, here: At, name: str, made: At | None, otherwise: str) -> tuple[str, str, tuple[Any, ...]]:
        """The call by which a module gets something under a name: an assignment where one can be written."""
        if name.isidentifier() and made is not None and self.assigns:
            return PYTHON, "setattr", (here, name, made)
        return OBJECT, otherwise, (here, name, made)

    # --- wrappers -------------------------------------------------------------------------------------------------

    def wrapper(self, node: bp.Blueprint, path: str) -> Steps:
        """A wrapper makes what it holds beside the wrapped module itself: that is overwritten with the blueprint's values."""
        name, below = node.children[-1]
        yield self.module(below, model.join(path, name))
        yield Step(IMPLEMENTATION, "wrap", (At(model.join(path, name)),), path, "module", path)
        yield self.adopted(node)
        for name, member in node.members:
            if isinstance(member, bp.Tensor):
                yield Step(IMPLEMENTATION, "write", (At(name), member.values()))

    def adopted(self, root: bp.Blueprint) -> Steps:
        """What the wrapped tree holds under the names of the blueprint is what counts from now on."""
        self.owners = dict.fromkeys(self.models, "")
        yield Step(SUBJECT, "forget", (At(""),), "", "module")
        yield self.found(root, "")

    def found(self, node: bp.Blueprint, path: str) -> Steps:
        for name, member in node.members:
            if isinstance(member, bp.Empty):
                continue
            here = model.join(path, name)
            kind = {bp.Blueprint: "module", bp.Parameter: "parameter", bp.Buffer: "buffer"}.get(type(member), "value")
            yield Step(PYTHON, "getattr", (At(path), name), here, kind, here)
            if isinstance(member, bp.Blueprint):
                yield self.found(member, here)

    # --- modules that somebody else made ----------------------------------------------------------------------------

    def given(self, node: bp.Blueprint, path: str) -> Steps:
        """A module of the factory's, changed until it holds what the blueprint says."""
        made = Step(IMPLEMENTATION, "new", (), path, "module", path)
        if self.device != "cpu":
            made = Step(IMPLEMENTATION, "move", (made._replace(makes=None), self.device), path, "module", path)
        yield made
        yield self.filled(node, self.implementation.described, path, "", path)

    def filled(self, node: bp.Blueprint, was: bp.Blueprint, path: str, inside: str, whole: str) -> Steps:
        """``inside`` is the path within the factory's module, which stands at ``whole`` and owns all that is done to it."""
        before = dict(was.members)
        self.modes[path], self.owners[path] = was.training, whole
        for name, member in node.members:
            here, held = model.join(path, name), before.get(name)
            if isinstance(member, bp.Blueprint) and member.kind == "Given":
                assert isinstance(held, bp.Blueprint)
                yield self.reached(path, inside, name, "module")
                yield self.filled(member, held, here, model.join(inside, name), whole)
            elif isinstance(member, bp.Shared) and held == member:
                yield Step(PYTHON, "same", (At(member.path),), here)
            elif isinstance(member, bp.Tensor) and alike(member, held):
                yield self.reached(path, inside, name, "parameter" if isinstance(member, bp.Parameter) else "buffer")
                known = member.held is not None
                yield Step(IMPLEMENTATION, "write", (At(here), member.values()), owner=whole, held=known)
            elif held is None and self.implementation.has(inside, name):
                raise bp.NameTaken(
                    f"the module has an attribute {name!r} of its own, where this clause would add a member"
                )
            elif held is None or not isinstance(member, bp.Empty):
                if (steps := self.member(member, here)) is not None:
                    yield steps
                made = None if isinstance(member, bp.Empty) else At(here)
                if (step := self.registered(path, name, member, made)) is not None:
                    yield step._replace(owner=whole)

    def reached(self, path: str, inside: str, name: str, kind: str) -> Step:
        """How something that the module holds already is taken hold of: as its attribute, where it is one."""
        here = model.join(path, name)
        if self.implementation.is_attribute(inside, name):
            return Step(PYTHON, "getattr", (At(path), name), here, kind, here)
        return Step(IMPLEMENTATION, "member_of", (At(path), name), here, kind, here)


def alike(member: bp.Tensor, before: Any) -> bool:
    """Whether the tensor that is there can take the values."""
    return (
        type(member) is type(before)
        and (member.shape, member.dtype) == (before.shape, before.dtype)
        and (not isinstance(member, bp.Parameter) or member.differentiable == before.differentiable)
    )
