"""What the specialiser knows of a value: all of it, or only the expression that computes it when the script runs."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any


class Unsupported(Exception):
    """The property does something that cannot be written as a script; the caller falls back."""


class Yielded(list):  # type: ignore[type-arg]
    """What a generator expression over known things still has to give; it is asked for once, or has no name."""

    def __next__(self) -> Any:
        if not self:
            raise StopIteration
        return self.pop(0)


@dataclass
class Static:
    """A value that is known now: drawn data, a blueprint, what the model says. ``origin`` computes it again."""

    value: Any
    origin: tuple[ast.expr, Any] | None = field(default=None, repr=False, compare=False)
    lifting: bool = field(default=False, repr=False, compare=False)


@dataclass
class Code:
    """What only the script itself will have: an object of the framework, or whatever is computed from one."""

    node: ast.expr
    stable: bool = False  # a name of the framework, which means the same everywhere
    something: bool = False  # known not to be None

    @property
    def atomic(self) -> bool:
        """Whether writing it twice computes nothing twice."""
        node = self.node
        while isinstance(node, ast.Attribute) and self.stable:
            node = node.value
        return isinstance(node, (ast.Name, ast.Constant))


@dataclass
class Pack:
    """A tuple or list of which the length is known, though not every item."""

    items: list[Any]
    kind: type = tuple


@dataclass
class Table:
    """A dict of which the keys are known, though not every value."""

    items: dict[Any, Any]


@dataclass
class Closure:
    """A function or lambda written in a property, with the scope it was written in."""

    node: Any
    scope: Any
    name: str | None = None  # the script's name for it, once it is defined there


class Adapter:
    """The adapter itself: a namespace at the time of writing, and nothing in the script."""


@dataclass
class Method:
    """A method of the adapter, of a built tree, or of a table, not called yet."""

    owner: Any
    name: str


@dataclass
class Instance:
    """An object of one of the suite's own classes that holds the adapter or a tree: its attributes, one by one."""

    kind: type
    fields: dict[str, Any]


@dataclass
class Raised:
    """What ``pytest.raises`` hands out: the script has the exception itself in that variable."""

    name: str


@dataclass
class Tree:
    """A built tree: which variable of the script holds which of its objects.

    Attributes:
        variables: by the path at which the object was registered.
        handles: variables of the handles of its hooks, by hook name.
        table, function: the script's table of "which object is which", and its function that looks it up.
        log: the script's list of what the hooks wrote.
        reached: variables of what a factory's module, or a wrapper, holds, and of all objects where the tree's portrait is
            shown: all are needed where it is asked which is which.
        wrapped: whether the objects are those that a wrapper holds.
    """

    subject: Any
    variables: dict[str, str] = field(default_factory=dict)
    handles: dict[str, str] = field(default_factory=dict)
    table: str = ""
    function: str = ""
    log: str = ""
    reached: list[str] = field(default_factory=list)
    wrapped: bool = False


Value = Any  # one of the above


def name(text: str) -> ast.Name:
    """A variable of the script."""
    return ast.Name(text, ast.Load())


def expression(text: str) -> ast.expr:
    """The expression that the text is."""
    return ast.parse(text, mode="eval").body


def call(function: str | ast.expr, *arguments: ast.expr, **keywords: ast.expr) -> ast.Call:
    """A call of a function of the script."""
    callee = expression(function) if isinstance(function, str) else function
    return ast.Call(callee, list(arguments), [ast.keyword(key, value) for key, value in keywords.items()])
