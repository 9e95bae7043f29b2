"""Calls: of Python's own functions, of the suite's helpers, which are written in place, and of the framework."""

from __future__ import annotations

import ast
import builtins
import copy
import inspect
import types
from collections import OrderedDict
from typing import Any

from conformance.explain.expressions import UNROLLED
from conformance.explain.literals import literal
from conformance.explain.names import ours
from conformance.explain.scope import (
    MUTATORS,
    NOWHERE,
    Return,
    Scope,
    Undecided,
    assign,
    captured,
    collapse,
    compared_by_identity,
    label,
    plain_name,
    root,
    source,
    stored,
    uses,
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

DEPTH = 60
ZERO = Static(0)
MUTABLE = (list, dict, set, OrderedDict)
#: Functions that look at their arguments and keep none of them.
PURE = (len, list, tuple, dict, set, frozenset, sorted, isinstance, zip, enumerate, map, any, all, reversed, iter, next)


def stands_alone(node: ast.FunctionDef) -> bool:
    """Whether the function is recursive and needs nothing but Python: such a one stands in the script as it is."""
    names = [each for statement in node.body for each in ast.walk(statement) if isinstance(each, ast.Name)]
    own = {each.id for each in names if isinstance(each.ctx, ast.Store)} | {each.arg for each in node.args.args}
    return {each.id for each in names} - own - vars(builtins).keys() == {node.name}


def bare(node: ast.FunctionDef) -> ast.FunctionDef:
    """The function without its docstring and its annotations."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    plain = [ast.arg(each.arg) for each in node.args.args]
    made = ast.parse(f"def {node.name}(): pass").body[0]
    assert isinstance(made, ast.FunctionDef)
    made.args.args, made.args.defaults, made.body = plain, node.args.defaults, body
    return made


class Calls:
    """Evaluates calls, or writes them down."""

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
        """Something known is changed by what is not: the variable it hangs on belongs to the script from here on."""
        variable = root(node)
        owner = scope.find(variable)
        if owner is None or not isinstance(owner.variables[variable], (Static, Pack, Table)):
            raise Unsupported("something known is changed by what only the script knows")
        if not scope.hoist:
            raise Undecided(f"{variable} is changed in the middle of an expression")
        self.bind(scope, variable)

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
            known = all(isinstance(each, Static) for each in every) and function is not iter
            if known and not self.framework(function):
                if self.quoting and function is next:
                    raise Undecided("what is known is taken one by one")
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

    def builtin_enumerate(self, value: Value, start: Value = ZERO) -> Value | None:
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
        return Pack([Pack(list(row)) for row in zip(*rows)], list)

    def builtin_dict(self, *arguments: Value) -> Value | None:
        if len(arguments) != 1 or isinstance(arguments[0], Static):
            return None
        if isinstance(arguments[0], Table):
            return self.table(dict(arguments[0].items))
        pairs = [self.items(item) for item in self.items(arguments[0]) or [Code(name("unknown"))]]
        if any(pair is None or len(pair) != 2 or not isinstance(pair[0], Static) for pair in pairs):
            return None
        return self.table({key.value: item for key, item in pairs})

    def builtin_map(self, function: Value, *values: Value, scope: Scope) -> Value | None:
        rows = [self.items(value) for value in values]
        if None in rows or (isinstance(function, Static) and all(isinstance(value, Static) for value in values)):
            return None
        return Pack([self.apply(function, list(row), {}, scope) for row in zip(*rows)], list)

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
        if stands_alone(node) and any(isinstance(each, Code) for each in arguments):
            self.define_first(node.name, [bare(node)])
            written = [ast.keyword(key, self.lift(value)) for key, value in keywords.items()]
            return Code(ast.Call(name(node.name), [self.lift(each) for each in arguments], written))
        globals_ = {**function.__globals__, **inspect.getclosurevars(function).nonlocals}
        state = self.state()
        try:
            return self.in_place(node, globals_, arguments, keywords, scope, None, expression)
        except Undecided:
            if not self.quoting and not expression:
                raise
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

        def run() -> Value:
            inner = Scope(globals_, "inline", parent, caller.hoist, self.quoting)
            inner.caller = caller
            inner.forced = captured(node) if isinstance(node, ast.FunctionDef) else frozenset()
            return self.run_in_place(node, inner, dict(values))

        outer = self.here
        self.here = (*outer, NOWHERE) if isinstance(node, ast.FunctionDef) else outer
        self.depth += 1
        start = self.state()
        try:
            # At best it is one expression.
            with self.quoted(), self.into([]) as buffer:
                result = collapse(buffer, run())
            if buffer and (
                not caller.hoist or (expression and not (isinstance(result, Static) and result.value is None))
            ):
                raise Undecided("a helper of several statements in one expression")
        except Unsupported:
            self.restore(start)
            if self.quoting or expression:
                raise
            return run()
        finally:
            self.depth -= 1
            self.here = outer
        for statement in buffer:
            self.emit(statement)
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
                    raise Undecided("something is computed once and used twice")
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
        inner.forced = captured(node)
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
        try:
            with self.quoted(), self.into([]) as body:
                self.block(node.body, inner)
        except Unsupported:
            del self.functions[key]
            raise
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
