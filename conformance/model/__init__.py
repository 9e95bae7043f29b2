"""The oracle: from a blueprint alone, what every observation must be. Imports no framework.

``of(blueprint)`` makes a :class:`ModuleModel`, three ordered dicts per module as the documentation describes them. Its
methods carry torch's names and return plain data; an object is represented by its *path*, the dotted name under which
it was first registered, so that ``[("a", "a"), ("b", "a")]`` says that names ``a`` and ``b`` are one object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from conformance.language import blueprint as bp
from conformance.language.depth import unbounded

Named = list[tuple[str, str]]


class Reading(NamedTuple):
    """What a tensor holds: its shape, the name of its dtype, its elements in row-major order."""

    shape: tuple[int, ...]
    dtype: str
    flat: tuple[Any, ...]


def reading(tensor: bp.Tensor | TensorModel) -> Reading:
    """What an adapter must read from the tensor that a blueprint or a model describes."""
    return Reading(tensor.shape, tensor.dtype, tensor.flat)


@dataclass(eq=False)
class TensorModel:
    """One parameter or buffer object: two names are tied exactly if they hold the same TensorModel."""

    path: str
    kind: str  # "parameter" or "buffer"
    shape: tuple[int, ...]
    dtype: str
    flat: tuple[Any, ...]
    requires_grad: bool = False

    def values(self) -> Any:
        """The elements as nested lists."""
        return bp.nest(self.flat, self.shape)


@dataclass(eq=False)
class ModuleModel:
    """One module object: its registries in registration order, None where a name is reserved."""

    path: str
    kind: str
    arguments: tuple[Any, ...] = ()
    training: bool = True
    parameters_: dict[str, TensorModel | None] = field(default_factory=dict)
    buffers_: dict[str, TensorModel | None] = field(default_factory=dict)
    modules_: dict[str, ModuleModel | None] = field(default_factory=dict)
    transient: set[str] = field(default_factory=set)  # names of the non-persistent buffers
    attributes: dict[str, Any] = field(default_factory=dict)
    hooks: tuple[bp.Hook, ...] = ()

    @property
    def children_(self) -> list[tuple[str, ModuleModel]]:
        """The registered modules, by name, without names that are only reserved."""
        return [(name, child) for name, child in self.modules_.items() if child is not None]

    # --- traversal -----------------------------------------------------------------------------------------------

    def walk(self, prefix: str = "") -> Iterator[tuple[str, ModuleModel]]:
        """Every (name, module) path from here, depth first in registration order, a shared module once per path."""
        waiting = [(prefix, self)]
        while waiting:
            path, module = waiting.pop()
            yield path, module
            waiting += [(join(path, name), child) for name, child in reversed(module.children_)]

    def visits(self, prefix: str = "", seen: set[ModuleModel] | None = None) -> Iterator[tuple[str, ModuleModel]]:
        """As ``walk``, each module once, under its first path."""
        seen = set() if seen is None else seen
        waiting = [(prefix, self)]
        while waiting:
            path, module = waiting.pop()
            if module not in seen:
                seen.add(module)
                yield path, module
                waiting += [(join(path, name), child) for name, child in reversed(module.children_)]

    def named_modules(self, prefix: str = "", remove_duplicate: bool = True) -> Named:
        """(name, path) of this module and all below it."""
        walk = self.visits(prefix) if remove_duplicate else self.walk(prefix)
        return [(name, module.path) for name, module in walk]

    def named_children(self) -> Named:
        """(name, path) of the immediate children, an object under two names once."""
        return once((name, child.path) for name, child in self.modules_.items() if child is not None)

    def _named(self, registry: str, prefix: str, recurse: bool, remove_duplicate: bool) -> Named:
        walk = [(prefix, self)] if not recurse else list((self.visits if remove_duplicate else self.walk)(prefix))
        named = [
            (join(path, name), tensor.path)
            for path, module in walk
            for name, tensor in getattr(module, registry).items()
            if tensor is not None
        ]
        return once(named) if remove_duplicate else named

    def named_parameters(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True) -> Named:
        """(name, path) of the parameters."""
        return self._named("parameters_", prefix, recurse, remove_duplicate)

    def named_buffers(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True) -> Named:
        """(name, path) of the buffers, persistent or not."""
        return self._named("buffers_", prefix, recurse, remove_duplicate)

    def modules(self) -> list[ModuleModel]:
        """Every module once."""
        return [module for _, module in self.visits()]

    def tensors(self) -> dict[str, TensorModel]:
        """Every parameter and buffer object of the tree, by path."""
        found = {}
        for module in self.modules():
            for tensor in (*module.parameters_.values(), *module.buffers_.values()):
                if tensor is not None:
                    found[tensor.path] = tensor
        return found

    def apply_order(self) -> list[str]:
        """Paths of the modules in the order in which ``apply`` visits them: children before the module itself."""
        order: list[str] = []
        waiting = [self]
        while waiting:  # the module itself and then its children, the last one first: just the other way round
            module = waiting.pop()
            order.append(module.path)
            waiting += {child.path: child for _, child in module.children_}.values()
        return order[::-1]

    # --- state ---------------------------------------------------------------------------------------------------

    def state_dict(self, prefix: str = "") -> Named:
        """(key, path) of every parameter and persistent buffer; own ones first, then each child's."""
        entries: Named = []
        waiting = [(prefix, self)]
        while waiting:
            start, module = waiting.pop()
            lasting = {name: each for name, each in module.buffers_.items() if name not in module.transient}
            for name, tensor in (*module.parameters_.items(), *lasting.items()):
                if tensor is not None:
                    entries.append((start + name, tensor.path))
            waiting += [(f"{start}{name}.", child) for name, child in reversed(module.children_)]
        return entries

    def state(self) -> dict[str, TensorModel]:
        """The TensorModel under each key of the state_dict, in order."""
        tensors = self.tensors()
        return {key: tensors[path] for key, path in self.state_dict()}

    def modes(self) -> dict[str, bool]:
        """The training flag of every module, by path."""
        return {module.path: module.training for module in self.modules()}

    def at(self, path: str) -> ModuleModel:
        """The module under that dotted name."""
        return dict(self.walk())[path]


def of(blueprint: bp.Blueprint) -> ModuleModel:
    """The model of the tree that a blueprint describes.

    Raises:
        BlueprintError: a Shared that points to nothing registered before it, or to itself from inside.
    """
    return _module(blueprint, "", {})


@unbounded
def _module(node: bp.Blueprint, path: str, objects: dict[str, Any]) -> Any:
    module = ModuleModel(path, node.kind, node.arguments, node.training, hooks=node.hooks)
    for name, member in node.members:
        here = join(path, name)
        if name in module.parameters_ or name in module.buffers_ or name in module.modules_:
            raise bp.BlueprintError(f"the name {here!r} is used twice")
        made: Any
        if isinstance(member, bp.Shared):
            if member.path not in objects:
                raise bp.BlueprintError(f"{here!r} shares {member.path!r}, which is not registered before it")
            made = objects[member.path]
        elif isinstance(member, bp.Blueprint):
            made = yield _module.recur(member, here, objects)
        elif isinstance(member, bp.Parameter):
            made = TensorModel(here, "parameter", member.shape, member.dtype, member.flat, member.differentiable)
        elif isinstance(member, bp.Buffer):
            made = TensorModel(here, "buffer", member.shape, member.dtype, member.flat)
        elif isinstance(member, bp.Empty):
            made = None
        else:
            module.attributes[name] = member.value
            continue
        objects[here] = made
        kind = member.kind if isinstance(member, bp.Empty) else getattr(made, "kind", "module")
        if kind == "parameter":
            module.parameters_[name] = made
        elif kind == "buffer":
            module.buffers_[name] = made
            if getattr(member, "persistent", True) is False:
                module.transient.add(name)
        else:
            module.modules_[name] = made
    return module


def join(prefix: str, name: str) -> str:
    """Attribute path: the parts joined by a dot."""
    return f"{prefix}.{name}" if prefix else name


def once(named: Iterable[tuple[str, str]]) -> Named:
    """Keep the first name of each object."""
    first: dict[str, str] = {}
    for name, path in named:
        first.setdefault(path, name)
    return [(name, path) for path, name in first.items()]


def renumber(values: list[Any]) -> dict[str, Any]:
    """The names that an indexed container gives its items: "0", "1", ..."""
    return {str(i): value for i, value in enumerate(values)}


# --- printing ----------------------------------------------------------------------------------------------------


def extra_repr(module: ModuleModel) -> str:
    """The text between the parentheses of a leaf layer's repr, as the documentation's examples show it."""
    if module.kind == "Linear":
        i, o, bias = (*module.arguments, True)[:3]
        return f"in_features={i}, out_features={o}, bias={bias}"
    if module.kind == "Dropout":
        return f"p={(*module.arguments, 0.5)[0]}, inplace=False"
    return ""


def representation(
    module: ModuleModel,
    class_name: dict[str, str] | None = None,
    extra: Callable[[ModuleModel], str] = extra_repr,
) -> str:
    """``repr(module)``: one line per child, indented by two blanks; runs of equal items of a ModuleList compressed.

    Args:
        module: the model of the module.
        class_name: names of classes that differ from the kinds.
        extra: what a leaf layer prints between its parentheses.
    """
    name = (class_name or {}).get(module.kind, module.kind)
    texts = {
        key: representation(child, class_name, extra) if child else "None" for key, child in module.modules_.items()
    }
    lines = [f"({key}): {text}" for key, text in texts.items()]
    if module.kind == "ModuleList":
        lines = _runs([text for key, text in texts.items() if module.modules_[key]])
    if not lines:
        return f"{name}({extra(module)})"
    body = "\n".join(lines).replace("\n", "\n  ")
    return f"{name}(\n  {body}\n)"


def _runs(texts: list[str]) -> list[str]:
    lines = []
    start = 0
    for i in range(1, len(texts) + 1):
        if i == len(texts) or texts[i] != texts[start]:
            count = i - start
            lines.append(f"({start}): {texts[start]}" if count == 1 else f"({start}-{i - 1}): {count} x {texts[start]}")
            start = i
    return lines


# --- computing ---------------------------------------------------------------------------------------------------

Rows = list[list[float]]  # an input of shape (batch, features)


def forward(module: ModuleModel, rows: Rows, log: list[tuple[str, str]] | None = None) -> Rows:
    """What calling the module gives for a two-dimensional input, Dropout and BatchNorm in evaluation mode.

    ``log`` collects (hook name, path of the module) in the order in which forward pre-hooks and forward hooks fire.
    """
    log = [] if log is None else log
    before = [hook for hook in module.hooks if hook.kind == "forward_pre"]
    after = [hook for hook in module.hooks if hook.kind == "forward"]
    for hook in in_firing_order(before):
        log.append((hook.name, module.path))
        rows = shifted(rows, hook.adds)
    rows = _compute(module, rows, log)
    for hook in in_firing_order(after):
        log.append((hook.name, module.path))
        rows = shifted(rows, hook.adds)
    return rows


def in_firing_order(hooks: Iterable[bp.Hook]) -> list[bp.Hook]:
    """Registration order, except that ``prepend=True`` puts a hook before all existing ones."""
    order: list[bp.Hook] = []
    for hook in hooks:
        order.insert(0 if hook.prepend else len(order), hook)
    return order


def shifted(rows: Rows, adds: float | None) -> Rows:
    """Every element plus ``adds``; unchanged for None."""
    return rows if adds is None else [[x + adds for x in row] for row in rows]


def _compute(module: ModuleModel, rows: Rows, log: list[tuple[str, str]]) -> Rows:
    values = {name: tensor.values() for name, tensor in module.parameters_.items() if tensor is not None}
    values |= {name: tensor.values() for name, tensor in module.buffers_.items() if tensor is not None}
    if module.kind == "Linear":
        bias = values.get("bias") or [0.0] * len(values["weight"])
        return [[sum(w * x for w, x in zip(ws, row)) + b for ws, b in zip(values["weight"], bias)] for row in rows]
    if module.kind == "BatchNorm1d":
        scale = [w / (v + 1e-5) ** 0.5 for w, v in zip(values["weight"], values["running_var"])]
        return [
            [(x - m) * s + b for x, m, s, b in zip(row, values["running_mean"], scale, values["bias"])] for row in rows
        ]
    if module.kind == "ReLU":
        return [[max(x, 0.0) for x in row] for row in rows]
    if module.kind in ("Chain", "Sequential", "Wrapper"):
        for child in module.modules_.values():
            if child is not None:
                rows = _run(child, rows, log)
    return rows


def _run(module: ModuleModel, rows: Rows, log: list[tuple[str, str]]) -> Rows:
    """A child of a Chain: a list or dict of modules has no forward of its own, so its items run one after another."""
    if module.kind in ("ModuleList", "ModuleDict"):
        for child in module.modules_.values():
            if child is not None:
                rows = _run(child, rows, log)
        return rows
    return forward(module, rows, log)
