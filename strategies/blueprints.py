"""Trees of modules, as data.

Hypothesis draws one byte string; each byte is one instruction to a small machine that grows a tree (open a container, add
a layer, register a parameter, share something, close). That costs one draw a tree instead of dozens, and it shrinks
well: deleting a byte deletes an instruction, and every byte string is a valid program. A zero byte does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

from conformance.language import blueprint as bp
from strategies.names import NAMES
from strategies.tensors import SHAPES

_LEAVES: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("Identity", ()),
    ("Linear", (2, 2)),
    ("ReLU", ()),
    ("BatchNorm1d", (2,)),
    ("Linear", (2, 3, False)),
    ("Dropout", (0.5,)),
    ("Linear", (3, 1)),
    ("Linear", (1, 2, False)),
)
_CALLABLE_LEAVES: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("Identity", ()),
    ("Linear", (2, 2)),
    ("ReLU", ()),
    ("BatchNorm1d", (2,)),
    ("Linear", (2, 2, False)),
    ("Dropout", (0.5,)),
)
_HOOKS = ("forward_pre", "forward")
_EMPTY = ("parameter", "buffer", "module")


@lru_cache(maxsize=8192)
def _tensor(make: Callable[..., bp.Tensor], *arguments: Any) -> bp.Tensor:
    return make(*arguments)


@lru_cache(maxsize=8192)
def _layer(kind: str, arguments: tuple[Any, ...], fill: int, training: bool) -> bp.Blueprint:
    return getattr(bp, kind)(*arguments, fill=fill, training=training)


class _Open:
    """A container that is still being filled."""

    __slots__ = ("kind", "path", "members", "names", "count", "training", "hooks")

    def __init__(self, kind: str, path: str):
        self.kind = kind
        self.path = path
        self.members: list[tuple[str, Any]] = []
        self.names: set[str] = set()
        self.count = 0  # of items in an indexed container
        self.training = True
        self.hooks: list[bp.Hook] = []

    def close(self) -> bp.Blueprint:
        return bp.Blueprint(self.kind, tuple(self.members), self.training, tuple(self.hooks))


class _Grower:
    """The machine. ``run`` executes a program and returns the tree."""

    def __init__(
        self,
        root: str,
        leaves: Sequence[Any],
        dtypes: Sequence[str],
        max_depth: int,
        max_nodes: int,
        shared: bool = True,
    ):
        self.shared = shared
        # In a tree that is to be called, what a Sequential runs must have a forward.
        self.runs = root == "Chain"
        self.leaves = leaves
        self.dtypes = dtypes
        self.max_depth = max_depth
        self.nodes = 1
        self.max_nodes = max_nodes
        self.stack = [_Open(root, "")]
        self.closed: list[tuple[str, str]] = []  # (path, kind) of finished modules, which may be shared
        self.tensors: list[tuple[str, bool]] = []  # (path, is it a buffer), which may be shared
        self.fill = 0
        self.hooks = 0

    def run(self, program: bytes, instructions: Sequence[Callable[[_Grower, int], None]]) -> bp.Blueprint:
        for byte in program:
            instructions[byte >> 4](self, byte & 15)
        while len(self.stack) > 1:
            self.close(0)
        return self.stack[0].close()

    # Instructions: each takes the low half of its byte.

    def close(self, arg: int) -> None:
        """Finish the innermost container."""
        if len(self.stack) > 1:
            done = self.stack.pop()
            self.closed.append((done.path, done.kind))
            self.add(done.path.rpartition(".")[2], done.close())

    def idle(self, arg: int) -> None:
        """Zero does nothing, so that shrinking ends there; anything else closes."""
        if arg:
            self.close(arg)

    def open(self, kind: str) -> Callable[[int], None]:
        def instruction(arg: int) -> None:
            if len(self.stack) <= self.max_depth and self.nodes < self.max_nodes:
                allowed = kind if self.may_hold(kind) else "Sequential"
                name = self.child_name(arg)
                self.reserve(name)
                self.nodes += 1
                self.stack.append(_Open(allowed, self.join(name)))

        return instruction

    def leaf(self, arg: int) -> None:
        """A layer; the upper half of the arguments puts it in evaluation mode."""
        if self.nodes >= self.max_nodes:
            return
        kind, arguments = self.leaves[arg % len(self.leaves)]
        name = self.child_name(arg)
        self.reserve(name)
        self.nodes += 1
        path = self.join(name)
        layer = _layer(kind, arguments, self.next_fill(len(bp.layer_members(kind, arguments, 0))), arg < 8)
        self.add(name, layer)
        self.closed.append((path, kind))
        self.tensors += [
            (f"{path}.{own}", type(member) is bp.Buffer)
            for own, member in layer.members
            if isinstance(member, bp.Tensor)
        ]

    def parameter(self, arg: int) -> None:
        """A float32 parameter; the last few do not require gradients."""
        grad = False if arg >= 13 else None
        self.tensor(arg, _tensor(bp.Parameter, SHAPES[arg % len(SHAPES)], self.dtypes[0], self.next_fill(1), grad))

    def typed(self, arg: int) -> None:
        """A parameter or a buffer of another dtype."""
        dtype = self.dtypes[arg % len(self.dtypes)]
        shape = SHAPES[self.fill % len(SHAPES)]
        make = bp.Parameter if arg % 2 else bp.Buffer
        self.tensor(arg, _tensor(make, shape, dtype, self.next_fill(1)))

    def buffer(self, arg: int) -> None:
        """A persistent buffer, or for odd arguments one that is not."""
        self.tensor(arg, _tensor(bp.Buffer, SHAPES[arg % len(SHAPES)], self.dtypes[0], self.next_fill(1), arg % 2 == 0))

    def tensor(self, arg: int, tensor: bp.Tensor) -> None:
        name = self.own_name(arg)
        self.reserve(name)
        self.tensors.append((self.join(name), type(tensor) is bp.Buffer))
        self.add(name, tensor)

    def parameter_container(self, arg: int) -> None:
        """A ParameterList or ParameterDict of 0 to 3 entries, the last of which may be a parameter seen before."""
        if self.nodes >= self.max_nodes:
            return
        kind = "ParameterDict" if arg & 1 else "ParameterList"
        name = self.child_name(arg)
        self.reserve(name)
        self.nodes += 1
        path = self.join(name)
        members: list[tuple[str, Any]] = []
        for i in range((arg >> 1) & 3):
            own = str(i) if kind == "ParameterList" else NAMES[(arg + i) % len(NAMES)]
            members.append((own, _tensor(bp.Parameter, SHAPES[(arg + i) % len(SHAPES)], "float32", self.next_fill(1))))
        known = [p for p, is_buffer in self.tensors if not is_buffer]
        if self.shared and arg >= 8 and members and known:
            members[-1] = (members[-1][0], bp.Shared(known[arg % len(known)]))
        self.tensors += [(f"{path}.{own}", False) for own, m in members if isinstance(m, bp.Parameter)]
        self.closed.append((path, kind))
        self.add(name, bp.Blueprint(kind, tuple(members)))

    def share_module(self, arg: int) -> None:
        """One more name for a module that is finished."""
        candidates = [path for path, kind in self.closed if self.may_hold(kind)]
        if candidates:
            name = self.child_name(arg)
            self.reserve(name)
            self.add(name, bp.Shared(candidates[-1 - arg % len(candidates)]))

    def share_tensor(self, arg: int) -> None:
        """One more name for a parameter or buffer."""
        if self.tensors:
            path, is_buffer = self.tensors[-1 - arg % len(self.tensors)]
            name = self.own_name(arg)
            self.reserve(name)
            self.add(name, bp.Shared(path, persistent=not is_buffer or arg < 8))

    def empty(self, arg: int) -> None:
        """A name registered as None."""
        kind = _EMPTY[arg % 3]
        if kind == "module" and self.stack[-1].kind not in ("Module", "Chain", "ModuleDict"):
            kind = "parameter"
        name = self.child_name(arg) if kind == "module" else self.own_name(arg)
        self.reserve(name)
        self.add(name, bp.Empty(kind))

    def mode(self, arg: int) -> None:
        """Evaluation mode for the innermost container, or a plain attribute on it."""
        if arg < 10:
            self.stack[-1].training = False
        else:
            name = self.own_name(arg)
            self.reserve(name)
            value = bp.Tensor((2,), "float32", arg) if arg % 2 else (None, "text", 3)[arg % 3]
            self.add(name, bp.Attribute(value))

    def evaluation(self, arg: int) -> None:
        """As ``mode``, with a parameter instead of the plain attribute."""
        if arg < 10:
            self.stack[-1].training = False
        else:
            self.parameter(arg)

    def hook(self, arg: int) -> None:
        """A forward pre-hook or forward hook on the innermost container."""
        kind = _HOOKS[arg & 1]
        self.stack[-1].hooks.append(
            bp.Hook(
                kind,
                f"{kind}{self.hooks}",
                prepend=bool(arg & 2),
                with_kwargs=bool(arg & 4),
                adds=1.0 + self.hooks if arg & 8 else None,
            )
        )
        self.hooks += 1

    # Names and places.

    def may_hold(self, kind: str) -> bool:
        """Whether the innermost container can run a module of that kind, where that matters."""
        return not (self.runs and self.stack[-1].kind == "Sequential" and kind in ("ModuleList", "ModuleDict"))

    def join(self, name: str) -> str:
        path = self.stack[-1].path
        return f"{path}.{name}" if path else name

    def add(self, name: str, member: Any) -> None:
        self.stack[-1].members.append((name, member))

    def reserve(self, name: str) -> None:
        self.stack[-1].names.add(name)

    def child_name(self, arg: int) -> str:
        here = self.stack[-1]
        if here.kind in bp.INDEXED:
            here.count += 1
            return str(here.count - 1)
        return self.own_name(arg)

    def own_name(self, arg: int) -> str:
        """A free name; digits stay out of indexed containers, whose items have them."""
        here = self.stack[-1]
        for i in range(len(NAMES)):
            name = NAMES[(arg + i) % len(NAMES)]
            if name not in here.names and not (name.isdigit() and here.kind in bp.INDEXED):
                return name
        return f"n{len(here.names)}"

    def next_fill(self, count: int) -> int:
        self.fill += count
        return (self.fill - count) % 31


def _instructions(names: Sequence[str]) -> list[Callable[[_Grower, int], None]]:
    table = []
    for name in names:
        if name in bp.CONTAINERS:
            table.append(lambda grower, arg, kind=name: grower.open(kind)(arg))
        else:
            table.append(getattr(_Grower, name))
    return table  # type: ignore[return-value]


#: What the upper half of a byte selects.
_TREE = (
    "idle", "leaf", "Module", "parameter", "Sequential", "ModuleList", "ModuleDict", "buffer",
    "close", "share_module", "share_tensor", "empty", "parameter_container", "typed", "mode", "leaf",
)  # fmt: skip
_CALLABLE = _instructions(
    ["idle", "leaf", "Chain", "leaf", "Sequential", "ModuleList", "ModuleDict", "close"]
    + ["share_module", "leaf", "hook", "Sequential", "hook", "mode", "share_module", "leaf"]
)


@st.composite
def _grown(draw: st.DrawFn, programs: st.SearchStrategy[bytes], grow: Callable[[bytes], bp.Blueprint]) -> bp.Blueprint:
    """A composite, since Hypothesis prints what ``map`` made as a call of the function, not as the tree it is."""
    return grow(draw(programs))


def blueprints(
    *,
    kinds: Sequence[str] = ("Module", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"),
    dtypes: Sequence[str] = bp.DTYPES,
    shared: bool = True,
    empty: bool = True,
    attributes: bool = True,
    max_depth: int = 5,
    max_nodes: int = 24,
    min_size: int = 12,
    max_size: int = 52,
) -> st.SearchStrategy[bp.Blueprint]:
    """Trees whose root is a Module; the main strategy. Shrinks to ``Module()``.

    Args:
        kinds: containers below the root.
        dtypes: of parameters and buffers registered directly (layers have theirs); the first is the usual one.
        shared: whether modules, parameters and buffers may have several names.
        empty: whether names may be registered as None.
        attributes: whether there are plain attributes, which nothing should register.
        max_depth, max_nodes: limits of the tree.
        min_size, max_size: length of the program that is drawn; more makes larger trees.
    """
    off = {"share_module": shared, "share_tensor": shared, "empty": empty}
    names = list(_TREE)
    plain = not {"ParameterList", "ParameterDict"} <= set(kinds)
    for i, name in enumerate(names):
        if not off.get(name, True) or (name in bp.CONTAINERS and name not in kinds):
            names[i] = "leaf"
        if name == "parameter_container" and plain:
            names[i] = "parameter"
        if name == "mode" and not attributes:
            names[i] = "evaluation"
    table = _instructions(names)
    # A Linear without bias registers None for it.
    leaves = [leaf for leaf in _LEAVES if empty or False not in leaf[1]]

    def grow(program: bytes) -> bp.Blueprint:
        return _Grower("Module", leaves, tuple(dtypes), max_depth, max_nodes, shared).run(program, table)

    strategy = _grown(st.binary(min_size=min_size, max_size=max_size), grow)
    strategy.promises = (shared, frozenset(dtypes))  # type: ignore[attr-defined]
    return strategy


def callables(
    *, hooks: bool = False, max_depth: int = 4, max_nodes: int = 12, min_size: int = 6, max_size: int = 32
) -> st.SearchStrategy[bp.Blueprint]:
    """Trees that map an input of shape (batch, 2) to an output of that shape. Shrinks to ``Chain()``.

    Args:
        hooks: whether containers carry recorded forward pre-hooks and forward hooks.
        max_depth, max_nodes, min_size, max_size: as for ``blueprints``.
    """

    def grow(program: bytes) -> bp.Blueprint:
        tree = _Grower("Chain", _CALLABLE_LEAVES, ("float32",), max_depth, max_nodes).run(program, _CALLABLE)
        return tree if hooks else _without_hooks(tree)

    return _grown(st.binary(min_size=min_size, max_size=max_size), grow)


def _without_hooks(member: Any) -> Any:
    return member.map(_without_hooks).replace(hooks=()) if isinstance(member, bp.Blueprint) else member
