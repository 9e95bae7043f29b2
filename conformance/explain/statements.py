"""Statements: branches are decided and loops unrolled where that is known now; the others are written down."""

from __future__ import annotations

import ast
import contextlib
import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from conformance.explain.calls import MUTABLE
from conformance.explain.expressions import UNROLLED
from conformance.explain.literals import ATOMS, literal, unwritable
from conformance.explain.names import ours
from conformance.explain.scope import (
    NOWHERE,
    Break,
    Continue,
    NeedsFunction,
    NeedsLoop,
    Restart,
    Return,
    Scope,
    assign,
    captured,
    label,
    mentioned,
    plain_name,
    source,
    stored,
)
from conformance.explain.values import (
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


class Statements:
    """Carries statements out, or writes them down."""

    def block(self, statements: list[ast.stmt], scope: Scope) -> None:
        """Write the statements one after another; what follows a return is not reached."""
        for statement in statements:
            special = getattr(self, f"statement_{type(statement).__name__}", None)
            if special is None:
                raise Unsupported(f"a statement {type(statement).__name__}")
            with self.at(statement, scope):
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
    def at(self, statement: ast.stmt, scope: Scope) -> Iterator[None]:
        """While it is open, what is written comes from that statement."""
        outer = self.here
        file = scope.globals.get("__file__", "")
        self.here = (*outer[:-1], (file, statement.lineno, statement.end_lineno or statement.lineno))
        try:
            yield
        finally:
            self.here = outer

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
                self.give_up_knowing(expression.func.value, scope)
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
            base = self.value(target.value, scope)
            if not isinstance(base, Code):
                raise Unsupported("such a target")
            if isinstance(target, ast.Attribute):
                made = ast.Attribute(base.node, target.attr, ast.Store())
            else:
                made = ast.Subscript(base.node, self.code(target.slice, scope), ast.Store())
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
                    self.emit(ast.Delete([ast.Name(value.node.id, ast.Del())]))
                continue
            base = self.value(target.value, scope)
            if isinstance(base, Code) and isinstance(target, ast.Attribute):
                self.emit(ast.Delete([ast.Attribute(base.node, target.attr, ast.Del())]))
                continue
            index = self.value(target.slice, scope)
            if isinstance(base, Code):
                self.emit(ast.Delete([ast.Subscript(base.node, self.index(index), ast.Del())]))
            elif isinstance(base, Static) and isinstance(index, Static) and not scope.uncertain:
                del base.value[index.value]
            else:
                self.give_up_knowing(target.value, scope)
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
            statement.swapped = isinstance(left, Static) and not isinstance(right, Static)
            statement.known = isinstance(left, Static) or isinstance(right, Static)
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
                scope.rounds.append(uncertain)
                self.block(node.body, scope)
            except Break:
                break
            except Continue:
                continue
            finally:
                scope.rounds.pop()
        else:
            self.block(node.orelse, scope)

    def leaves_loop(self, scope: Scope, statement: ast.stmt, signal: type[Exception]) -> None:
        if not scope.rounds:
            self.emit(statement)
        elif scope.uncertain > scope.rounds[-1]:
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
            self.raises(context, first.optional_vars, scope, inside)
        elif inspect.isgeneratorfunction(inspect.unwrap(function)) if function else False:
            self.manager(inspect.unwrap(function), context, first.optional_vars, scope, inside)
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
        statement.raises = (made, kind, match)
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

        place = self.here

        def resume(value: Value) -> None:
            inner, self.here = self.here, place
            if variable is not None:
                self.store(variable, value, scope)
            left.append(self.until_left(inside))
            self.here = inner

        globals_ = function.__globals__
        forced = set(captured(node))
        start, uncertain = self.state(), scope.uncertain
        kept = dict(scope.function().variables)
        while True:
            inner = Scope(globals_, "inline", None, scope.hoist)
            inner.forced, inner.resume = forced, resume
            self.here = (*place, NOWHERE)
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
            finally:
                self.here = place
        for each in filter(None, left):
            raise each

    def adapter_manager(self, callee: Method, context: ast.Call, scope: Scope, inside: Callable[[], None]) -> None:
        """A context manager that the adapter offers."""
        function = inspect.unwrap(self.attribute_of(callee.name) or callee.owner)
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
