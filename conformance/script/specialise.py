"""A property, written out for the arguments it fails on.

The property is evaluated step by step. What depends on drawn data alone (blueprints, what the model says of them) is
computed now and appears in the script as a literal; what touches the framework is written down, with loops over known
things unrolled, branches decided and the suite's helpers written in place. This is the classical partial evaluation,
for the part of Python that properties are written in; anything else raises :class:`Unsupported`.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import copy
import inspect
import keyword
import textwrap
import types
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

import pytest

from conformance.implementation import Implementation
from conformance.script.literals import ATOMS, literal, unwritable
from conformance.script.names import Names, ours
from conformance.script.trees import Trees
from conformance.script.values import (
    Adapter,
    Closure,
    Code,
    Instance,
    Method,
    Pack,
    Raised,
    Static,
    Table,
    Tree,
    Unsupported,
    Value,
    call,
    name,
)

UNROLLED = 100  # a longer loop stays a loop
DEPTH = 60
MUTABLE = (list, dict, set, OrderedDict)
MUTATORS = frozenset(
    "append extend insert add update setdefault appendleft remove discard __setitem__ __delitem__".split()
)
#: Functions that look at their arguments and keep none of them.
PURE = (len, list, tuple, dict, set, frozenset, sorted, isinstance, zip, enumerate, map, any, all, reversed, iter, next)


class Restart(Exception):
    """A variable that looked known turns out to be changed by the framework: begin again, and leave it to the script."""

    def __init__(self, scope: Scope, variable: str):
        super().__init__(variable)
        self.scope = scope
        self.variable = variable


class NeedsFunction(Exception):
    """A helper that cannot be written in place: it returns from the middle."""


class NeedsLoop(Exception):
    """A loop that cannot be unrolled: whether it goes on depends on the framework."""


class Return(Exception):
    """The function written in place has returned."""

    def __init__(self, value: Value):
        super().__init__()
        self.value = value


class Break(Exception):
    """The unrolled loop ends here."""


class Continue(Exception):
    """So does this round of it."""


class Scope:
    """The variables of a function.

    Attributes:
        kind: "property", "inline" (a helper written in place), or "def" (a function that the script defines).
        uncertain: how many branches and loops deep we are of which only the script knows whether they are taken.
        hoist: whether statements may be written before the one in progress.
        forced: variables that the script itself must have.
    """

    def __init__(self, globals_: dict[str, Any], kind: str, parent: Scope | None = None, hoist: bool = True):
        self.globals = globals_
        self.kind = kind
        self.parent = parent
        self.hoist = hoist
        self.uncertain = int(kind == "def")
        self.variables: dict[str, Value] = {}
        self.written: dict[str, str] = {}
        self.forced: set[str] = set()
        self.identical: frozenset[str] = frozenset()  # of which it asks whether something is them
        self.locals: set[str] = set()  # what the function assigns to, now or later
        self.keeps_names = False  # the body of a class
        self.resume: Callable[[Value], None] | None = None  # what a context manager's yield stands for

    def find(self, variable: str) -> Scope | None:
        """The scope that has the variable."""
        scope: Scope | None = self
        while scope is not None and variable not in scope.variables:
            scope = scope.parent
        return scope

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
        text = textwrap.dedent(inspect.getsource(function))
        node = ast.parse(text).body[0]
    except (OSError, TypeError, SyntaxError, IndexError) as error:
        raise Unsupported(f"no source of {function!r}") from error
    return node  # type: ignore[return-value]


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


@cache
def compared_by_identity(function: ast.FunctionDef) -> frozenset[str]:
    """Variables of which a property asks whether something is them: one object in the script, too."""
    found = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Is, ast.IsNot)):
            found |= {side.id for side in (node.left, node.comparators[0]) if isinstance(side, ast.Name)}
    return frozenset(found)


class Specialiser(Names, Trees):
    """Writes one property out. ``out`` is the list of statements being written."""

    def __init__(self, implementation: Implementation):
        super().__init__(implementation)
        self.out: list[ast.stmt] = []
        self.functions: dict[Any, str] = {}
        self.depth = 0

    def property(self, function: Any, arguments: dict[str, Any]) -> list[ast.stmt]:
        """The statements of the property for these arguments and this adapter."""
        node = source(function)
        own = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
        own |= {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}
        own |= {n.name for n in ast.walk(node) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
        self.used |= own - set(arguments)
        forced: set[str] = set()
        start = self.state()
        while True:
            scope = Scope(function.__globals__, "property")
            scope.forced = set(captured(node)) | forced
            scope.locals, scope.identical = stored(node.body), compared_by_identity(node)
            for key, value in arguments.items():
                scope.variables[key] = Static(copy.deepcopy(value))
            scope.variables["implementation"] = Adapter()
            try:
                for key in sorted((scope.forced | compared_by_identity(node)) & set(arguments)):
                    if not isinstance(arguments[key], (type(None), bool)):
                        self.bind(scope, key)
                self.block(node.body, scope)
            except Restart as restart:
                if restart.scope is not scope or restart.variable in forced:
                    raise Unsupported(f"{restart.variable} is changed in a place that cannot be written") from None
                forced.add(restart.variable)
                self.restore(start)
                continue
            except Return:
                pass
            return self.out

    # --- what has been written so far ------------------------------------------------------------------------------

    def state(self) -> Any:
        """What ``restore`` goes back to."""
        return self.out, len(self.out), set(self.used)

    def restore(self, state: Any) -> None:
        """Forget what was written since."""
        self.out, length, self.used = state[0], state[1], set(state[2])
        del self.out[length:]

    @contextlib.contextmanager
    def into(self, buffer: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
        """Write into another list of statements while it is open."""
        outer, self.out = self.out, buffer
        try:
            yield buffer
        finally:
            self.out = outer

    def emit(self, statement: ast.stmt) -> None:
        """Write one statement."""
        self.out.append(statement)

    def variable(self, scope: Scope, local: str) -> str:
        """The script's name for a local variable."""
        owner = scope.function()
        if scope.kind == "comprehension" or owner.keeps_names or (owner.kind == "def" and local not in self.taken):
            return local
        if local not in owner.written:
            fresh = owner.kind == "property" and local not in self.taken
            owner.written[local] = local if fresh else self.fresh(local)
            self.used.add(owner.written[local])
        return owner.written[local]

    def bind(self, scope: Scope, variable: str) -> Code:
        """Give the script the variable too, with the value known so far; from then on only the script knows it."""
        owner = scope.find(variable)
        assert owner is not None
        if not scope.hoist:
            return Code(self.lift(owner.variables[variable]))
        if owner.function() is not scope.function() or (scope.uncertain and scope.kind != "def"):
            raise Restart(owner, variable)
        value = self.lift(owner.variables[variable])
        made = self.variable(owner, variable)
        self.emit(assign(made, value))
        owner.variables[variable] = Code(name(made))
        return owner.variables[variable]

    # --- expressions -----------------------------------------------------------------------------------------------

    def look_up(self, scope: Scope, variable: str) -> Value:
        """What a name means."""
        owner = scope.find(variable)
        if owner is not None:
            return owner.variables[variable]
        if variable in scope.globals:
            return self.global_value(scope.globals, variable)
        if hasattr(builtins, variable):
            return Static(getattr(builtins, variable))
        later: Scope | None = scope
        while later is not None and variable not in later.locals:
            later = later.parent
        if later is not None and later is not scope:
            # A nested function uses what is assigned only after it.
            later.forced.add(variable)
            return Code(name(self.variable(later, variable)))
        raise Unsupported(f"the name {variable!r} is not known")

    def known(self, node: ast.expr, scope: Scope) -> dict[str, Any] | None:
        """The values of all names in the expression if each is known, else None."""
        values = {}
        for key in free(node):
            if key == "super":
                return None
            value = self.look_up(scope, key)
            if not isinstance(value, Static):
                return None
            values[key] = value.value
        return values

    def value(self, node: ast.expr, scope: Scope) -> Value:
        """What is known of the expression's value."""
        if isinstance(node, ast.Name):
            return self.look_up(scope, node.id)
        if isinstance(node, ast.Lambda):
            return Closure(node, scope)
        if isinstance(node, ast.Constant):
            return Static(node.value)
        values = self.known(node, scope)
        text = compiled(node) if values is not None else None
        if text is not None:
            value = eval(text, {**scope.globals, **values})  # type: ignore[dict-item]
            return Static(list(value) if isinstance(value, types.GeneratorType) else value, (node, scope))
        return self.structural(node, scope)

    def structural(self, node: ast.expr, scope: Scope) -> Value:
        """The expression part by part."""
        special = getattr(self, f"value_{type(node).__name__}", None)
        return special(node, scope) if special else self.rebuild(node, scope)

    def residual(self, node: ast.expr, scope: Scope) -> Code:
        """The expression for the script to compute, although its value is known."""
        if not isinstance(node, ast.Call):
            parts = {}
            for key, part in ast.iter_fields(node):
                if isinstance(part, ast.expr):
                    part = self.code(part, scope)
                elif isinstance(part, list):
                    part = [self.code(each, scope) if isinstance(each, ast.expr) else each for each in part]
                parts[key] = part
            return Code(type(node)(**parts))
        made = ast.Call(self.code(node.func, scope), [self.code(each, scope) for each in node.args], [])
        made.keywords = [ast.keyword(each.arg, self.code(each.value, scope)) for each in node.keywords]
        return Code(made)

    def rebuild(self, node: ast.expr, scope: Scope) -> Value:
        """The same expression with its parts written out; its value, where all parts turn out to be known."""
        parts: dict[str, Any] = {}
        values: list[Value] = []
        for key, part in ast.iter_fields(node):
            each = part if isinstance(part, list) else [part]
            parts[key] = [self.value(one, scope) if isinstance(one, ast.expr) else one for one in each]
            values += [made for made, one in zip(parts[key], each) if isinstance(one, ast.expr)]
        space: dict[str, Any] = {}

        def written(one: Any, made: Any) -> Any:
            if not isinstance(one, ast.expr):
                return one
            if known:
                space[f"_{len(space)}"] = made.value
                return name(f"_{len(space) - 1}")
            return self.lift(made)

        known = all(isinstance(value, Static) for value in values) and not isinstance(node, ast.Starred)
        fields = {}
        for key, part in ast.iter_fields(node):
            made = [written(one, value) for one, value in zip(part if isinstance(part, list) else [part], parts[key])]
            fields[key] = made if isinstance(part, list) else made[0]
        rebuilt = type(node)(**fields)
        if known:
            text = compile(ast.fix_missing_locations(ast.Expression(rebuilt)), "<property>", "eval")
            return Static(eval(text, {"__builtins__": {}}, space))
        return Code(rebuilt)

    def code(self, node: ast.expr, scope: Scope) -> ast.expr:
        """The expression as the script has it."""
        return self.lift(self.value(node, scope))

    def lift(self, value: Value) -> ast.expr:
        """A value as an expression of the script."""
        if isinstance(value, Code):
            return value.node
        if isinstance(value, Static):
            try:
                return literal(value.value, self.resolve)
            except Unsupported:
                if value.origin is None or isinstance(value.origin[0], ast.Name):
                    raise
                return self.residual(*value.origin).node
        if isinstance(value, Pack):
            display = ast.List if value.kind is list else ast.Tuple
            return display([self.lift(item) for item in value.items], ast.Load())
        if isinstance(value, Table):
            return ast.Dict(
                [literal(key, self.resolve) for key in value.items], [*map(self.lift, value.items.values())]
            )
        if isinstance(value, Closure) and isinstance(value.node, ast.Lambda):
            return self.function_expression(value)
        if isinstance(value, Raised):
            return name(value.name)
        if isinstance(value, Method) and isinstance(value.owner, Tree) and value.name == "__getitem__":
            return ast.Attribute(self.lift(self.objects(value.owner)), "__getitem__", ast.Load())
        if isinstance(value, Method) and isinstance(value.owner, Adapter):
            return name(self.define(getattr(type(self.implementation), value.name), {"self": Adapter()}))
        raise Unsupported(f"a {type(value).__name__} is used as a value")

    def function_expression(self, closure: Closure) -> ast.expr:
        """A lambda."""
        inner = Scope(closure.scope.globals, "def", closure.scope, hoist=False)
        arguments = self.parameters(closure.node.args, inner, closure.scope)
        return ast.Lambda(arguments, self.code(closure.node.body, inner))

    def parameters(self, arguments: ast.arguments, inner: Scope, outer: Scope) -> ast.arguments:
        """The parameters of a function that the script defines; they are known to the script only."""
        made = copy.deepcopy(arguments)
        every = [*made.posonlyargs, *made.args, *made.kwonlyargs, made.vararg, made.kwarg]
        for each in filter(None, every):
            each.annotation = None
            inner.variables[each.arg] = Code(name(each.arg))
        made.defaults = [self.code(node, outer) for node in arguments.defaults]
        made.kw_defaults = [node and self.code(node, outer) for node in arguments.kw_defaults]
        return made

    def items(self, value: Value) -> list[Value] | None:
        """The items of something iterable, if they are known one by one."""
        if isinstance(value, Pack):
            return value.items
        if isinstance(value, Table):
            return [Static(key) for key in value.items]
        if isinstance(value, Static):
            node, scope = value.origin or (None, None)
            parts = node.elts if isinstance(node, (ast.Tuple, ast.List)) else []
            if not parts or any(isinstance(part, ast.Starred) for part in parts):
                return [Static(item) for item in value.value]
            return [Static(item, (part, scope)) for item, part in zip(value.value, parts)]
        if isinstance(value, Code) and isinstance(value.node, (ast.Tuple, ast.List)):
            return [Code(item) for item in value.node.elts]
        return None

    def value_IfExp(self, node: ast.IfExp, scope: Scope) -> Value:
        test = self.truth(self.value(node.test, scope))
        if test is not None:
            return self.value(node.body if test else node.orelse, scope)
        return self.rebuild(node, scope)

    def truth(self, value: Value) -> bool | None:
        """Whether the value counts as true, if that is known."""
        if isinstance(value, Static):
            return bool(value.value)
        return bool(value.items) if isinstance(value, (Pack, Table)) else None

    def value_BoolOp(self, node: ast.BoolOp, scope: Scope) -> Value:
        stops = isinstance(node.op, ast.Or)
        parts: list[ast.expr] = []
        for i, each in enumerate(node.values):
            value = self.value(each, scope)
            test = self.truth(value)
            if not parts and i == len(node.values) - 1:
                return value
            if test is None or i == len(node.values) - 1:
                parts.append(self.lift(value))
            elif test == stops:
                if not parts:
                    return value
                parts.append(self.lift(value))
                break
        return Code(parts[0] if len(parts) == 1 else ast.BoolOp(node.op, parts))

    def value_UnaryOp(self, node: ast.UnaryOp, scope: Scope) -> Value:
        value = self.value(node.operand, scope)
        if isinstance(node.op, ast.Not) and self.truth(value) is not None:
            return Static(not self.truth(value))
        return self.rebuild(node, scope)

    def value_Compare(self, node: ast.Compare, scope: Scope) -> Value:
        if len(node.ops) == 1 and isinstance(node.ops[0], (ast.Is, ast.IsNot)):
            left, right = self.value(node.left, scope), self.value(node.comparators[0], scope)
            for one, other in ((left, right), (right, left)):
                known = isinstance(one, (Pack, Table, Tree, Closure)) or getattr(one, "something", False)
                if known and isinstance(other, Static) and other.value is None:
                    return Static(isinstance(node.ops[0], ast.IsNot))
        return self.rebuild(node, scope)

    def value_JoinedStr(self, node: ast.JoinedStr, scope: Scope) -> Value:
        parts: list[ast.expr] = []
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                value = self.value(part.value, scope)
                if isinstance(value, Static) and not part.format_spec:
                    shown = {115: str, 114: repr, 97: ascii}.get(part.conversion, format)(value.value)
                    part = ast.Constant(shown)
                else:
                    spec = part.format_spec and self.rebuild(part.format_spec, scope).node
                    part = ast.FormattedValue(self.lift(value), part.conversion, spec)
            if isinstance(part, ast.Constant) and parts and isinstance(parts[-1], ast.Constant):
                part = ast.Constant(parts.pop().value + part.value)  # type: ignore[attr-defined]
            parts.append(part)
        if all(isinstance(part, ast.Constant) for part in parts):
            return Static("".join(part.value for part in parts))  # type: ignore[attr-defined]
        return Code(ast.JoinedStr(parts))

    def sequence(self, nodes: list[ast.expr], scope: Scope) -> list[Value]:
        """The items of a display or the positional arguments of a call; known ones after a star are spread out."""
        found: list[Value] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                value = self.value(node.value, scope)
                items = self.items(value)
                found += [Code(ast.Starred(self.lift(value), ast.Load()))] if items is None else items
            else:
                found.append(self.value(node, scope))
        return found

    def value_Tuple(self, node: ast.Tuple, scope: Scope) -> Value:
        return self.display(tuple, self.sequence(node.elts, scope))

    def value_List(self, node: ast.List, scope: Scope) -> Value:
        return self.display(list, self.sequence(node.elts, scope))

    def display(self, kind: type, items: list[Value]) -> Value:
        """A tuple or list of these items."""
        if all(isinstance(item, Static) for item in items):
            return Static(kind(item.value for item in items))
        if any(isinstance(item, Code) and isinstance(item.node, ast.Starred) for item in items):
            return Code(self.lift(Pack(items, kind)))
        return Pack(items, kind)

    def value_Dict(self, node: ast.Dict, scope: Scope) -> Value:
        table: dict[Any, Value] = {}
        for key, item in zip(node.keys, node.values):
            if key is None:
                more = self.value(item, scope)
                if isinstance(more, Static):
                    table.update({k: Static(v) for k, v in more.value.items()})
                elif isinstance(more, Table):
                    table.update(more.items)
                else:
                    return self.rebuild(node, scope)
            else:
                known = self.value(key, scope)
                if not isinstance(known, Static):
                    return self.rebuild(node, scope)
                table[known.value] = self.value(item, scope)
        return self.table(table)

    def table(self, items: dict[Any, Value]) -> Value:
        """A dict of these items."""
        if all(isinstance(value, Static) for value in items.values()):
            return Static({key: value.value for key, value in items.items()})
        return Table(items)

    def value_Set(self, node: ast.Set, scope: Scope) -> Value:
        return self.set(self.sequence(node.elts, scope))

    def set(self, items: list[Value]) -> Value:
        """A set of these items."""
        if all(isinstance(item, Static) for item in items):
            return Static({item.value for item in items})
        return Code(ast.Set([self.lift(item) for item in items]))

    def value_Starred(self, node: ast.Starred, scope: Scope) -> Value:
        return Code(ast.Starred(self.code(node.value, scope), ast.Load()))

    def value_Subscript(self, node: ast.Subscript, scope: Scope) -> Value:
        index = self.value(node.slice, scope)
        if isinstance(index, Static) and isinstance(node.value, ast.Dict) and None not in node.value.keys:
            # Of {"a": ..., "b": ...}[key] only the one that is wanted is written.
            keys = [self.value(key, scope) for key in node.value.keys if key is not None]
            for key, item in reversed(list(zip(keys, node.value.values))):
                if isinstance(key, Static) and key.value == index.value:
                    return self.value(item, scope)
        base = self.value(node.value, scope)
        if isinstance(base, Tree):
            return self.object_at(base, index)
        if isinstance(base, Code) and isinstance(base.node, (ast.Tuple, ast.List)):
            base = Pack([Code(item) for item in base.node.elts], list)
        if isinstance(index, Static):
            if isinstance(base, Table) and index.value in base.items:
                return base.items[index.value]
            if isinstance(base, Pack):
                found = base.items[index.value]
                return self.display(base.kind, found) if isinstance(index.value, slice) else found
            if isinstance(base, Static):
                return Static(base.value[index.value])
        return Code(ast.Subscript(self.lift(base), self.index(index), ast.Load()))

    def index(self, value: Value) -> ast.expr:
        """What stands between square brackets."""
        if isinstance(value, Static) and isinstance(value.value, slice):
            start, stop, step = (getattr(value.value, key) for key in ("start", "stop", "step"))
            bounds = [None if each is None else self.lift(Static(each)) for each in (start, stop, step)]
            return ast.Slice(*bounds)
        return self.lift(value)

    def value_Slice(self, node: ast.Slice, scope: Scope) -> Value:
        parts = [self.value(each, scope) if each else Static(None) for each in (node.lower, node.upper, node.step)]
        if all(isinstance(part, Static) for part in parts):
            return Static(slice(*(part.value for part in parts)))
        return Code(ast.Slice(*(None if isinstance(p, Static) and p.value is None else self.lift(p) for p in parts)))

    def value_Attribute(self, node: ast.Attribute, scope: Scope) -> Value:
        return self.attribute(self.value(node.value, scope), node.attr)

    def attribute(self, base: Value, key: str) -> Value:
        """What ``base.key`` is."""
        if isinstance(base, Adapter):
            return self.adapter_attribute(key)
        if isinstance(base, Tree):
            return self.tree_attribute(base, key)
        if isinstance(base, Static) and key == "__module__" and ours(base.value):
            return Code(ast.Attribute(self.lift(base), key, ast.Load()))
        if isinstance(base, Static):
            return Static(getattr(base.value, key))
        if isinstance(base, Instance):
            return base.fields[key] if key in base.fields else Method(base, key)
        if isinstance(base, Raised):
            return {"value": Code(name(base.name)), "type": Code(call("type", name(base.name)))}[key]
        if isinstance(base, Table):
            return Method(base, key)
        node = self.lift(base)
        lasting = getattr(base, "stable", False) and getattr(node, "id", None) not in self.taken
        return Code(ast.Attribute(node, key, ast.Load()), stable=lasting)

    def value_NamedExpr(self, node: ast.NamedExpr, scope: Scope) -> Value:
        self.store(node.target, self.value(node.value, scope), scope)
        return self.value(ast.Name(node.target.id, ast.Load()), scope)

    # --- comprehensions --------------------------------------------------------------------------------------------

    def rounds(self, generators: list[ast.comprehension], scope: Scope) -> list[Scope] | None:
        """A scope for each round of the comprehension, or None where only the script knows them."""
        if not generators:
            return [scope]
        first, *others = generators
        items = self.items(self.value(first.iter, scope))
        if items is None or len(items) > UNROLLED:
            return None
        found: list[Scope] = []
        for item in items:
            inner = Scope(scope.globals, "comprehension", scope, scope.hoist)
            inner.uncertain = scope.uncertain
            self.store_plainly(first.target, item, inner)
            tests = [self.truth(self.value(test, inner)) for test in first.ifs]
            if None in tests:
                return None
            if all(tests):
                more = self.rounds(others, inner)
                if more is None:
                    return None
                found += more
        return found

    def store_plainly(self, target: ast.expr, value: Value, scope: Scope) -> None:
        """The variables of one round of a comprehension: nothing is written for them."""
        if isinstance(target, ast.Name):
            scope.variables[target.id] = self.kept(value, target.id) if scope.hoist else value
            return
        if not isinstance(target, (ast.Tuple, ast.List)):
            raise Unsupported("a comprehension with such a target")
        items = self.items(value)
        parts = target.elts
        if items is None or any(isinstance(part, ast.Starred) for part in parts):
            if isinstance(value, Static):
                items = [Static(item) for item in value.value]
                place = next(i for i, part in enumerate(parts) if isinstance(part, ast.Starred))
                rest = len(items) - (len(parts) - place - 1)
                starred = Static([item.value for item in items[place:rest]])
                items = [*items[:place], starred, *items[rest:]]
                parts = [part.value if isinstance(part, ast.Starred) else part for part in parts]
            else:
                items = [Code(ast.Subscript(self.lift(value), ast.Constant(i), ast.Load())) for i in range(len(parts))]
        for part, item in zip(parts, items, strict=True):
            self.store_plainly(part, item, scope)

    def comprehension(self, node: Any, scope: Scope) -> tuple[Any, Scope]:
        """The ``for`` parts of a comprehension that stays one, and the scope of its element."""
        inner = Scope(scope.globals, "comprehension", scope, hoist=False)
        inner.uncertain = scope.uncertain + 1
        made = []
        for i, generator in enumerate(node.generators):
            known = self.value(generator.iter, inner if i else scope)
            if isinstance(known, Static) and isinstance(known.value, dict):
                known = Static(list(known.value))
            over = self.lift(known)
            for each in ast.walk(generator.target):
                if isinstance(each, ast.Name):
                    inner.variables[each.id] = Code(name(each.id))
            tests = [self.code(test, inner) for test in generator.ifs]
            made.append(ast.comprehension(generator.target, over, tests, 0))
        return made, inner

    def unrolled(self, node: Any, scope: Scope, *parts: ast.expr) -> list[tuple[Value, ...]] | None:
        """The values of these parts in every round of a comprehension."""
        state = self.state()
        rounds = self.rounds(node.generators, scope)
        if rounds is None:
            self.restore(state)
            return None
        return [tuple(self.value(part, inner) for part in parts) for inner in rounds]

    def value_ListComp(self, node: ast.ListComp, scope: Scope) -> Value:
        items = self.unrolled(node, scope, node.elt)
        if items is not None:
            return self.display(list, [item for (item,) in items])
        try:
            generators, inner = self.comprehension(node, scope)
            return Code(type(node)(self.code(node.elt, inner), generators))
        except Unsupported:
            return self.picked(node, scope)

    def picked(self, node: Any, scope: Scope) -> Value:
        """A comprehension over things that no script can have, of which only the script knows which are left out."""
        generator = node.generators[0]
        items = self.items(self.value(generator.iter, scope))
        if items is None or len(node.generators) > 1 or len(generator.ifs) > 1:
            raise Unsupported("a comprehension over things that no script can have")
        made: list[Value] = []
        for item in items:
            inner = Scope(scope.globals, "comprehension", scope, scope.hoist)
            inner.uncertain = scope.uncertain
            self.store_plainly(generator.target, item, inner)
            test = self.value(generator.ifs[0], inner)
            if self.truth(test) is None:
                chosen = ast.IfExp(
                    self.lift(test), ast.List([self.code(node.elt, inner)], ast.Load()), ast.List([], ast.Load())
                )
                made.append(Code(ast.Starred(chosen, ast.Load())))
            elif self.truth(test):
                made.append(self.value(node.elt, inner))
        return self.display(list, made)

    value_GeneratorExp = value_ListComp

    def value_SetComp(self, node: ast.SetComp, scope: Scope) -> Value:
        items = self.unrolled(node, scope, node.elt)
        if items is not None:
            return self.set([item for (item,) in items])
        generators, inner = self.comprehension(node, scope)
        return Code(ast.SetComp(self.code(node.elt, inner), generators))

    def value_DictComp(self, node: ast.DictComp, scope: Scope) -> Value:
        items = self.unrolled(node, scope, node.key, node.value)
        if items is not None:
            if all(isinstance(key, Static) for key, _ in items):
                return self.table({key.value: value for key, value in items})
            return Code(ast.Dict([self.lift(key) for key, _ in items], [self.lift(value) for _, value in items]))
        generators, inner = self.comprehension(node, scope)
        return Code(ast.DictComp(self.code(node.key, inner), self.code(node.value, inner), generators))

    # --- calls -----------------------------------------------------------------------------------------------------

    def value_Call(self, node: ast.Call, scope: Scope) -> Value:
        callee = self.value(node.func, scope)
        changed = isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS
        if isinstance(callee, Static) and changed and isinstance(node.func, ast.Attribute):
            if isinstance(getattr(callee.value, "__self__", None), MUTABLE):
                self.give_up_knowing(node.func.value, scope)
                callee = self.value(node.func, scope)
        if isinstance(callee, Code) or (isinstance(callee, Static) and not self.looks_only(callee.value)):
            for argument in [*node.args, *(each.value for each in node.keywords if each.arg)]:
                self.keep_one_object(argument, scope)
        arguments = self.sequence(node.args, scope)
        keywords: dict[str, Value] = {}
        spread: list[ast.keyword] = []
        for each in node.keywords:
            value = self.value(each.value, scope)
            if each.arg is not None:
                keywords[each.arg] = value
            elif isinstance(value, (Table, Static)):
                known = value.items if isinstance(value, Table) else {k: Static(v) for k, v in value.value.items()}
                keywords |= known
            else:
                spread.append(ast.keyword(None, self.lift(value)))
        return self.apply(callee, arguments, keywords, scope, spread)

    def looks_only(self, function: Any) -> bool:
        """Whether calling it leaves its arguments alone, or is followed into its body."""
        return function in PURE or ours(function) if callable(function) else True

    def keep_one_object(self, node: ast.expr, scope: Scope) -> None:
        """The framework gets a list or dict that has a name: it may change it, so the script must have that name."""
        if isinstance(node, ast.Name):
            value = self.look_up(scope, node.id)
            if isinstance(value, Static) and isinstance(value.value, MUTABLE) and scope.find(node.id):
                self.bind(scope, node.id)

    def give_up_knowing(self, node: ast.expr, scope: Scope) -> None:
        """Something known is changed by what is not: the variable it hangs on belongs to the script."""
        while isinstance(node, (ast.Attribute, ast.Subscript)):
            node = node.value
        owner = scope.find(node.id) if isinstance(node, ast.Name) else None
        if owner is None or not isinstance(node, ast.Name):
            raise Unsupported("something known is changed by what only the script knows")
        if isinstance(owner.variables[node.id], Static):
            raise Restart(owner.function(), node.id)

    def apply(
        self,
        callee: Value,
        arguments: list[Value],
        keywords: dict[str, Value],
        scope: Scope,
        spread: list[ast.keyword] | None = None,
    ) -> Value:
        """What the call gives."""
        if isinstance(callee, Method) and isinstance(callee.owner, Adapter):
            return self.adapter_call(callee.name, arguments, keywords, scope)
        if isinstance(callee, Method) and isinstance(callee.owner, Tree):
            return self.tree_call(callee.owner, callee.name, arguments, scope)
        if isinstance(callee, Method) and isinstance(callee.owner, Instance):
            method = inspect.unwrap(getattr(callee.owner.kind, callee.name))
            return self.helper(method, [callee.owner, *arguments], keywords, scope)
        if isinstance(callee, Static) and isinstance(callee.value, type) and ours(callee.value):
            if any(map(self.holds_trees, arguments)):
                made = Instance(callee.value, {})
                self.helper(callee.value.__init__, [made, *arguments], keywords, scope)
                return made
        if isinstance(callee, Method) and isinstance(callee.owner, Table):
            return self.table_call(callee.owner, callee.name, arguments)
        if isinstance(callee, Closure) and not keywords and not spread:
            return self.in_place(callee.node, callee.scope.globals, arguments, keywords, scope, callee.scope)
        if isinstance(callee, Static) and not spread:
            function = callee.value
            if function is super:
                return Code(ast.Call(name("super"), [self.lift(each) for each in arguments], []))
            every = [*arguments, *keywords.values()]
            special = getattr(self, f"builtin_{getattr(function, '__name__', '')}", None)
            takes = function in (zip, enumerate) or not keywords
            if special and takes and getattr(builtins, function.__name__, None) is function:
                more: dict[str, Any] = {"scope": scope} if function in (map, zip) else {}
                more |= {"strict": bool(keywords)} if function is zip else keywords
                made = special(*arguments, **more)
                if made is not None:
                    return made
            if (
                all(isinstance(each, Static) for each in every)
                and function is not iter
                and not self.framework(function)
            ):
                return Static(function(*(a.value for a in arguments), **{k: v.value for k, v in keywords.items()}))
            plain = inspect.unwrap(function) if callable(function) else None
            if isinstance(plain, types.FunctionType) and ours(plain):
                return self.helper(plain, arguments, keywords, scope)
        if isinstance(callee, Static) and isinstance(getattr(callee.value, "__self__", None), (*MUTABLE, str, tuple)):
            method = callee.value
            target = ast.Attribute(self.lift(Static(method.__self__)), method.__name__, ast.Load())
        else:
            target = self.lift(callee)
        made = ast.Call(target, [self.lift(each) for each in arguments], [])
        made.keywords = [ast.keyword(key, self.lift(value)) for key, value in keywords.items()] + (spread or [])
        return Code(made)

    def table_call(self, table: Table, method: str, arguments: list[Value]) -> Value:
        """items(), keys() and values() of a dict whose keys are known."""
        if method == "items" and not arguments:
            return Pack([Pack([Static(key), value]) for key, value in table.items.items()], list)
        if method == "values" and not arguments:
            return Pack(list(table.items.values()), list)
        if method == "keys" and not arguments:
            return Static(list(table.items))
        if method == "setdefault" and isinstance(arguments[0], Static):
            if arguments[0].value not in table.items:
                table.items[arguments[0].value] = self.kept(arguments[1], label(arguments[0].value, "item"))
            return table.items[arguments[0].value]
        node = ast.Attribute(self.lift(table), method, ast.Load())
        return Code(ast.Call(node, [self.lift(each) for each in arguments], []))

    def builtin_getattr(self, base: Value, key: Value, *default: Value) -> Value | None:
        if default or not isinstance(key, Static):
            return None
        if isinstance(base, (Adapter, Tree, Instance)) or (isinstance(key.value, str) and plain_name(key.value)):
            return self.attribute(base, key.value)
        return None

    def builtin_hasattr(self, base: Value, key: Value) -> Value | None:
        return Static(hasattr(self.implementation, key.value)) if isinstance(base, Adapter) else None

    def builtin_list(self, *arguments: Value) -> Value | None:
        items = self.items(arguments[0]) if arguments and not isinstance(arguments[0], Static) else None
        return None if items is None else Pack(items, list)

    def builtin_tuple(self, *arguments: Value) -> Value | None:
        items = self.items(arguments[0]) if arguments and not isinstance(arguments[0], Static) else None
        return None if items is None else Pack(items, tuple)

    def builtin_len(self, value: Value) -> Value | None:
        return Static(len(value.items)) if isinstance(value, (Pack, Table)) else None

    def builtin_enumerate(self, value: Value, start: Value = Static(0)) -> Value | None:
        items = None if isinstance(value, Static) or not isinstance(start, Static) else self.items(value)
        if items is None:
            return None
        return Pack([Pack([Static(i), item]) for i, item in enumerate(items, start.value)], list)

    def builtin_zip(self, *values: Value, scope: Scope, strict: bool) -> Value | None:
        if all(isinstance(value, Static) for value in values):
            return None
        rows = [self.items(value) for value in values]
        length = next((len(row) for row in rows if row is not None), None)
        if length is None or length > UNROLLED or (None in rows and not (strict and scope.hoist)):
            return None
        for i, value in enumerate(values):
            if rows[i] is None:
                # What is not known is put into a list, which must have as many items.
                made = self.fresh("things")
                self.emit(assign(made, call("list", self.lift(value))))
                self.emit(ast.Assert(ast.Compare(call("len", name(made)), [ast.Eq()], [ast.Constant(length)])))
                rows[i] = [Code(ast.Subscript(name(made), ast.Constant(k), ast.Load())) for k in range(length)]
        return Pack([Pack(list(row)) for row in zip(*rows)], list)  # type: ignore[arg-type]

    def builtin_dict(self, *arguments: Value) -> Value | None:
        if len(arguments) != 1 or isinstance(arguments[0], Static):
            return None
        if isinstance(arguments[0], Table):
            return self.table(dict(arguments[0].items))
        pairs = [self.items(item) for item in self.items(arguments[0]) or [Code(name("unknown"))]]
        if any(pair is None or len(pair) != 2 or not isinstance(pair[0], Static) for pair in pairs):
            return None
        return self.table({key.value: item for key, item in pairs})  # type: ignore[misc]

    def builtin_map(self, function: Value, *values: Value, scope: Scope) -> Value | None:
        rows = [self.items(value) for value in values]
        if None in rows or (isinstance(function, Static) and all(isinstance(value, Static) for value in values)):
            return None
        return Pack([self.apply(function, list(row), {}, scope) for row in zip(*rows)], list)  # type: ignore[arg-type]

    def builtin_isinstance(self, value: Value, kind: Value) -> Value | None:
        if isinstance(kind, Static) and isinstance(value, (Pack, Table)):
            return Static(issubclass(value.kind if isinstance(value, Pack) else dict, kind.value))
        return None

    # --- helpers ---------------------------------------------------------------------------------------------------

    def helper(
        self, function: Any, arguments: list[Value], keywords: dict[str, Value], scope: Scope, expression: bool = False
    ) -> Value:
        """A call of a function of the suite: its body in place where that is possible, else a function of the script.

        With ``expression`` it is written in place only if that makes one expression.
        """
        node = source(function)
        if not isinstance(node, ast.FunctionDef) or inspect.isgeneratorfunction(function):
            raise Unsupported(f"{function!r} is called")
        globals_ = {**function.__globals__, **inspect.getclosurevars(function).nonlocals}
        state = self.state()
        try:
            return self.in_place(node, globals_, arguments, keywords, scope, None, expression)
        except NeedsFunction:
            self.restore(state)
        given = self.arguments(node.args, arguments, keywords, globals_)
        if expression and not any(map(self.holds_trees, [*arguments[1:], *keywords.values()])):
            # The adapter's own methods are written once, for all arguments.
            made = self.define(function, {"self": Adapter()})
            written = {key: self.lift(value) for key, value in keywords.items()}
            return Code(call(made, *map(self.lift, arguments[1:]), **written))
        made = self.define(function, {k: v for k, v in given.items() if not self.unknown(v)})
        passed = [self.lift(value) for value in given.values() if self.unknown(value)]
        return Code(ast.Call(name(made), passed, []))

    def unknown(self, value: Value) -> bool:
        """Whether a function of the script must be given the value as an argument."""
        return isinstance(value, (Code, Pack, Raised)) or (isinstance(value, Table) and not self.fixed(value))

    def fixed(self, table: Table) -> bool:
        return all(isinstance(item, Static) for item in table.items.values())

    def arguments(
        self,
        parameters: ast.arguments,
        given: list[Value],
        keywords: dict[str, Value],
        globals_: dict[str, Any],
        parent: Scope | None = None,
    ) -> dict[str, Value]:
        """Which parameter gets which value."""
        if any(isinstance(each, Code) and isinstance(each.node, ast.Starred) for each in given):
            raise Unsupported("a helper is called with a number of arguments that only the script knows")
        names = [each.arg for each in (*parameters.posonlyargs, *parameters.args)]
        outside = parent or Scope(globals_, "def")
        made: dict[str, Value] = {}
        for key, default in zip(reversed(names), reversed(parameters.defaults)):
            made[key] = self.value(default, outside)
        for each, default in zip(parameters.kwonlyargs, parameters.kw_defaults):
            if default is not None:
                made[each.arg] = self.value(default, outside)
        made |= dict(zip(names, given))
        left = dict(keywords)
        for key in (*names, *(each.arg for each in parameters.kwonlyargs)):
            if key in left:
                made[key] = left.pop(key)
        if parameters.vararg:
            made[parameters.vararg.arg] = self.display(tuple, given[len(names) :])
        if parameters.kwarg:
            made[parameters.kwarg.arg] = self.table(left)
        ordered = [*names, *(each.arg for each in parameters.kwonlyargs)]
        ordered += [each.arg for each in (parameters.vararg, parameters.kwarg) if each]
        return {key: made[key] for key in ordered}

    def in_place(
        self,
        node: Any,
        globals_: dict[str, Any],
        given: list[Value],
        keywords: dict[str, Value],
        caller: Scope,
        parent: Scope | None = None,
        expression: bool = False,
    ) -> Value:
        """The body of a helper or lambda written where it is called; what it returns."""
        if self.depth > DEPTH:
            raise Unsupported("helpers call each other too deeply")
        values = self.arguments(node.args, given, keywords, globals_, parent)
        forced: set[str] = set(captured(node)) if isinstance(node, ast.FunctionDef) else set()
        start = self.state()
        self.depth += 1
        try:
            while True:
                with self.into([]) as buffer:
                    inner = Scope(globals_, "inline", parent, caller.hoist)
                    inner.forced = forced
                    try:
                        result = self.run_in_place(node, inner, values)
                    except Restart as restart:
                        if restart.scope is not inner or restart.variable in forced - set(values):
                            raise
                        forced = forced | {restart.variable}
                        self.used = set(start[2])
                        continue
                break
        finally:
            self.depth -= 1
        result = collapse(buffer, result)
        if buffer and (not caller.hoist or (expression and not (isinstance(result, Static) and result.value is None))):
            raise NeedsFunction
        self.out += buffer
        return result

    def run_in_place(self, node: Any, inner: Scope, values: dict[str, Value]) -> Value:
        for key, value in values.items():
            once = isinstance(value, Code) and (value.atomic or uses(node, key) <= 1)
            if key in inner.forced and isinstance(value, (Static, Pack, Table)):
                inner.variables[key] = value
                made = self.variable(inner, key)
                self.emit(assign(made, self.lift(value)))
                inner.variables[key] = Code(name(made))
            elif isinstance(value, Code) and not once:
                if not inner.hoist:
                    raise NeedsFunction
                made = self.variable(inner, key)
                self.emit(assign(made, value.node))
                inner.variables[key] = Code(name(made), something=value.something)
            else:
                inner.variables[key] = value
        if isinstance(node, ast.Lambda):
            return self.value(node.body, inner)
        inner.locals, inner.identical = stored(node.body), compared_by_identity(node)
        try:
            self.block(node.body, inner)
        except Return as returned:
            return returned.value
        return Static(None)

    def define(self, function: Any, fixed: dict[str, Value]) -> str:
        """A function of the script that does what the helper does for these arguments; its name."""
        node = source(function)
        key = (function, *((k, self.identity(v)) for k, v in fixed.items()))
        if key in self.functions:
            return self.functions[key]
        made = self.functions[key] = self.fresh(function.__name__)
        globals_ = {**function.__globals__, **inspect.getclosurevars(function).nonlocals}
        inner = Scope(globals_, "def")
        inner.variables |= fixed
        inner.forced = set(captured(node))
        parameters = copy.deepcopy(node.args)
        parameters.posonlyargs = [each for each in parameters.posonlyargs if each.arg not in fixed]
        defaults = dict(zip([a.arg for a in reversed(node.args.args)], reversed(node.args.defaults)))
        parameters.args = [each for each in parameters.args if each.arg not in fixed]
        kept = [each.arg for each in parameters.args]
        parameters.defaults = [defaults[key] for key in kept if key in defaults]
        pairs = list(zip(parameters.kwonlyargs, parameters.kw_defaults))
        parameters.kwonlyargs, parameters.kw_defaults = [], []
        parameters.args += [each for each, _ in pairs if each.arg not in fixed]
        if len(parameters.defaults) and len(pairs) > len([p for p, _ in pairs if p.arg in fixed]):
            parameters.defaults = []
        for kind in ("vararg", "kwarg"):
            each = getattr(parameters, kind)
            if each and each.arg in fixed:
                setattr(parameters, kind, None)
            elif each:
                # It is passed as one value, not spread out.
                parameters.args.append(each)
                parameters.defaults = []
                setattr(parameters, kind, None)
        arguments = self.parameters(parameters, inner, Scope(globals_, "def"))
        with self.into([]) as body:
            self.block(node.body, inner)
        self.define_first(made, [ast.FunctionDef(made, arguments, body or [ast.Pass()], [])])
        return made

    def identity(self, value: Value) -> Any:
        """What tells two known values apart."""
        if isinstance(value, Static):
            try:
                return ast.dump(literal(value.value, self.resolve))
            except Unsupported:
                return id(value.value)
        return type(value) if isinstance(value, Adapter) else id(value)

    # --- statements ------------------------------------------------------------------------------------------------

    def block(self, statements: list[ast.stmt], scope: Scope) -> None:
        """Write the statements one after another; what follows a return is not reached."""
        for statement in statements:
            special = getattr(self, f"statement_{type(statement).__name__}", None)
            if special is None:
                raise Unsupported(f"a statement {type(statement).__name__}")
            special(statement, scope)
            if scope.kind == "def" and self.out and isinstance(self.out[-1], (ast.Return, ast.Raise)):
                return

    def until_left(self, inside: Callable[[], None]) -> Exception | None:
        """Write a block; where it returns, breaks or continues, that is raised only once what is around it is written."""
        try:
            inside()
        except Return as returned:
            return Return(self.kept(returned.value, "result"))
        except (Break, Continue) as left:
            return left
        return None

    @contextlib.contextmanager
    def unsure(self, scope: Scope) -> Iterator[None]:
        """While it is open, what is written may run or not: every assignment is the script's."""
        scope.uncertain += 1
        try:
            yield
        finally:
            scope.uncertain -= 1

    def before_branches(self, statements: list[ast.stmt], scope: Scope) -> None:
        """Variables that a branch or loop assigns to belong to the script from here on."""
        for variable in sorted(stored(statements)):
            value = scope.variables.get(variable)
            if isinstance(value, (Static, Pack, Table)):
                made = self.variable(scope, variable)
                self.emit(assign(made, self.lift(value)))
                scope.variables[variable] = Code(name(made))

    def statement_Pass(self, node: ast.Pass, scope: Scope) -> None:
        pass

    def statement_Expr(self, node: ast.Expr, scope: Scope) -> None:
        expression = node.value
        if isinstance(expression, ast.Constant):
            return
        if isinstance(expression, ast.Yield):
            resume = scope.resume
            if resume is None or scope.uncertain:
                raise Unsupported("a generator")
            scope.resume = None
            resume(self.value(expression.value, scope) if expression.value else Static(None))
            return
        if isinstance(scope.variables.get("self"), Instance) and ast.unparse(expression) == "super().__init__()":
            return
        if isinstance(expression, ast.Call) and self.attribute_statement(expression, scope):
            return
        if isinstance(expression, ast.Call) and self.known(expression, scope) is not None:
            callee = self.value(expression.func, scope)
            method = getattr(callee.value, "__self__", None) if isinstance(callee, Static) else None
            if isinstance(callee, Static) and not ours(callee.value) and (method is None or inspect.ismodule(method)):
                self.emit(ast.Expr(self.residual(expression, scope).node))  # an effect on the world
                return
            if isinstance(method, MUTABLE) and not self.local(expression.func, scope):
                raise Unsupported("something that belongs to the adapter's file is changed")
            if scope.uncertain and isinstance(method, MUTABLE):
                self.give_up_knowing(expression.func.value, scope)  # type: ignore[attr-defined]
        value = self.value(expression, scope)
        if isinstance(value, Pack):
            for item in value.items:
                if isinstance(item, Code) and not item.atomic:
                    self.emit(ast.Expr(item.node))
        elif isinstance(value, Code) and not value.atomic:
            self.emit(ast.Expr(value.node))

    def local(self, node: ast.expr, scope: Scope) -> bool:
        """Whether what the expression begins with is a variable of a function."""
        while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
            node = node.func if isinstance(node, ast.Call) else node.value
        return not isinstance(node, ast.Name) or scope.find(node.id) is not None

    def attribute_statement(self, node: ast.Call, scope: Scope) -> bool:
        """``setattr(module, "a", x)`` as ``module.a = x``, and ``delattr`` alike."""
        function = getattr(node.func, "id", "")
        count = {"setattr": 3, "delattr": 2}.get(function)
        if count != len(node.args) or node.keywords or any(isinstance(each, ast.Starred) for each in node.args):
            return False
        base, key, *new = [self.value(each, scope) for each in node.args]
        if not isinstance(base, Code) or not isinstance(key, Static) or not plain_name(key.value):
            made = ast.Call(name(function), [self.lift(each) for each in (base, key, *new)], [])
            self.emit(ast.Expr(made))
            return True
        target = ast.Attribute(base.node, key.value, ast.Store() if new else ast.Del())
        self.emit(ast.Assign([target], self.lift(new[0]), lineno=0) if new else ast.Delete([target]))
        return True

    def statement_Assign(self, node: ast.Assign, scope: Scope) -> None:
        value = self.value(node.value, scope)
        for target in node.targets:
            self.store(target, value, scope)
            if isinstance(value, Code) and isinstance(target, ast.Name):
                value = scope.variables.get(target.id, value)

    def statement_AnnAssign(self, node: ast.AnnAssign, scope: Scope) -> None:
        if node.value is not None:
            self.store(node.target, self.value(node.value, scope), scope)

    def store(self, target: ast.expr, value: Value, scope: Scope) -> None:
        """Assign to a variable, an attribute, an item, or several of them."""
        if isinstance(target, ast.Name):
            self.store_name(target.id, value, scope)
        elif isinstance(target, (ast.Tuple, ast.List)):
            self.store_parts(target, value, scope)
        elif isinstance(target, ast.Attribute):
            base = self.value(target.value, scope)
            if isinstance(base, Code):
                self.emit(ast.Assign([ast.Attribute(base.node, target.attr, ast.Store())], self.lift(value), lineno=0))
            elif isinstance(base, Instance):
                base.fields[target.attr] = self.kept(value, target.attr)
            elif isinstance(base, Static) and isinstance(value, Static):
                setattr(base.value, target.attr, value.value)
            else:
                self.give_up_knowing(target.value, scope)
                raise Unsupported(f"an attribute of a {type(base).__name__} is assigned")
        elif isinstance(target, ast.Subscript):
            base, index = self.value(target.value, scope), self.value(target.slice, scope)
            if isinstance(base, Code):
                made = ast.Subscript(base.node, self.index(index), ast.Store())
                self.emit(ast.Assign([made], self.lift(value), lineno=0))
            elif isinstance(base, Table) and isinstance(index, Static) and not scope.uncertain:
                base.items[index.value] = self.kept(value, label(index.value, "item"))
            elif all(isinstance(each, Static) for each in (base, index, value)) and not scope.uncertain:
                if not self.local(target.value, scope):
                    raise Unsupported("something at the top of a file is changed")
                base.value[index.value] = value.value
            else:
                self.give_up_knowing(target.value, scope)
                raise Unsupported(f"an item of a {type(base).__name__} is assigned")
        else:
            raise Unsupported(f"an assignment to a {type(target).__name__}")

    def kept(self, value: Value, wanted: str) -> Value:
        """The value, in a variable if it is to be computed once."""
        if isinstance(value, Table):
            return Table({key: self.kept(item, label(key, wanted)) for key, item in value.items.items()})
        if isinstance(value, Code) and not value.atomic:
            made = self.fresh(wanted)
            self.taken.add(made)
            self.emit(assign(made, value.node))
            return Code(name(made), stable=True, something=value.something)
        return value

    def store_name(self, variable: str, value: Value, scope: Scope) -> None:
        owner = scope.function()
        free = variable not in owner.forced and not scope.uncertain
        if (
            isinstance(value, Static)
            and variable in owner.identical
            and not isinstance(value.value, (type(None), bool))
        ):
            free = False
        if isinstance(value, (Tree, Adapter, Method, Raised, Instance)):
            owner.variables[variable] = value
        elif free and isinstance(value, Static) and self.stays_known(value.value):
            owner.variables[variable] = value
        elif free and isinstance(value, Pack) and value.kind is tuple and all(map(self.settled, value.items)):
            owner.variables[variable] = value
        elif free and isinstance(value, Code) and value.stable:
            owner.variables[variable] = value
        elif not scope.uncertain and isinstance(value, Static) and self.only_known(value):
            owner.variables[variable] = value
        elif isinstance(value, (Pack, Table)) and self.holds_trees(value):
            owner.variables[variable] = value
        else:
            node = self.lift(value)
            made = self.variable(owner, variable)
            if not (isinstance(node, ast.Name) and node.id == made):
                self.emit(assign(made, node))
            owner.variables[variable] = Code(name(made), something=getattr(value, "something", False))

    def only_known(self, value: Static) -> bool:
        """Whether it is something of the model's, which no script can have."""
        if not self.stays_known(value.value):
            return False
        try:
            self.lift(value)
        except Unsupported:
            return True
        return False

    def holds_trees(self, value: Value) -> bool:
        if isinstance(value, Pack):
            return any(map(self.holds_trees, value.items))
        if isinstance(value, Table):
            return any(map(self.holds_trees, value.items.values()))
        return isinstance(value, (Tree, Adapter, Instance))

    def settled(self, value: Value) -> bool:
        if isinstance(value, Pack):
            return value.kind is tuple and all(map(self.settled, value.items))
        return isinstance(value, Static) or (isinstance(value, Code) and value.stable)

    def store_parts(self, target: Any, value: Value, scope: Scope) -> None:
        items = self.items(value)
        starred = any(isinstance(part, ast.Starred) for part in target.elts)
        if items is not None and not starred and len(items) == len(target.elts):
            before: set[str] = set()
            crossed = False
            for part, item in zip(target.elts, items):
                crossed |= isinstance(item, (Code, Pack, Table)) and bool(before & mentioned(item))
                before |= {self.variable(scope, part.id)} if isinstance(part, ast.Name) else set()
            if not crossed:
                for part, item in zip(target.elts, items):
                    self.store(part, item, scope)
                return
        if isinstance(value, Static) and starred:
            self.store_plainly(target, value, scope)
            return
        node = self.lift(value)
        parts: list[ast.expr] = []
        for part in target.elts:
            inner = part.value if isinstance(part, ast.Starred) else part
            parts.append(self.written_target(inner, scope, isinstance(part, ast.Starred)))
        self.emit(ast.Assign([ast.Tuple(parts, ast.Store())], node, lineno=0))

    def written_target(self, target: ast.expr, scope: Scope, starred: bool = False) -> ast.expr:
        """A target of which the script assigns what nobody else knows."""
        made: ast.expr
        if isinstance(target, ast.Name):
            owner = scope.function()
            variable = self.variable(owner, target.id)
            owner.variables[target.id] = Code(name(variable))
            made = ast.Name(variable, ast.Store())
        elif isinstance(target, (ast.Tuple, ast.List)):
            made = ast.Tuple([self.written_target(part, scope) for part in target.elts], ast.Store())
        else:
            base = self.value(target.value, scope)  # type: ignore[attr-defined]
            if not isinstance(base, Code):
                raise Unsupported("such a target")
            if isinstance(target, ast.Attribute):
                made = ast.Attribute(base.node, target.attr, ast.Store())
            else:
                made = ast.Subscript(base.node, self.code(target.slice, scope), ast.Store())  # type: ignore[attr-defined]
        return ast.Starred(made, ast.Store()) if starred else made

    def stays_known(self, value: Any) -> bool:
        """Whether the variable needs no counterpart in the script: data, or what the model is made of."""
        if isinstance(value, (*ATOMS, type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType)):
            return True
        if isinstance(value, (tuple, list, set, frozenset)):
            return all(map(self.stays_known, value))
        if isinstance(value, dict):
            return all(map(self.stays_known, value.values()))
        kind = type(value)
        if kind.__module__.partition(".")[0] == "conformance":
            return ".suite" not in kind.__module__ and not kind.__module__.startswith("conformance.reference")
        try:
            literal(value, lambda other: (_ for _ in ()).throw(unwritable(other)))
        except Unsupported:
            return kind.__name__.startswith("Approx") or kind.__module__ in ("types", "re", "itertools")
        return True

    def statement_AugAssign(self, node: ast.AugAssign, scope: Scope) -> None:
        if isinstance(node.target, ast.Name):
            current, value = self.look_up(scope, node.target.id), self.value(node.value, scope)
            if isinstance(current, Static) and isinstance(value, Static) and not scope.uncertain:
                space = {"a": current.value, "b": value.value}
                statement = ast.AugAssign(ast.Name("a", ast.Store()), node.op, name("b"))
                exec(compile(ast.fix_missing_locations(ast.Module([statement], [])), "<property>", "exec"), space)
                scope.function().variables[node.target.id] = Static(space["a"])
                return
            if isinstance(current, (Static, Pack, Table)):
                if scope.uncertain and scope.kind != "def":
                    raise Restart(scope.function(), node.target.id)
                made = self.variable(scope, node.target.id)
                self.emit(assign(made, self.lift(current)))
                scope.function().variables[node.target.id] = Code(name(made))
            made = self.variable(scope, node.target.id)
            if isinstance(current, Code) and getattr(current.node, "id", None) != made:
                self.emit(assign(made, current.node))
            scope.function().variables[node.target.id] = Code(name(made))
            target: Any = ast.Name(made, ast.Store())
            self.emit(ast.AugAssign(target, node.op, self.lift(value)))
            return
        base, value = self.value(node.target.value, scope), self.value(node.value, scope)
        if isinstance(base, Static) and isinstance(value, Static) and not scope.uncertain:
            made = ast.AugAssign(self.holed(node.target, scope), node.op, name("value_"))
            space = {"base_": base.value, "value_": value.value}
            if isinstance(node.target, ast.Subscript):
                space["index_"] = self.value(node.target.slice, scope).value
            exec(compile(ast.fix_missing_locations(ast.Module([made], [])), "<property>", "exec"), space)
            return
        if isinstance(base, Instance) and isinstance(node.target, ast.Attribute):
            current = base.fields[node.target.attr]
            made = ast.BinOp(ast.Name("a", ast.Load()), node.op, name("b"))
            if isinstance(current, Static) and isinstance(value, Static):
                text = compile(ast.fix_missing_locations(ast.Expression(made)), "<property>", "eval")
                base.fields[node.target.attr] = Static(eval(text, {"a": current.value, "b": value.value}))
                return
        if not isinstance(base, Code):
            self.give_up_knowing(node.target.value, scope)
            raise Unsupported("such an assignment")
        if isinstance(node.target, ast.Attribute):
            target = ast.Attribute(base.node, node.target.attr, ast.Store())
        else:
            target = ast.Subscript(base.node, self.code(node.target.slice, scope), ast.Store())
        self.emit(ast.AugAssign(target, node.op, self.lift(value)))

    def holed(self, target: Any, scope: Scope) -> ast.expr:
        """The target on a variable ``base_``."""
        if isinstance(target, ast.Attribute):
            return ast.Attribute(name("base_"), target.attr, ast.Store())
        return ast.Subscript(name("base_"), name("index_"), ast.Store())

    def statement_Delete(self, node: ast.Delete, scope: Scope) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                value = self.look_up(scope, target.id)
                if isinstance(value, Code) and not value.stable:
                    self.emit(ast.Delete([ast.Name(value.node.id, ast.Del())]))  # type: ignore[attr-defined]
                continue
            base = self.value(target.value, scope)  # type: ignore[attr-defined]
            if isinstance(base, Code) and isinstance(target, ast.Attribute):
                self.emit(ast.Delete([ast.Attribute(base.node, target.attr, ast.Del())]))
                continue
            index = self.value(target.slice, scope)  # type: ignore[attr-defined]
            if isinstance(base, Code):
                self.emit(ast.Delete([ast.Subscript(base.node, self.index(index), ast.Del())]))
            elif isinstance(base, Static) and isinstance(index, Static) and not scope.uncertain:
                del base.value[index.value]
            else:
                self.give_up_knowing(target.value, scope)  # type: ignore[attr-defined]
                raise Unsupported("such a deletion")

    def statement_Assert(self, node: ast.Assert, scope: Scope) -> None:
        parts = node.test.values if isinstance(node.test, ast.BoolOp) and isinstance(node.test.op, ast.And) else []
        if parts and self.known(node.test, scope) is None:
            for part in parts:
                self.statement_Assert(ast.Assert(part, node.msg), scope)
            return
        test = node.test
        said = None
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and self.known(test, scope) is None:
            left, right = self.value(test.left, scope), self.value(test.comparators[0], scope)
            made = Code(ast.Compare(self.lift(left), test.ops, [self.lift(right)]))
            statement = ast.Assert(made.node, None)
            statement.swapped = isinstance(left, Static) and not isinstance(right, Static)  # type: ignore[attr-defined]
        else:
            value = self.value(test, scope)
            if isinstance(value, Static) and value.value:
                return
            statement = ast.Assert(self.lift(value), None)
        if node.msg is not None:
            with contextlib.suppress(Unsupported):
                said = self.code(node.msg, scope)
        statement.msg = said
        self.emit(statement)

    def statement_If(self, node: ast.If, scope: Scope) -> None:
        test = self.value(node.test, scope)
        decided = self.truth(test)
        if decided is not None:
            self.block(node.body if decided else node.orelse, scope)
            return
        self.before_branches([*node.body, *node.orelse], scope)
        with self.unsure(scope):
            with self.into([]) as body:
                self.block(node.body, scope)
            with self.into([]) as orelse:
                self.block(node.orelse, scope)
        self.emit(ast.If(self.lift(test), body or [ast.Pass()], orelse))

    def statement_For(self, node: ast.For, scope: Scope) -> None:
        over = self.value(node.iter, scope)
        items = self.items(over)
        if items is not None and len(items) <= UNROLLED:
            state = self.state()
            kept = dict(scope.function().variables)
            try:
                self.unroll(node, items, scope)
                return
            except NeedsLoop:
                self.restore(state)
                scope.function().variables = kept
        self.before_branches(node.body, scope)
        target = self.written_target(node.target, scope)
        with self.unsure(scope), self.into([]) as body:
            self.block(node.body, scope)
        self.emit(ast.For(target, self.lift(over), body or [ast.Pass()], [], lineno=0))

    def unroll(self, node: ast.For, items: list[Value], scope: Scope) -> None:
        uncertain = scope.uncertain
        for item in items:
            # A loop variable is known in each round, whatever is uncertain around the loop.
            self.store_plainly(node.target, item, scope.function())
            for each in ast.walk(node.target):
                if isinstance(each, ast.Name) and each.id in scope.function().identical:
                    self.store_name(each.id, scope.function().variables[each.id], scope)
            try:
                scope.rounds = [*getattr(scope, "rounds", []), uncertain]  # type: ignore[attr-defined]
                self.block(node.body, scope)
            except Break:
                break
            except Continue:
                continue
            finally:
                scope.rounds.pop()  # type: ignore[attr-defined]
        else:
            self.block(node.orelse, scope)

    def leaves_loop(self, scope: Scope, statement: ast.stmt, signal: type[Exception]) -> None:
        rounds = getattr(scope, "rounds", [])
        if not rounds:
            self.emit(statement)
        elif scope.uncertain > rounds[-1]:
            raise NeedsLoop
        else:
            raise signal

    def statement_Break(self, node: ast.Break, scope: Scope) -> None:
        self.leaves_loop(scope, node, Break)

    def statement_Continue(self, node: ast.Continue, scope: Scope) -> None:
        self.leaves_loop(scope, node, Continue)

    def statement_Return(self, node: ast.Return, scope: Scope) -> None:
        if scope.kind == "def":
            self.emit(ast.Return(self.code(node.value, scope) if node.value else None))
        elif not scope.uncertain:
            raise Return(self.value(node.value, scope) if node.value else Static(None))
        elif scope.kind == "inline":
            raise NeedsFunction
        else:
            self.emit(ast.Raise(name("SystemExit"), None))

    def statement_Raise(self, node: ast.Raise, scope: Scope) -> None:
        self.emit(ast.Raise(node.exc and self.code(node.exc, scope), node.cause and self.code(node.cause, scope)))

    def statement_Try(self, node: ast.Try, scope: Scope) -> None:
        left = None
        if not node.handlers:
            made = ast.Try([], [], [], [])
            with self.into(made.body):
                left = self.until_left(lambda: self.block(node.body, scope))
            with self.into(made.finalbody):
                self.block(node.finalbody, scope)
        else:
            every = [*node.body, *node.orelse, *(each for handler in node.handlers for each in handler.body)]
            self.before_branches(every, scope)
            with self.unsure(scope):
                made = ast.Try([], [], [], [])
                with self.into(made.body):
                    self.block(node.body, scope)
                for handler in node.handlers:
                    kind = handler.type and self.code(handler.type, scope)
                    caught = None
                    if handler.name:
                        caught = self.variable(scope, handler.name)
                        scope.function().variables[handler.name] = Code(name(caught))
                    with self.into([]) as body:
                        self.block(handler.body, scope)
                    made.handlers.append(ast.ExceptHandler(kind, caught, body or [ast.Pass()]))
                with self.into(made.orelse):
                    self.block(node.orelse, scope)
                with self.into(made.finalbody):
                    self.block(node.finalbody, scope)
        made.body = made.body or [ast.Pass()]
        if made.handlers or made.finalbody:
            self.emit(made)
        else:
            self.out += made.body
        if left is not None:
            raise left

    def statement_With(self, node: ast.With, scope: Scope) -> None:
        self.with_items(node.items, scope, lambda: self.block(node.body, scope))

    def with_items(self, items: list[ast.withitem], scope: Scope, body: Callable[[], None]) -> None:
        if not items:
            body()
            return
        first, *others = items
        context = first.context_expr
        while isinstance(context, ast.IfExp):
            test = self.truth(self.value(context.test, scope))
            if test is None:
                break
            context = context.body if test else context.orelse

        def inside() -> None:
            self.with_items(others, scope, body)

        callee = self.value(context.func, scope) if isinstance(context, ast.Call) else None
        function = callee.value if isinstance(callee, Static) else None
        if function is contextlib.nullcontext:
            inside()
        elif function is pytest.raises:
            self.raises(context, first.optional_vars, scope, inside)  # type: ignore[arg-type]
        elif inspect.isgeneratorfunction(inspect.unwrap(function)) if function else False:
            self.manager(inspect.unwrap(function), context, first.optional_vars, scope, inside)  # type: ignore[arg-type]
        elif isinstance(callee, Method):
            self.adapter_manager(callee, context, scope, inside)
        else:
            item = ast.withitem(self.residual(context, scope).node)
            if first.optional_vars is not None:
                item.optional_vars = self.written_target(first.optional_vars, scope)
            with self.into([]) as written:
                left = self.until_left(inside)
            self.emit(ast.With([item], written or [ast.Pass()], lineno=0))
            if left is not None:
                raise left

    def raises(self, context: ast.Call, variable: ast.expr | None, scope: Scope, inside: Callable[[], None]) -> None:
        """``pytest.raises`` in plain Python."""
        raised = self.value(context.args[0], scope)
        kind = self.lift(raised)
        usual = isinstance(raised, Static) and isinstance(raised.value, type) and issubclass(raised.value, Exception)
        match = next((self.code(each.value, scope) for each in context.keywords if each.arg == "match"), None)
        made = self.variable(scope, variable.id) if isinstance(variable, ast.Name) else self.fresh("raised")
        self.emit(assign(made, ast.Constant(None)))
        with self.into([]) as body:
            inside()
        keep = ast.ExceptHandler(
            name("Exception" if usual else "BaseException"), "error", [assign(made, name("error"))]
        )
        self.emit(ast.Try(body or [ast.Pass()], [keep], [], []))
        statement = ast.Assert(call("isinstance", name(made), kind))
        statement.raises = (made, kind, match)  # type: ignore[attr-defined]
        if match is not None:
            self.imports["import re"] = None
            found = call("re.search", match, call("str", name(made)))
            statement.test = ast.BoolOp(ast.And(), [statement.test, found])
        self.emit(statement)
        if isinstance(variable, ast.Name):
            scope.function().variables[variable.id] = Raised(made)

    def manager(
        self, function: Any, context: ast.Call, variable: ast.expr | None, scope: Scope, inside: Callable[[], None]
    ) -> None:
        """A context manager of the suite, written as a generator: its body in place, the block where it yields."""
        node = source(function)
        arguments = self.sequence(context.args, scope)
        keywords: dict[str, Value] = {}
        for each in context.keywords:
            value = self.value(each.value, scope)
            keywords |= {each.arg: value} if each.arg else {k: Static(v) for k, v in value.value.items()}

        left: list[Exception | None] = []

        def resume(value: Value) -> None:
            if variable is not None:
                self.store(variable, value, scope)
            left.append(self.until_left(inside))

        globals_ = function.__globals__
        forced = set(captured(node))
        start, uncertain = self.state(), scope.uncertain
        kept = dict(scope.function().variables)
        while True:
            inner = Scope(globals_, "inline", None, scope.hoist)
            inner.forced, inner.resume = forced, resume
            try:
                self.run_in_place(node, inner, self.arguments(node.args, arguments, keywords, globals_))
                break
            except Restart as restart:
                if restart.scope is not inner or restart.variable in forced:
                    raise
                forced = forced | {restart.variable}
                self.restore(start)
                scope.uncertain, scope.function().variables = uncertain, dict(kept)
                left.clear()
        for each in filter(None, left):
            raise each

    def adapter_manager(self, callee: Method, context: ast.Call, scope: Scope, inside: Callable[[], None]) -> None:
        """A context manager that the adapter offers."""
        function = inspect.unwrap(getattr(type(self.implementation), callee.name, None) or callee.owner)
        if not inspect.isgeneratorfunction(function):
            raise Unsupported(f"with ... {callee.name}")
        made = ast.Call(context.func, [ast.Name("implementation", ast.Load()), *context.args], context.keywords)
        self.manager(function, made, None, scope, inside)

    def statement_FunctionDef(self, node: ast.FunctionDef, scope: Scope) -> None:
        made = node.name if scope.keeps_names else self.variable(scope, node.name)
        scope.function().variables[node.name] = Code(name(made), something=True)
        state = self.state()
        try:
            self.emit(self.function_definition(node, made, scope))
        except Unsupported:
            # What it does is written where it is called.
            self.restore(state)
            scope.function().variables[node.name] = Closure(node, scope)

    def function_definition(self, node: ast.FunctionDef, made: str, scope: Scope) -> ast.FunctionDef:
        """A function of the property's, or a method."""
        inner = Scope(scope.globals, "def", scope.parent if scope.keeps_names else scope)
        inner.forced = set(captured(node))
        arguments = self.parameters(node.args, inner, scope)
        for variable in stored(node.body):
            inner.variables.setdefault(variable, Code(name(variable)))
        for each in ast.walk(node):
            if isinstance(each, (ast.Nonlocal, ast.Global)):
                for variable in each.names:
                    inner.variables.pop(variable, None)
        with self.into([]) as body:
            self.block(node.body, inner)
        decorators = [self.code(each, scope) for each in node.decorator_list]
        return ast.FunctionDef(made, arguments, body or [ast.Pass()], decorators, lineno=0)

    def statement_Nonlocal(self, node: ast.Nonlocal, scope: Scope) -> None:
        written = []
        for variable in node.names:
            value = self.look_up(scope, variable)
            if not isinstance(value, Code) or not isinstance(value.node, ast.Name):
                raise Unsupported(f"nonlocal {variable}")
            written.append(value.node.id)
            scope.variables[variable] = value
        self.emit(ast.Global(written))

    def statement_ClassDef(self, node: ast.ClassDef, scope: Scope) -> None:
        made = node.name if scope.keeps_names else self.variable(scope, node.name)
        scope.function().variables[node.name] = Code(name(made), something=True)
        self.emit(self.class_definition(node, made, scope))

    def class_definition(self, node: ast.ClassDef, made: str, scope: Scope) -> ast.ClassDef:
        """A class of the property's, or of a helper's."""
        bases = [self.code(each, scope) for each in node.bases]
        keywords = [ast.keyword(each.arg, self.code(each.value, scope)) for each in node.keywords]
        decorators = [self.code(each, scope) for each in node.decorator_list]
        inner = Scope(scope.globals, "def", scope)
        inner.keeps_names = True
        with self.into([]) as body:
            self.block(node.body, inner)
        return ast.ClassDef(made, bases, keywords, body or [ast.Pass()], decorators)

    def statement_Import(self, node: Any, scope: Scope) -> None:
        space: dict[str, Any] = {}
        exec(compile(ast.fix_missing_locations(ast.Module([node], [])), "<property>", "exec"), scope.globals, space)
        for key, value in space.items():
            scope.globals = {**scope.globals, key: value}

    statement_ImportFrom = statement_Import


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
