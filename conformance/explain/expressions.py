"""What is known of an expression: its value, or how the script computes it."""

from __future__ import annotations

import ast
import builtins
import contextlib
import copy
import types
from typing import Any

from conformance.explain.literals import literal
from conformance.explain.names import ours
from conformance.explain.scope import MUTATORS, Scope, Undecided, compiled, free, root
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

UNROLLED = 100  # a longer loop stays a loop


class Expressions:
    """Evaluates expressions; what the framework has a part in is written down instead."""

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
            later.forced |= {variable}
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
            self.keep_outside(node, scope)
            try:
                value = eval(text, {**scope.globals, **values})
            except Exception as error:
                self.found_wrong(node, scope, error)
                raise
            return Static(Yielded(value) if isinstance(value, types.GeneratorType) else value, (node, scope))
        return self.structural(node, scope)

    def keep_outside(self, node: ast.expr, scope: Scope) -> None:
        """See that what may run any number of times changes nothing now that is not its own."""
        if not self.quoting:
            return
        for each in ast.walk(node):
            if isinstance(each, ast.Call) and getattr(each.func, "id", "") == "next":
                raise Undecided("what is known is taken one by one")
            if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr in MUTATORS:
                if not self.certain(scope) or root(each.func.value) not in scope.function().locals:
                    raise Undecided("something known is changed in a place that only the script reaches")

    def found_wrong(self, node: ast.expr, scope: Scope, error: Exception) -> None:
        """An exception that comes of what is known alone: the script has it too."""
        if self.quoting or isinstance(error, Unsupported):
            return
        with contextlib.suppress(Unsupported):
            self.emit(ast.Expr(self.residual(node, scope).node))

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
                if value.origin is None or isinstance(value.origin[0], ast.Name) or value.lifting:
                    raise
                value.lifting = True  # x = f(x)
                try:
                    return self.residual(*value.origin).node
                finally:
                    value.lifting = False
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
            function, first = self.method_of(value.name)
            return name(self.define(function, {"self": first[0]} if first else {}))
        raise Unsupported(f"a {type(value).__name__} is used as a value")

    def function_expression(self, closure: Closure) -> ast.expr:
        """A lambda."""
        inner = Scope(closure.scope.globals, "def", closure.scope, hoist=False)
        arguments = self.parameters(closure.node.args, inner, closure.scope)
        with self.quoted():
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
            if not any(isinstance(item, ast.Starred) for item in value.node.elts):
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
                    spec = part.format_spec and self.format_spec(part.format_spec, scope)
                    part = ast.FormattedValue(self.lift(value), part.conversion, spec)
            if isinstance(part, ast.Constant) and parts and isinstance(parts[-1], ast.Constant):
                part = ast.Constant(parts.pop().value + part.value)
            parts.append(part)
        if all(isinstance(part, ast.Constant) for part in parts):
            return Static("".join(part.value for part in parts))
        return Code(ast.JoinedStr(parts))

    def format_spec(self, node: ast.expr, scope: Scope) -> ast.JoinedStr:
        """What stands behind the colon in the braces of an f-string."""
        made = self.value_JoinedStr(node, scope)  # type: ignore[arg-type]
        return made.node if isinstance(made, Code) else ast.JoinedStr([ast.Constant(made.value)])

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
        if isinstance(base, Code) and (items := self.items(base)) is not None:
            base = Pack(items, list)
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
        value = self.value(node.value, scope)
        if scope.hoist:
            self.store(node.target, value, scope)
            return self.value(ast.Name(node.target.id, ast.Load()), scope)
        made = self.variable(scope.function(), node.target.id)
        scope.function().variables[node.target.id] = Code(name(made))
        return Code(ast.NamedExpr(ast.Name(made, ast.Store()), self.lift(value)))

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
        if scope.hoist:
            self.before_branches([node], scope)
        inner = Scope(scope.globals, "comprehension", scope, hoist=False)
        made = []
        for i, generator in enumerate(node.generators):
            known = self.value(generator.iter, inner if i else scope)
            if isinstance(known, Static) and isinstance(known.value, dict):
                known = Static(list(known.value))
            over = self.lift(known)
            for each in ast.walk(generator.target):
                if isinstance(each, ast.Name):
                    inner.variables[each.id] = Code(name(each.id))
            with self.quoted():
                tests = [self.code(test, inner) for test in generator.ifs]
            made.append(ast.comprehension(generator.target, over, tests, 0))
        return made, inner

    def unrolled(self, node: Any, scope: Scope, *parts: ast.expr) -> list[tuple[Value, ...]] | None:
        """The values of these parts in every round of a comprehension; None where only the script knows the rounds."""
        found: list[Any] = []

        def unroll() -> None:
            rounds = self.rounds(node.generators, scope)
            if rounds is None:
                found.append(None)
                raise Undecided("a comprehension of which only the script knows the rounds")
            found.append([tuple(self.value(part, inner) for part in parts) for inner in rounds])

        if self.quoting:
            state = self.state()
            try:
                unroll()
            except Undecided:
                if not found:
                    raise
                self.restore(state)
        elif not self.attempt(scope, unroll) and not found:
            unroll()
        return found[-1]

    def value_ListComp(self, node: ast.ListComp, scope: Scope) -> Value:
        items = self.unrolled(node, scope, node.elt)
        if items is not None:
            return self.display(list, [item for (item,) in items])
        try:
            generators, inner = self.comprehension(node, scope)
            with self.quoted():
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

    def value_GeneratorExp(self, node: ast.GeneratorExp, scope: Scope) -> Value:
        made = self.value_ListComp(node, scope)  # type: ignore[arg-type]
        return Static(Yielded(made.value)) if isinstance(made, Static) else made

    def value_SetComp(self, node: ast.SetComp, scope: Scope) -> Value:
        items = self.unrolled(node, scope, node.elt)
        if items is not None:
            return self.set([item for (item,) in items])
        generators, inner = self.comprehension(node, scope)
        with self.quoted():
            return Code(ast.SetComp(self.code(node.elt, inner), generators))

    def value_DictComp(self, node: ast.DictComp, scope: Scope) -> Value:
        items = self.unrolled(node, scope, node.key, node.value)
        if items is not None:
            if all(isinstance(key, Static) for key, _ in items):
                return self.table({key.value: value for key, value in items})
            return Code(ast.Dict([self.lift(key) for key, _ in items], [self.lift(value) for _, value in items]))
        generators, inner = self.comprehension(node, scope)
        with self.quoted():
            return Code(ast.DictComp(self.code(node.key, inner), self.code(node.value, inner), generators))
