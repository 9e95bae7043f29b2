"""Statements: followed where that is how the run went, quoted where the script can have them as they are."""

from __future__ import annotations

import ast
import contextlib
import copy
import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from conformance.explain.calls import MUTABLE
from conformance.explain.expressions import UNROLLED
from conformance.explain.literals import ATOMS, literal, unwritable
from conformance.explain.names import ours
from conformance.explain.notes import note
from conformance.explain.scope import (
    NOWHERE,
    Break,
    Continue,
    Return,
    Scope,
    Thrown,
    Undecided,
    assign,
    captured,
    changed,
    label,
    mentioned,
    plain_name,
    root,
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
    Yielded,
    call,
    name,
)

#: What no script does, and why.
REFUSED = {
    "Global": "it changes a variable at the top of a file",
    **dict.fromkeys(("AsyncFunctionDef", "AsyncFor", "AsyncWith"), "it is asynchronous"),
    "TryStar": "it handles groups of exceptions",
}
#: A loop that goes on longer is taken to be endless.
ROUNDS = 10_000


class Statements:
    """Carries statements out, or writes them down."""

    def block(self, statements: list[ast.stmt], scope: Scope) -> None:
        """Write the statements one after another; what follows a return is not reached."""
        for statement in statements:
            special = getattr(self, f"statement_{type(statement).__name__}", None)
            if special is None:
                kind = type(statement).__name__
                raise Unsupported(REFUSED.get(kind, f"there is no way to write a statement {kind}"))
            with self.at(statement, scope):
                special(statement, scope)
            if scope.kind == "def" and self.out and isinstance(self.out[-1], (ast.Return, ast.Raise)):
                return

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

    def before_branches(self, statements: list[ast.stmt], scope: Scope) -> None:
        """Variables that what is quoted assigns to or changes belong to the script from here on."""
        for variable in sorted(changed(statements)):
            value = scope.function().variables.get(variable)
            if isinstance(value, (Static, Pack, Table)):
                self.bind(scope, variable, first=True)

    def statement_Pass(self, node: ast.Pass, scope: Scope) -> None:
        pass

    def statement_Expr(self, node: ast.Expr, scope: Scope) -> None:
        expression = node.value
        if isinstance(expression, ast.Constant):
            return
        if isinstance(expression, ast.Yield):
            resume = scope.resume
            if resume is None and scope.kind == "def":
                self.emit(ast.Expr(ast.Yield(expression.value and self.code(expression.value, scope))))
                return
            if resume is None or not self.certain(scope):
                raise Undecided("a generator")
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
        if isinstance(value, Static) and isinstance(value.value, type) and isinstance(node.value, ast.Call):
            value = self.residual(node.value, scope)  # a class that is made by a call
        for target in node.targets:
            self.store(target, value, scope)
            if isinstance(value, Code) and isinstance(target, ast.Name):
                value = scope.variables.get(target.id, value)

    def statement_AnnAssign(self, node: ast.AnnAssign, scope: Scope) -> None:
        if scope.keeps_names:  # a class may be made of its annotations
            assert isinstance(node.target, ast.Name)
            scope.variables[node.target.id] = Code(name(node.target.id))
            value = node.value and self.code(node.value, scope)
            self.emit(
                ast.AnnAssign(
                    ast.Name(node.target.id, ast.Store()), ast.Constant(ast.unparse(node.annotation)), value, 1
                )
            )
        elif node.value is not None:
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
                self.only_followed()
                base.fields[target.attr] = self.kept(value, target.attr)
            elif isinstance(base, Static) and isinstance(value, Static):
                self.only_followed()
                setattr(base.value, target.attr, value.value)
            else:
                self.give_up_knowing(target.value, scope)
                self.store(target, value, scope)
        elif isinstance(target, ast.Subscript):
            base, index = self.value(target.value, scope), self.value(target.slice, scope)
            if isinstance(base, Code):
                made = ast.Subscript(base.node, self.index(index), ast.Store())
                self.emit(ast.Assign([made], self.lift(value), lineno=0))
            elif isinstance(base, Table) and isinstance(index, Static) and self.belongs(target, scope):
                base.items[index.value] = self.kept(value, label(index.value, "item"))
            elif all(isinstance(each, Static) for each in (base, index, value)) and self.belongs(target, scope):
                if not self.local(target.value, scope):
                    raise Unsupported("something at the top of a file is changed")
                base.value[index.value] = value.value
            else:
                self.give_up_knowing(target.value, scope)
                self.store(target, value, scope)
        else:
            raise Unsupported(f"an assignment to a {type(target).__name__}")

    def only_followed(self) -> None:
        """What is changed here and now cannot be quoted."""
        if self.quoting:
            raise Undecided("something known is changed in a place that only the script reaches")

    def belongs(self, target: ast.expr, scope: Scope) -> bool:
        """Whether what is known may be changed now: it is followed, or belongs to the function that is written in place."""
        return not self.quoting or (self.certain(scope) and root(target) in scope.function().locals)

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
        if isinstance(value, Static) and isinstance(value.value, Yielded):
            value = Code(call("iter", self.lift(value)))
        free = variable not in owner.forced and self.certain(scope)
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
        elif self.certain(scope) and isinstance(value, Static) and self.only_known(value):
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
            if isinstance(current, Static) and isinstance(value, Static) and self.certain(scope):
                if isinstance(current.value, MUTABLE):
                    self.only_followed()
                space = {"a": current.value, "b": value.value}
                statement = ast.AugAssign(ast.Name("a", ast.Store()), node.op, name("b"))
                exec(compile(ast.fix_missing_locations(ast.Module([statement], [])), "<property>", "exec"), space)
                scope.function().variables[node.target.id] = Static(space["a"])
                return
            if isinstance(current, (Static, Pack, Table)):
                current = self.bind(scope, node.target.id)
            made = self.variable(scope, node.target.id)
            if isinstance(current, Code) and getattr(current.node, "id", None) != made:
                self.emit(assign(made, current.node))
            scope.function().variables[node.target.id] = Code(name(made))
            target: Any = ast.Name(made, ast.Store())
            self.emit(ast.AugAssign(target, node.op, self.lift(value)))
            return
        base, value = self.value(node.target.value, scope), self.value(node.value, scope)
        if isinstance(base, Static) and isinstance(value, Static) and self.belongs(node.target, scope):
            made = ast.AugAssign(self.holed(node.target, scope), node.op, name("value_"))
            space = {"base_": base.value, "value_": value.value}
            if isinstance(node.target, ast.Subscript):
                space["index_"] = self.value(node.target.slice, scope).value
            exec(compile(ast.fix_missing_locations(ast.Module([made], [])), "<property>", "exec"), space)
            return
        if isinstance(base, Instance) and isinstance(node.target, ast.Attribute):
            current = base.fields[node.target.attr]
            made = ast.BinOp(ast.Name("a", ast.Load()), node.op, name("b"))
            self.only_followed()
            if isinstance(current, Static) and isinstance(value, Static):
                text = compile(ast.fix_missing_locations(ast.Expression(made)), "<property>", "eval")
                base.fields[node.target.attr] = Static(eval(text, {"a": current.value, "b": value.value}))
                return
        if not isinstance(base, Code):
            self.give_up_knowing(node.target.value, scope)
            self.statement_AugAssign(node, scope)
            return
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
            elif isinstance(base, Static) and isinstance(index, Static) and self.belongs(target, scope):
                del base.value[index.value]
            else:
                self.give_up_knowing(target.value, scope)
                self.statement_Delete(ast.Delete([target]), scope)

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
            note(statement).swapped = isinstance(left, Static) and not isinstance(right, Static)
            note(statement).known = isinstance(left, Static) or isinstance(right, Static)
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
        if decided is None:
            if self.quoting:
                return self.branch(node, test, scope)
            if self.attempt(scope, lambda: self.branch(node, test, scope)):
                return None
            decided = self.decide(test)
        return self.block(node.body if decided else node.orelse, scope)

    def branch(self, node: ast.If, test: Value, scope: Scope) -> None:
        """An ``if`` that the script decides."""
        self.before_branches([*node.body, *node.orelse], scope)
        body, orelse = (self.quote(each, scope) for each in (node.body, node.orelse))
        self.emit(ast.If(self.lift(test), body or [ast.Pass()], orelse))

    def quote(self, statements: list[ast.stmt], scope: Scope) -> list[ast.stmt]:
        """What the script has of these statements, which it may or may not run, once or often."""
        with self.quoted(), self.into([]) as written:
            self.block(statements, scope)
        return written

    # --- loops -------------------------------------------------------------------------------------------------------

    def statement_For(self, node: ast.For, scope: Scope) -> None:
        over = self.value(node.iter, scope)
        items = self.items(over)
        if self.quoting:
            state, kept = self.state(), dict(scope.function().variables)
            try:
                if items is not None and len(items) <= UNROLLED:
                    return self.rounds_of(node, iter(items), scope)
            except Undecided:
                self.restore(state)
                scope.function().variables = kept
            return self.loop(node, over, scope)
        if items is not None and len(items) <= UNROLLED:
            return self.rounds_of(node, iter(items), scope)
        if self.attempt(scope, lambda: self.loop(node, over, scope)):
            return None
        return self.rounds_of(node, iter(items) if items is not None else self.drawn_from(over), scope)

    def loop(self, node: ast.For, over: Value, scope: Scope) -> None:
        """A ``for`` that the script has."""
        self.before_branches([*node.body, *node.orelse], scope)
        target = self.written_target(node.target, scope)
        made = ast.For(target, self.lift(over), self.quoted_loop(node.body, scope), [], lineno=0)
        made.orelse = self.quote(node.orelse, scope)
        self.emit(made)

    def quoted_loop(self, statements: list[ast.stmt], scope: Scope) -> list[ast.stmt]:
        """The body of a loop that the script has."""
        scope.function().loops.append(None)
        try:
            return self.quote(statements, scope) or [ast.Pass()]
        finally:
            scope.function().loops.pop()

    def drawn_from(self, over: Value) -> Iterator[Value]:
        """The items of what only the framework can iterate over, each taken when its turn comes."""
        made = self.fresh("things")
        self.emit(assign(made, call("iter", self.lift(over))))
        while True:
            item = self.fresh("thing")
            try:
                self.emit(assign(item, call("next", name(made))))
            except Thrown as thrown:
                if not isinstance(thrown.error, StopIteration):
                    raise
                self.out.pop()
                return
            yield Code(name(item), stable=True)

    def rounds_of(self, node: ast.For, items: Iterator[Value], scope: Scope) -> None:
        """The rounds of a loop, one after another."""
        function = scope.function()
        for item in items:
            # A loop variable is known in each round, whatever is uncertain around the loop.
            self.store_plainly(node.target, item, function)
            for each in ast.walk(node.target):
                if isinstance(each, ast.Name) and each.id in function.identical:
                    self.store_name(each.id, function.variables[each.id], scope)
            if self.followed(node.body, scope):
                break
        else:
            self.block(node.orelse, scope)

    def followed(self, body: list[ast.stmt], scope: Scope) -> bool:
        """Follow one round of a loop; whether it left the loop."""
        scope.function().loops.append(self.quoting)
        try:
            self.block(body, scope)
        except Break:
            return True
        except Continue:
            pass
        finally:
            scope.function().loops.pop()
        return False

    def statement_While(self, node: ast.While, scope: Scope) -> None:
        if self.quoting:
            return self.while_loop(node, scope)
        if self.known(node.test, scope) is None and self.attempt(scope, lambda: self.while_loop(node, scope)):
            return None
        for _ in range(ROUNDS):
            if not self.decide(self.value(node.test, scope)):
                return self.block(node.orelse, scope)
            if self.followed(node.body, scope):
                return None
        raise Unsupported("a loop does not seem to end")

    def while_loop(self, node: ast.While, scope: Scope) -> None:
        """A ``while`` that the script has."""
        self.before_branches([*node.body, *node.orelse], scope)
        hoist, scope.hoist = scope.hoist, False
        try:
            with self.quoted():
                test = self.value(node.test, scope)
        finally:
            scope.hoist = hoist
        if isinstance(test, Static):
            raise Undecided("a loop that is decided by what is known")
        self.emit(ast.While(self.lift(test), self.quoted_loop(node.body, scope), self.quote(node.orelse, scope)))

    def leaves_loop(self, scope: Scope, statement: ast.stmt, signal: type[Exception]) -> None:
        loops = scope.function().loops
        if not loops or loops[-1] is None:
            self.emit(statement)
        elif self.quoting > loops[-1]:
            raise Undecided("a loop that only the script leaves")
        else:
            raise signal

    def statement_Break(self, node: ast.Break, scope: Scope) -> None:
        self.leaves_loop(scope, ast.Break(), Break)

    def statement_Continue(self, node: ast.Continue, scope: Scope) -> None:
        self.leaves_loop(scope, ast.Continue(), Continue)

    def statement_Match(self, node: ast.Match, scope: Scope) -> None:
        subject = self.value(node.subject, scope)
        if not isinstance(subject, Static):
            if self.quoting:
                self.choice(node, subject, scope)
            elif not self.attempt(scope, lambda: self.choice(node, subject, scope)):
                raise Unsupported("a match of what only the framework knows")
            return
        for case in node.cases:
            # Python itself matches the value: what is captured is looked up where it says so.
            space = {**scope.globals, "subject_": subject.value}
            found = ast.Match(
                name("subject_"), [ast.match_case(case.pattern, None, [assign("matched_", ast.Constant(True))])]
            )
            text = ast.unparse(ast.fix_missing_locations(ast.Module([found], [])))
            before = dict(space)
            exec(compile(text, "<property>", "exec"), space)
            if "matched_" not in space:
                continue
            for key in space.keys() - {"matched_", "__builtins__"}:
                if key not in before or space[key] is not before[key]:
                    self.store_name(key, Static(space[key]), scope)
            if case.guard is None or self.decide(self.value(case.guard, scope)):
                return self.block(case.body, scope)

    def choice(self, node: ast.Match, subject: Value, scope: Scope) -> None:
        """A ``match`` that the script decides."""
        self.before_branches([each for case in node.cases for each in case.body], scope)
        made = ast.Match(self.lift(subject), [])
        for case in node.cases:
            pattern = copy.deepcopy(case.pattern)
            for each in ast.walk(pattern):
                for key in ("name", "rest"):
                    if isinstance(getattr(each, key, None), str):
                        setattr(each, key, self.variable(scope, getattr(each, key)))
                        scope.function().variables[getattr(each, key)] = Code(name(getattr(each, key)))
                if isinstance(each, (ast.MatchValue, ast.MatchClass)):
                    key = "value" if isinstance(each, ast.MatchValue) else "cls"
                    setattr(each, key, self.code(getattr(each, key), scope))
            guard = case.guard and self.code(case.guard, scope)
            made.cases.append(ast.match_case(pattern, guard, self.quote(case.body, scope) or [ast.Pass()]))
        self.emit(made)

    def statement_Return(self, node: ast.Return, scope: Scope) -> None:
        if scope.kind == "def":
            self.emit(ast.Return(self.code(node.value, scope) if node.value else None))
        elif not self.certain(scope):
            raise Undecided("a function that only the script leaves")
        else:
            value = self.value(node.value, scope) if node.value else Static(None)
            raise Return(self.kept(value, "result") if scope.function().contexts else value)

    def statement_Raise(self, node: ast.Raise, scope: Scope) -> None:
        if node.exc is None and not self.quoting and self.handled:
            raise Thrown(self.handled[-1].error, self.handled[-1].statement)
        self.emit(ast.Raise(node.exc and self.code(node.exc, scope), node.cause and self.code(node.cause, scope)))

    def statement_Try(self, node: ast.Try, scope: Scope) -> None:
        if self.quoting:
            return self.quoted_try(node, scope)
        made = ast.Try([], [], [], [])
        note(made).chain = self.here
        try:
            with self.inside(scope, made.body):
                self.caught(node, made, scope)
        except BaseException as left:
            with (
                self.into(made.finalbody),
                contextlib.suppress(*(() if not isinstance(left, Unsupported) else (Exception,))),
            ):
                self.block(node.finalbody, scope)
            if made.handlers or made.finalbody:
                self.out.append(made)
            else:
                self.out += made.body
            raise
        if made.handlers:
            self.out.append(made)
        else:
            self.out += made.body
        return self.block(node.finalbody, scope)

    @contextlib.contextmanager
    def inside(self, scope: Scope, written: list[ast.stmt]) -> Iterator[None]:
        """While it is open, what is written is the body of a ``try`` or ``with``: what is returned is computed in there."""
        scope.function().contexts += 1
        try:
            with self.into(written):
                yield
        finally:
            scope.function().contexts -= 1

    def caught(self, node: ast.Try, made: ast.Try, scope: Scope) -> None:
        """The body, and then the handler or the ``else`` that follows."""
        try:
            self.block(node.body, scope)
        except Thrown as thrown:
            for handler in node.handlers:
                kind = handler.type and self.code(handler.type, scope)
                if kind is None or isinstance(thrown.error, self.now(Code(kind))):
                    break
            else:
                raise
            written = ast.ExceptHandler(kind, None, [])
            if handler.name:
                written.name = self.variable(scope, handler.name)
                scope.function().variables[handler.name] = Code(name(written.name))
                self.space.names[written.name] = thrown.error
            made.handlers.append(written)
            self.handled.append(thrown)
            try:
                with self.into(written.body):
                    self.block(handler.body, scope)
            finally:
                self.handled.pop()
                written.body = written.body or [ast.Pass()]
        else:
            self.block(node.orelse, scope)

    def quoted_try(self, node: ast.Try, scope: Scope) -> None:
        """A ``try`` that the script has."""
        every = [*node.body, *node.orelse, *node.finalbody, *(each for one in node.handlers for each in one.body)]
        self.before_branches(every, scope)
        made = ast.Try(self.quote(node.body, scope) or [ast.Pass()], [], [], [])
        for handler in node.handlers:
            kind, caught = handler.type and self.code(handler.type, scope), None
            if handler.name:
                caught = self.variable(scope, handler.name)
                scope.function().variables[handler.name] = Code(name(caught))
            made.handlers.append(ast.ExceptHandler(kind, caught, self.quote(handler.body, scope) or [ast.Pass()]))
        made.orelse, made.finalbody = self.quote(node.orelse, scope), self.quote(node.finalbody, scope)
        if made.handlers or made.finalbody:
            self.emit(made)
        else:
            for each in made.body:
                self.emit(each)

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
            if self.quoting:
                if first.optional_vars is not None:
                    item.optional_vars = self.written_target(first.optional_vars, scope)
                made = ast.With([item], [], lineno=0)
                try:
                    with self.inside(scope, made.body):
                        inside()
                finally:
                    made.body = made.body or [ast.Pass()]
                    self.emit(made)
            else:
                self.entered(item, first.optional_vars, scope, inside)

    def entered(self, item: ast.withitem, variable: Any, scope: Scope, inside: Callable[[], None]) -> None:
        """``with`` a context manager of the framework's or of Python's, which is entered now and left after the block."""
        made = ast.With([item], [], lineno=0)
        note(made).chain = self.here
        self.prepare()
        self.out.append(made)
        try:
            manager = self.space.value(item.context_expr)
            value = manager.__enter__()
        except Exception as error:
            made.body = [ast.Pass()]
            raise Thrown(error, made) from error
        if variable is not None:
            item.optional_vars = self.written_target(variable, scope)
            self.space.assign(item.optional_vars, value)
        try:
            with self.inside(scope, made.body):
                inside()
        except Thrown as thrown:
            if not manager.__exit__(type(thrown.error), thrown.error, thrown.error.__traceback__):
                raise
        except BaseException:
            manager.__exit__(None, None, None)
            raise
        else:
            try:
                manager.__exit__(None, None, None)
            except Exception as error:
                raise Thrown(error, made) from error
        finally:
            made.body = made.body or [ast.Pass()]

    def raises(self, context: ast.Call, variable: ast.expr | None, scope: Scope, inside: Callable[[], None]) -> None:
        """``pytest.raises`` in plain Python."""
        raised = self.value(context.args[0], scope)
        kind = self.lift(raised)
        usual = isinstance(raised, Static) and isinstance(raised.value, type) and issubclass(raised.value, Exception)
        match = next((self.code(each.value, scope) for each in context.keywords if each.arg == "match"), None)
        made = self.variable(scope, variable.id) if isinstance(variable, ast.Name) else self.fresh("raised")
        self.emit(assign(made, ast.Constant(None)))
        keep = ast.ExceptHandler(
            name("Exception" if usual else "BaseException"), "error", [assign(made, name("error"))]
        )
        written = ast.Try([], [keep], [], [])
        try:
            with self.inside(scope, written.body):
                inside()
        except Thrown as thrown:
            self.space.names[made] = thrown.error
        finally:
            written.body = written.body or [ast.Pass()]
            self.emit(written, done=True)
        statement = ast.Assert(call("isinstance", name(made), kind))
        note(statement).raises = (made, kind, match)
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

        left: list[Exception] = []
        place = self.here

        def resume(value: Value) -> None:
            inner, self.here = self.here, place
            try:
                if variable is not None:
                    self.store(variable, value, scope)
                scope.function().contexts += 1
                inside()
            except (Return, Break, Continue) as leaving:
                left.append(leaving)
            finally:
                scope.function().contexts -= 1
                self.here = inner

        globals_ = function.__globals__
        inner = Scope(globals_, "inline", None, scope.hoist, self.quoting)
        inner.caller, inner.forced, inner.resume = scope, captured(node), resume
        self.here = (*place, NOWHERE)
        try:
            self.run_in_place(node, inner, self.arguments(node.args, arguments, keywords, globals_))
        finally:
            self.here = place
        for each in left:
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
        inner.forced = captured(node)
        arguments = self.parameters(node.args, inner, scope)
        for variable in stored(node.body):
            inner.variables.setdefault(variable, Code(name(variable)))
        for each in ast.walk(node):
            if isinstance(each, (ast.Nonlocal, ast.Global)):
                for variable in each.names:
                    inner.variables.pop(variable, None)
        with self.quoted(), self.into([]) as body:
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
        with self.quoted(), self.into([]) as body:
            self.block(node.body, inner)
        return ast.ClassDef(made, bases, keywords, body or [ast.Pass()], decorators)

    def statement_Import(self, node: Any, scope: Scope) -> None:
        space: dict[str, Any] = {}
        exec(compile(ast.fix_missing_locations(ast.Module([node], [])), "<property>", "exec"), scope.globals, space)
        for key, value in space.items():
            scope.globals = {**scope.globals, key: value}

    statement_ImportFrom = statement_Import
