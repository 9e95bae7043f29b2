"""Blueprints: frozen, pure-data descriptions of module trees.

A blueprint says what a tree of modules *is*, never how a framework stores it: no tensor and no live module is inside.
Blueprints compare and hash by structure, and their ``repr`` is Python that rebuilds them::

    >>> tree = Module({"weight": Parameter((2,)), "body": Sequential([Linear(2, 2), Shared("body.0")])})
    >>> eval(repr(tree)) == tree
    True
    >>> [path for path, _ in tree.walk()]
    ['', 'body', 'body.0']

Two names for one object are written with :class:`Shared`, which gives the path at which the object was first registered.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from conformance.language.depth import unbounded

#: Every dtype a blueprint may ask for. Values are chosen so that each is exact in all floating-point dtypes.
DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "bool", "complex64")
#: The dtypes in which a parameter may require gradients.
DIFFERENTIABLE = frozenset({"float32", "float64", "float16", "bfloat16", "complex64"})


class NameTaken(ValueError):
    """A property adds a member under a name that a module made by somebody else has already."""


class BlueprintError(ValueError):
    """A blueprint that describes no module tree: an unknown dtype, a name used twice, a Shared that points nowhere."""


# --- tensors -----------------------------------------------------------------------------------------------------


def size(shape: tuple[int, ...]) -> int:
    """The number of elements of a tensor of that shape."""
    count = 1
    for extent in shape:
        count *= extent
    return count


def nest(flat: Iterable[Any], shape: tuple[int, ...]) -> Any:
    """Arrange a flat sequence as nested lists of that shape (row-major); a scalar for shape ``()``."""
    flat = list(flat)
    if len(shape) < 2:
        return flat if shape else flat[0]
    step = size(shape[1:])
    return [nest(flat[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]


def convert(value: Any, dtype: str) -> Any:
    """The Python value that a tensor of that dtype holds where the real number ``value`` was put into it."""
    if dtype == "bool":
        return bool(value)
    if dtype.startswith(("int", "uint")):
        return int(value)
    return complex(value) if dtype.startswith("complex") else float(value)


@lru_cache(maxsize=4096)
def flat_values(shape: tuple[int, ...], dtype: str, fill: int) -> tuple[Any, ...]:
    """The elements, row-major, of the tensor that (shape, dtype, fill) stands for.

    Neighbouring elements and neighbouring fills differ, so that a misplaced value shows; all are multiples of 1/8 below
    2 in size, hence exact in every floating-point dtype down to bfloat16.
    """
    numbers = [(fill * 7 + i * 3) % 31 - 15 for i in range(size(shape))]
    if dtype == "bool":
        return tuple(n % 2 == 1 for n in numbers)
    if dtype == "int64":
        return tuple(numbers)
    if dtype == "complex64":
        return tuple(complex(n / 8, (n % 5) / 8) for n in numbers)
    return tuple(n / 8 for n in numbers)


class _Printed:
    """Hypothesis prints these by their ``repr``, which is Python that can be pasted, and not field by field."""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


@dataclass(frozen=True, repr=False)
class Tensor(_Printed):
    """A plain tensor: its shape, its dtype (one of ``DTYPES``), and the number from which its values follow.

    Where a blueprint describes a module that somebody else made, ``held`` has the elements that were found there, in
    row-major order, and the dtype may be any.
    """

    shape: tuple[int, ...] = ()
    dtype: str = "float32"
    fill: int = 0
    held: tuple[Any, ...] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.held is None and self.dtype not in DTYPES:
            raise BlueprintError(f"unknown dtype {self.dtype!r}: expected one of {', '.join(DTYPES)}")

    @property
    def flat(self) -> tuple[Any, ...]:
        """The elements in row-major order."""
        return flat_values(self.shape, self.dtype, self.fill) if self.held is None else self.held

    def values(self) -> Any:
        """The elements as nested lists."""
        return nest(self.flat, self.shape)

    def __repr__(self) -> str:
        return _call(type(self).__name__, self.shape, *_given(self, dtype="float32", fill=0, **self._defaults))

    _defaults = {}


@dataclass(frozen=True, repr=False)
class Parameter(Tensor):
    """A parameter. ``requires_grad=None`` means the default: True for floating-point and complex dtypes."""

    requires_grad: bool | None = None

    _defaults = {"requires_grad": None}

    @property
    def differentiable(self) -> bool:
        """Whether the built parameter requires gradients."""
        return self.dtype in DIFFERENTIABLE and self.requires_grad is not False


@dataclass(frozen=True, repr=False)
class Buffer(Tensor):
    """A buffer, part of the state_dict unless ``persistent`` is False."""

    persistent: bool = True

    _defaults = {"persistent": True}


@dataclass(frozen=True)
class Empty(_Printed):
    """A name registered as None: ``kind`` is "parameter", "buffer" or "module"."""

    kind: str

    def __post_init__(self) -> None:
        if self.kind not in ("parameter", "buffer", "module"):
            raise BlueprintError(f"Empty({self.kind!r}): expected 'parameter', 'buffer' or 'module'")

    def __repr__(self) -> str:
        return f"Empty({self.kind!r})"


@dataclass(frozen=True)
class Shared(_Printed):
    """One more name for the module, parameter or buffer that was first registered at ``path``."""

    path: str
    persistent: bool = True  # of this name, where the object is a buffer

    def __repr__(self) -> str:
        return f"Shared({self.path!r})" if self.persistent else f"Shared({self.path!r}, persistent=False)"


@dataclass(frozen=True)
class Attribute(_Printed):
    """A plain attribute, which no module system should register: a literal, or a :class:`Tensor`."""

    value: Any

    def __repr__(self) -> str:
        return f"Attribute({self.value!r})"


@dataclass(frozen=True)
class Hook(_Printed):
    """A hook that records its call.

    Attributes:
        kind: "forward_pre", "forward", "full_backward_pre" or "full_backward".
        name: what the hook writes into the log.
        prepend, with_kwargs, always_call: as in torch's ``register_*_hook``.
        adds: None to return None; else the hook returns its input (or output) with this number added.
    """

    kind: str
    name: str
    prepend: bool = False
    with_kwargs: bool = False
    always_call: bool = False
    adds: float | None = None

    def __repr__(self) -> str:
        given = _given(self, prepend=False, with_kwargs=False, always_call=False, adds=None)
        return _call("Hook", self.kind, self.name, *given)


# --- modules -----------------------------------------------------------------------------------------------------

#: Containers whose children are named by position.
INDEXED = frozenset({"Sequential", "ModuleList", "ParameterList"})
#: ``Wrapper`` holds one module, under a name that depends on the wrapper; ``Given`` is a module that somebody else made.
FOREIGN = ("Wrapper", "Given")
CONTAINERS = ("Module", "Chain", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict")

#: What each leaf layer registers, in order, from its arguments. Sources: the "Variables" and "Attributes" sections of
#: the layers' docstrings.
_LAYERS: dict[str, Any] = {
    "Identity": lambda: {},
    "ReLU": lambda: {},
    "Dropout": lambda p=0.5: {},
    "MaxPool2d": lambda kernel_size, stride: {},
    "Linear": lambda i, o, bias=True: {
        "weight": Parameter((o, i)),
        "bias": Parameter((o,)) if bias else Empty("parameter"),
    },
    "Conv2d": lambda i, o, kernel: {"weight": Parameter((o, i, kernel, kernel)), "bias": Parameter((o,))},
    "BatchNorm1d": lambda n: {
        "weight": Parameter((n,)),
        "bias": Parameter((n,)),
        "running_mean": Buffer((n,)),
        "running_var": Buffer((n,)),
        "num_batches_tracked": Buffer((), "int64"),
    },
}
LAYERS = tuple(_LAYERS)


@lru_cache(maxsize=4096)
def layer_members(kind: str, arguments: tuple[Any, ...], fill: int) -> tuple[tuple[str, Member], ...]:
    """What a leaf layer built with those arguments holds; tensor k of it is filled from ``fill + k``."""
    members = []
    for k, (name, member) in enumerate(_LAYERS[kind](*arguments).items()):
        if isinstance(member, Tensor):
            # A variance is positive, a count of batches is a small integer: both are what training would leave there.
            number = {"running_var": 16, "num_batches_tracked": 7}.get(name, fill + k)
            member = type(member)(member.shape, member.dtype, number)
        members.append((name, member))
    return tuple(members)


@dataclass(frozen=True, repr=False, eq=False)
class Blueprint(_Printed):
    """A module: its kind, what is registered on it in order, and its state.

    Make one with the function named after the kind: ``Module({...})``, ``Sequential([...])``, ``Linear(2, 3)``.

    Attributes:
        kind: one of ``CONTAINERS``, ``LAYERS`` or ``FOREIGN``. ``Chain`` is a subclass of Module whose forward runs its children.
        members: pairs (name, member) in registration order.
        training: the mode of this very module.
        hooks: hooks registered on this module, in that order.
        arguments, fill: of a leaf layer: its constructor's positional arguments, and what its values follow from.
    """

    kind: str
    members: tuple[tuple[str, Member], ...] = ()
    training: bool = True
    hooks: tuple[Hook, ...] = ()
    arguments: tuple[Any, ...] = ()
    fill: int = 0
    _hash: int = field(default=0, init=False, repr=False, compare=False)

    @property
    def children(self) -> tuple[tuple[str, Blueprint], ...]:
        """The child modules first registered here, by name."""
        return tuple((name, member) for name, member in self.members if isinstance(member, Blueprint))

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Blueprint]]:
        """Every (path, module) of the tree, depth first, each module once at the path where it was first registered."""
        waiting: list[tuple[str, Blueprint]] = [(prefix, self)]
        while waiting:
            path, node = waiting.pop()
            yield path, node
            below = f"{path}." if path else ""
            waiting += [(below + name, child) for name, child in reversed(node.children)]

    def nodes(self) -> Iterator[Blueprint]:
        """Every module of the tree, this one first."""
        return (node for _, node in self.walk())

    @property
    def depth(self) -> int:
        """The number of levels below this module; 0 for a module without children."""
        level, levels = [self], 0
        while level := [child for node in level for _, child in node.children]:
            levels += 1
        return levels

    def replace(self, **changes: Any) -> Blueprint:
        """A copy with these fields changed."""
        fields = ("kind", "members", "training", "hooks", "arguments", "fill")
        return Blueprint(**{name: changes.get(name, getattr(self, name)) for name in fields})

    def map(self, change: Any) -> Blueprint:
        """A copy in which every member, bottom up, is what ``change(member)`` returns (None drops the member)."""
        return _mapped(self, change)

    def at(self, path: str) -> Member:
        """The member registered at that dotted path; the blueprint itself for ''."""
        here: Any = self
        for name in filter(None, path.split(".")):
            try:
                here = dict(here.members)[name]
            except (AttributeError, KeyError):
                raise BlueprintError(f"no member {path!r} in {self!r}") from None
        return here

    def to_source(self, variable: str = "module") -> str:
        """Plain PyTorch code that builds this tree into the named variable; ``conformance.adapter.source`` has it now."""
        sentence = "Blueprint.to_source(variable) is conformance.adapter.source.to_source(blueprint, variable) now"
        warnings.warn(f"{sentence}; the method goes in 0.4", DeprecationWarning, stacklevel=2)
        return importlib.import_module("conformance.adapter.source").to_source(self, variable)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Blueprint):
            return NotImplemented
        pairs = [(self, other)]
        while pairs:
            one, another = pairs.pop()
            if one is another:
                continue
            if one._hash and another._hash and one._hash != another._hash:
                return False
            if one._own != another._own:
                return False
            for (_, member), (_, counterpart) in zip(one.members, another.members):
                if isinstance(member, Blueprint) and isinstance(counterpart, Blueprint):
                    pairs.append((member, counterpart))
                elif member != counterpart:
                    return False
        return True

    def __hash__(self) -> int:
        if not self._hash:
            for node in reversed([*self.nodes()]):  # the hash of a child is there when its parent asks for it
                made = node._hash or hash((node._own, tuple(member for _, member in node.members)))
                object.__setattr__(node, "_hash", made)
        return self._hash

    @property
    def _own(self) -> tuple[Any, ...]:
        """All that is the module's own, what its members are left out."""
        names = tuple(name for name, _ in self.members)
        return self.kind, names, self.training, self.hooks, self.arguments, self.fill

    def __deepcopy__(self, memo: Any) -> Blueprint:
        return self

    def __repr__(self) -> str:
        return _written(self)

    @property
    def _numbered(self) -> bool:
        return self.kind in INDEXED and all(name == str(i) for i, (name, _) in enumerate(self.members))


@unbounded
def _mapped(node: Blueprint, change: Any) -> Any:
    members = []
    for name, member in node.members:
        member = change((yield _mapped.recur(member, change)) if isinstance(member, Blueprint) else member)
        if member is not None:
            members.append((name, member))
    return node.replace(members=tuple(members))


@unbounded
def _written(node: Blueprint) -> Any:
    members = node.members
    if node.kind in _LAYERS:
        derived = dict(layer_members(node.kind, node.arguments, node.fill))
        members = tuple((name, member) for name, member in members if derived.get(name) != member)
    texts = []
    for name, member in members:
        text = (yield _written.recur(member)) if isinstance(member, Blueprint) else repr(member)
        texts.append(text if node._numbered else f"{name!r}: {text}")
    if node.kind in _LAYERS:
        head = [*map(repr, node.arguments), *([f"fill={node.fill}"] if node.fill else [])]
        head += [f"members={{{', '.join(texts)}}}"] if texts else []
    elif texts:
        head = [f"[{', '.join(texts)}]" if node._numbered else f"{{{', '.join(texts)}}}"]
    else:
        head = []
    return f"{node.kind}({', '.join([*head, *_given(node, training=True, hooks=())])})"


Member = Blueprint | Parameter | Buffer | Empty | Shared | Attribute


class _Keyword(str):
    """A keyword argument already written out."""


def _given(thing: Any, **defaults: Any) -> list[_Keyword]:
    return [
        _Keyword(f"{name}={getattr(thing, name)!r}")
        for name, default in defaults.items()
        if getattr(thing, name) != default
    ]


def _call(name: str, *arguments: Any) -> str:
    return f"{name}({', '.join(a if isinstance(a, _Keyword) else repr(a) for a in arguments)})"


def _constructor(kind: str) -> Any:
    def make(
        members: Mapping[str, Member] | Iterable[Member] = (), *, training: bool = True, hooks: Iterable[Hook] = ()
    ) -> Blueprint:
        if isinstance(members, Mapping):
            pairs = tuple(members.items())
        elif kind in INDEXED:
            pairs = tuple((str(i), member) for i, member in enumerate(members))
        else:
            pairs = tuple(members)  # type: ignore[arg-type]
        for name, member in pairs:
            if not isinstance(member, (Blueprint, Tensor, Empty, Shared, Attribute)) or type(member) is Tensor:
                raise BlueprintError(f"{kind}: {name!r} is a {type(member).__name__}, which cannot be registered")
        return Blueprint(kind, pairs, training, tuple(hooks))

    make.__name__ = make.__qualname__ = kind
    make.__doc__ = f"The blueprint of a {kind} with these members."
    return make


def _layer(kind: str) -> Any:
    def make(
        *arguments: Any,
        fill: int = 0,
        members: Mapping[str, Member] | None = None,
        training: bool = True,
        hooks: Iterable[Hook] = (),
    ) -> Blueprint:
        derived = dict(layer_members(kind, arguments, fill))
        derived.update(members or {})
        return Blueprint(kind, tuple(derived.items()), training, tuple(hooks), arguments, fill)

    make.__name__ = make.__qualname__ = kind
    make.__doc__ = f"The blueprint of a {kind} layer with these constructor arguments."
    return make


Module, Chain, Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict = map(_constructor, CONTAINERS)
Identity, ReLU, Dropout, MaxPool2d, Linear, Conv2d, BatchNorm1d = map(_layer, LAYERS)
Wrapper, Given = map(_constructor, FOREIGN)
