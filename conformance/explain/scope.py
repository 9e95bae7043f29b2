"""What the specialiser reads off the syntax alone, and the scopes it evaluates in."""

from __future__ import annotations

import ast
import copy
import inspect
import keyword
import textwrap
import types
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from conformance.explain.values import Code, Table, Unsupported, Value

#: Methods that change a list, dict or set.
MUTATORS = frozenset(
    """append extend insert add update setdefault appendleft remove discard pop popitem clear reverse sort
    __setitem__ __delitem__ move_to_end""".split()
)
#: Where a function begins, before its first statement.
NOWHERE = ("", 0, 0)


class Undecided(Unsupported):
    """What is to be quoted cannot be: how it goes on is known only when it is run. A block is followed instead, and a
    helper becomes a function of the script."""


class Thrown(Exception):
    """A statement of the script raised an exception when it was run.

    Attributes:
        error: the exception.
        statement: the innermost statement that raised it.
    """

    def __init__(self, error: BaseException, statement: ast.stmt | None):
        super().__init__(str(error))
        self.error = error
        self.statement = statement


class Return(Exception):
    """The function written in place has returned."""

    def __init__(self, value: Value):
        super().__init__()
        self.value = value


class Break(Exception):
    """The loop that is followed ends here."""


class Continue(Exception):
    """So does this round of it."""


class Scope:
    """The variables of a function.

    Attributes:
        kind: "property", "inline" (a helper written in place), "comprehension", or "def" (a function that the script
            defines).
        level: how deep the quoting was when it began: what is known deeper in may not be so in every run of it.
        hoist: whether statements may be written before the one in progress.
        forced: variables that the script itself must have.
    """

    def __init__(
        self, globals_: dict[str, Any], kind: str, parent: Scope | None = None, hoist: bool = True, level: int = 0
    ):
        self.globals = globals_
        self.kind = kind
        self.parent = parent
        self.caller: Scope | None = None
        self.hoist = hoist
        self.level = level
        self.variables: dict[str, Value] = {}
        self.written: dict[str, str] = {}
        self.forced: frozenset[str] = frozenset()
        self.identical: frozenset[str] = frozenset()  # of which it asks whether something is them
        self.locals: set[str] = set()  # what the function assigns to, now or later
        self.keeps_names = False  # the body of a class
        self.contexts = 0  # of how many try and with blocks it is in the middle
        self.loops: list[
            int | None
        ] = []  # how deep the quoting was at each loop that is followed; None for a quoted one
        self.resume: Callable[[Value], None] | None = None  # what a context manager's yield stands for

    def find(self, variable: str) -> Scope | None:
        """The scope that has the variable."""
        scope: Scope | None = self
        while scope is not None and variable not in scope.variables:
            scope = scope.parent
        return scope

    def around(self) -> list[Scope]:
        """This scope and those it stands in, and those from which its function was called."""
        found: list[Scope] = []
        todo: list[Scope | None] = [self]
        while todo:
            each = todo.pop()
            if each is not None and each not in found:
                found.append(each)
                todo += [each.parent, each.caller]
        return found

    def function(self) -> Scope:
        """The scope of the function that this one is in: a comprehension has one of its own."""
        scope = self
        while scope.kind == "comprehension" and scope.parent is not None:
            scope = scope.parent
        return scope


@cache
def source(function: Any) -> ast.FunctionDef:
    """The syntax tree of a function or class."""
    try:
        written, first = inspect.getsourcelines(function)
        node = ast.parse(textwrap.dedent("".join(written))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError) as error:
        raise Unsupported(f"no source of {function!r}") from error
    return ast.increment_lineno(node, max(first, 1) - 1)


def stored(nodes: Iterable[ast.AST]) -> set[str]:
    """The variables that statements assign to, those of nested functions aside."""
    return set().union(*map(_stored, nodes))


@cache
def _stored(statement: ast.AST) -> frozenset[str]:
    nodes = [statement]
    found = set()
    todo = list(nodes)
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif not isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
                found.add(node.id)
            todo += ast.iter_child_nodes(node)
    return frozenset(found)


@cache
def compiled(node: ast.expr) -> types.CodeType | None:
    """The expression as Python's own code; None for one that only the script can compute."""
    for each in ast.walk(node):
        if isinstance(each, (ast.Yield, ast.YieldFrom, ast.Await)):
            return None
        if isinstance(each, ast.Attribute) and each.attr == "__module__":
            return None  # a class of the suite's is the script's own there
    return compile(ast.fix_missing_locations(ast.Expression(node)), "<property>", "eval")


@cache
def free(node: ast.AST) -> frozenset[str]:
    """The variables that an expression reads from outside."""
    if isinstance(node, ast.Name):
        return frozenset({node.id}) if isinstance(node.ctx, ast.Load) else frozenset()
    found = frozenset().union(*map(free, ast.iter_child_nodes(node)))
    if isinstance(node, ast.Lambda):
        own = {each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg)}
        return (free(node.body) - own) | free(node.args)
    if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        targets = {n.id for g in node.generators for n in ast.walk(g.target) if isinstance(n, ast.Name)}
        return (found - targets) | free(node.generators[0].iter)
    return found - {each.target.id for each in ast.walk(node) if isinstance(each, ast.NamedExpr)}


@cache
def captured(function: ast.FunctionDef) -> frozenset[str]:
    """Variables that hold something mutable, or are assigned, and that nested functions and classes use."""
    inner = (ast.FunctionDef, ast.Lambda, ast.ClassDef)
    nested = [node for node in ast.walk(function) if isinstance(node, inner) and node is not function]
    used = {n.id for node in nested for n in ast.walk(node) if isinstance(n, ast.Name)}
    outer = {n for node in nested for each in ast.walk(node) if isinstance(each, ast.Nonlocal) for n in each.names}
    displays = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.Call)
    changing = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                pairs = [(target, node.value)]
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = list(zip(target.elts, node.value.elts))
                changing |= {t.id for t, v in pairs if isinstance(t, ast.Name) and isinstance(v, displays)}
    return frozenset((used & changing) | outer)


def changed(nodes: Iterable[ast.AST]) -> set[str]:
    """The variables that statements assign to, or whose objects they change."""
    found = set(stored(nodes))
    for node in nodes:
        for each in ast.walk(node):
            inner = None
            if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr in MUTATORS:
                inner = each.func.value
            elif isinstance(each, (ast.Subscript, ast.Attribute)) and isinstance(each.ctx, (ast.Store, ast.Del)):
                inner = each.value
            found |= {root(inner)} if inner is not None else set()
    return found - {""}


def root(node: ast.expr) -> str:
    """The variable that an expression begins with: x of x.a[0].b."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


@cache
def compared_by_identity(function: ast.FunctionDef) -> frozenset[str]:
    """Variables of which a property asks whether something is them: one object in the script, too."""
    found = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Is, ast.IsNot)):
            found |= {side.id for side in (node.left, node.comparators[0]) if isinstance(side, ast.Name)}
    return frozenset(found)


def assign(variable: str, value: ast.expr) -> ast.Assign:
    """``variable = value``."""
    return ast.Assign([ast.Name(variable, ast.Store())], value, lineno=0)


def label(key: Any, otherwise: str) -> str:
    """The name for what a table holds under that key."""
    text = str(getattr(key, "path", "")).replace(" ", "_")
    return text if text.isidentifier() else otherwise


def plain_name(text: Any) -> bool:
    """Whether it can be written after a dot, and means the same there."""
    return (
        isinstance(text, str)
        and text.isascii()
        and text.isidentifier()
        and not keyword.iskeyword(text)
        and not (text.startswith("__") and not text.endswith("__"))
    )


@cache
def uses(node: ast.AST, variable: str) -> int:
    """How often a helper may read its parameter: once for each place, more for one inside a loop or function."""
    count = 0
    repeated = (ast.Lambda, ast.FunctionDef, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.For)
    for each in ast.walk(node):
        if isinstance(each, ast.Name) and each.id == variable:
            count += 1
        elif isinstance(each, repeated) and each is not node:
            first = each.generators[0].iter if hasattr(each, "generators") else getattr(each, "iter", None)
            inside = sum(isinstance(n, ast.Name) and n.id == variable for n in ast.walk(each))
            outside = sum(isinstance(n, ast.Name) and n.id == variable for n in ast.walk(first)) if first else 0
            count += inside - outside
    return count


def mentioned(value: Value) -> set[str]:
    """The variables in what is known of a value."""
    if isinstance(value, Code):
        return {each.id for each in ast.walk(value.node) if isinstance(each, ast.Name)}
    items = value.items.values() if isinstance(value, Table) else getattr(value, "items", [])
    return {each for item in items for each in mentioned(item)}


def collapse(buffer: list[ast.stmt], result: Value) -> Value:
    """``made = f(x)`` and then a result that uses ``made`` once: the result alone."""
    while buffer and isinstance(result, Code):
        last = buffer[-1]
        if not (isinstance(last, ast.Assign) and len(last.targets) == 1 and isinstance(last.targets[0], ast.Name)):
            break
        variable = last.targets[0].id
        found = [n for n in ast.walk(result.node) if isinstance(n, ast.Name) and n.id == variable]
        if len(found) != 1 or uses(ast.Expr(result.node), variable) != 1:
            break
        node = Replace(variable, last.value).visit(copy.deepcopy(result.node))
        result = Code(node, something=result.something)
        buffer.pop()
    return result


class Replace(ast.NodeTransformer):
    """A variable replaced by an expression."""

    def __init__(self, variable: str, value: ast.expr):
        self.variable = variable
        self.value = value

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """The expression instead."""
        return self.value if node.id == self.variable else node
