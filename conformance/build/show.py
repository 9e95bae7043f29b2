"""A plan as source: each step is one statement, with a variable for each object."""

from __future__ import annotations

import ast
import builtins
import keyword
import math
import sys
import types
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from conformance.build import chain
from conformance.build.plan import IMPLEMENTATION, OBJECT, PYTHON, At, Listed, Step, Titled, plan
from conformance.language import blueprint as bp

if TYPE_CHECKING:
    from conformance.adapter.lens import Lens


def plain_name(text: str) -> bool:
    """Whether ``x.text`` can be written."""
    return text.isidentifier() and not keyword.iskeyword(text)


class Shown:
    """Writes steps down, one after another. Who says how the implementation is asked, and where a statement goes, gives
    the methods that raise NotImplementedError.

    Attributes:
        variables: which variable holds what was made at each path.
    """

    def __init__(self) -> None:
        self.variables: dict[str, str] = {}

    def show(self, steps: Iterable[Step]) -> None:
        """Write all of them."""
        for step in steps:
            self.step(step)

    def step(self, step: Step) -> None:
        """Write one: the variable that it makes, or what it changes."""
        if step.call in ("mode", "register", "forget"):
            getattr(self, step.call)(step)
        elif step.call == "same":
            self.variables[step.makes or ""] = self.variables[step.arguments[0].path]
        elif step.makes is not None:
            made = self.result(step)
            variable = self.variables[step.makes] = self.new(step.makes, step.kind)
            self.emit(_assign(variable, made), step)
        else:
            for statement in self.change(step):
                self.emit(statement, step)

    def mode(self, step: Step) -> None:
        """The mode of a module, where it is not the one that it comes with."""
        at, training, made = step.arguments
        if training != made:
            self.emit(_set(self.expression(at), "training", ast.Constant(training)), step)

    def forget(self, step: Step) -> None:
        """A wrapped tree goes on under the variable of what wraps it."""

    def change(self, step: Step) -> list[ast.stmt]:
        """The statements of a step that makes nothing."""
        if step.by == IMPLEMENTATION:
            return self.asked_to(step.call, step.arguments, step)
        here, *arguments = map(self.expression, step.arguments)
        if step.by == OBJECT:
            return [ast.Expr(ast.Call(ast.Attribute(here, step.call, ast.Load()), arguments, []))]
        key = step.arguments[1]
        if step.call == "setattr" and plain_name(key):
            return [_set(here, key, arguments[1])]
        if step.call == "setitem":
            return [ast.Assign([ast.Subscript(here, arguments[0], ast.Store())], arguments[1], lineno=0)]
        return [ast.Expr(ast.Call(ast.Name(step.call, ast.Load()), [here, *arguments], []))]

    def result(self, step: Step) -> ast.expr:
        """The expression of a step that makes something."""
        if step.by == IMPLEMENTATION:
            return self.asked_for(step.call, step.arguments)
        if step.call == "value":
            return self.expression(step.arguments[0])
        assert (step.by, step.call) == (PYTHON, "getattr"), step
        held, key = self.expression(step.arguments[0]), step.arguments[1]
        if plain_name(key):
            return ast.Attribute(held, key, ast.Load())
        return ast.Call(ast.Name("getattr", ast.Load()), [held, ast.Constant(key)], [])

    def expression(self, argument: Any) -> ast.expr:
        """An argument: a variable, or data."""
        return ast.Name(self.variables[argument.path], ast.Load()) if type(argument) is At else self.literal(argument)

    # --- what others say ------------------------------------------------------------------------------------------

    def new(self, path: str, kind: str) -> str:
        """A name for what is made at the path."""
        raise NotImplementedError

    def emit(self, statement: ast.stmt, step: Step) -> None:
        """Take a statement down."""
        raise NotImplementedError

    def literal(self, value: Any) -> ast.expr:
        """Data, written down."""
        raise NotImplementedError

    def asked_for(self, call: str, arguments: tuple[Any, ...]) -> ast.expr:
        """How the implementation is asked for something."""
        raise NotImplementedError

    def asked_to(self, call: str, arguments: tuple[Any, ...], step: Step) -> list[ast.stmt]:
        """How the implementation is asked to change something."""
        raise NotImplementedError

    def register(self, step: Step) -> None:
        """A hook that writes its name into the log."""
        raise NotImplementedError


def _assign(variable: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([ast.Name(variable, ast.Store())], value, lineno=0)


def _set(held: ast.expr, key: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([ast.Attribute(held, key, ast.Store())], value, lineno=0)


# --- a tree alone, as anybody can paste it --------------------------------------------------------------------------

NUMBERS = """
def numbers(count, start):
    return [((start * 7 + i * 3) % 31 - 15) / 8 for i in range(count)]
"""
#: More numbers than these are computed rather than written out.
WRITTEN = 24


def to_source(blueprint: bp.Blueprint, implementation: Lens, variable: str = "module") -> str:
    """Code that builds the tree into the variable with the framework's own names, as its adapter spells them.

    What the adapter does in a way of its own is asked of the adapter: then the code needs module-conformance too.
    """
    blueprint = implementation.presented(implementation.restrict(blueprint))
    source = _Source(implementation, variable)
    source.show(plan(blueprint, implementation))
    return source.text()


class _Source(Shown):
    """The tree, its hooks, and the imports and definitions that they need."""

    def __init__(self, implementation: Lens, variable: str):
        super().__init__()
        self.implementation, self.variable = implementation, variable
        self.namespaces = dict(framework_modules(implementation))
        self.taken = {variable, "log", "run", "Chain", "numbers", "implementation", *keyword.kwlist, *dir(builtins)}
        self.taken |= self.namespaces.keys()
        self.counts: dict[str, int] = {}
        self.imports: dict[str, None] = {}
        self.definitions: dict[str, str] = {}
        self.lines: list[str] = []

    def text(self) -> str:
        imports = sorted(self.imports, key=lambda line: (line.startswith("from"), line))
        parts = ["\n".join(imports), *(each.strip() for each in self.definitions.values()), "\n".join(self.lines)]
        return "\n\n".join(part for part in parts if part) + "\n"

    def new(self, path: str, kind: str) -> str:
        if not path:
            return self.variable
        wanted = path.replace(".", "_")
        return self.fresh(wanted if plain_name(wanted) and wanted.isascii() and len(wanted) <= 24 else kind)

    def fresh(self, wanted: str) -> str:
        """A name that nothing has yet."""
        made = wanted
        while made in self.taken:
            self.counts[wanted] = self.counts.get(wanted, 1) + 1
            made = f"{wanted}_{self.counts[wanted]}"
        self.taken.add(made)
        return made

    def emit(self, statement: ast.stmt, step: Step) -> None:
        self.lines.append(ast.unparse(ast.fix_missing_locations(statement)))

    def literal(self, value: Any) -> ast.expr:
        if isinstance(value, float) and not math.isfinite(value):
            return ast.Call(ast.Name("float", ast.Load()), [ast.Constant(str(value))], [])
        if isinstance(value, (tuple, list)):
            return (ast.Tuple if isinstance(value, tuple) else ast.List)(list(map(self.literal, value)), ast.Load())
        return ast.parse(repr(value), mode="eval").body

    def expression(self, argument: Any) -> ast.expr:
        if type(argument) is Step:
            return self.asked_for(argument.call, argument.arguments)
        if type(argument) is Listed:
            return ast.List([self.expression(item) for item in argument.items], ast.Load())
        if type(argument) is Titled:
            self.imports["from collections import OrderedDict"] = None
            values = [self.expression(item) for _, item in argument.pairs]
            named = ast.Dict([ast.Constant(name) for name, _ in argument.pairs], values)
            return ast.Call(ast.Name("OrderedDict", ast.Load()), [named], [])
        return super().expression(argument)

    def asked_for(self, call: str, arguments: tuple[Any, ...]) -> ast.expr:
        if call == "make" and (made := self.tensor(*arguments)):
            return made
        if call == "parameter" and self.usual(call):
            tensor, differentiable = arguments
            keywords = [] if differentiable else [ast.keyword("requires_grad", ast.Constant(False))]
            return ast.Call(self.named("Parameter"), [self.expression(tensor)], keywords)
        callee = self.named(call) if call[0].isupper() else self.adapter(call)
        return ast.Call(callee, list(map(self.expression, arguments)), [])

    def asked_to(self, call: str, arguments: tuple[Any, ...], step: Step) -> list[ast.stmt]:
        if call == "place" and self.usual(call):
            if arguments[3] in ("attribute", "member"):
                return self.change(step._replace(by=PYTHON, call="setattr", arguments=arguments[:3]))
            module, name, tensor = map(self.expression, arguments[:3])
            keywords = [ast.keyword("persistent", ast.Constant(False))] if arguments[3] == "transient" else []
            return [ast.Expr(ast.Call(ast.Attribute(module, "register_buffer", ast.Load()), [name, tensor], keywords))]
        return [ast.Expr(self.asked_for(call, arguments))]

    def register(self, step: Step) -> None:
        hook, at = step.arguments
        if not any(line == "log = []" for line in self.lines):
            self.lines.append("log = []")
        name = self.fresh("record")
        changed = f"tuple(value + {hook.adds!r} for value in arguments[0])"
        result = f"arguments[-1] + {hook.adds!r}" if hook.kind == "forward" else changed
        result = f"({result}, arguments[1])" if hook.with_kwargs and hook.kind != "forward" else result
        options = "".join(f", {key}=True" for key in ("prepend", "with_kwargs", "always_call") if getattr(hook, key))
        self.lines += [
            "",
            f"def {name}(called, *arguments):",
            f"    log.append({(hook.name, at.path)!r})",
            f"    return {None if hook.adds is None else result}",
            "",
            f"{self.variables[at.path]}.register_{hook.kind}_hook({name}{options})",
        ]

    # --- names ----------------------------------------------------------------------------------------------------

    def usual(self, method: str) -> bool:
        """Whether the adapter does that as all do that say nothing about it."""
        return getattr(self.implementation, method).__module__ in (
            "conformance.adapter.port",
            "conformance.adapter.lens",
        )

    def adapter(self, method: str) -> ast.expr:
        """A method of the adapter itself."""
        self.imports["from conformance.adapter.finding import find"] = None
        self.definitions.setdefault("implementation", f"implementation = find({self.implementation.name!r})")
        return ast.parse(f"implementation.{method}", mode="eval").body

    def tensor(self, tensor: bp.Tensor, device: str = "cpu") -> ast.expr | None:
        """The tensor as the adapter says that it is written, if it does."""
        values = ast.unparse(self.literal(tensor.values()))
        count = bp.size(tensor.shape)
        if count > WRITTEN and tensor.held is None and tensor.dtype.startswith(("float", "bfloat")):
            self.definitions["numbers"] = NUMBERS
            values = f"numbers({count}, {tensor.fill})"
        code = self.implementation.tensor_code(values, tensor.dtype, device, tensor.shape)
        if code is None:
            return None
        made = ast.parse(code, mode="eval").body
        for each in ast.walk(made):
            if isinstance(each, ast.Name) and each.id in self.namespaces:
                self.imported(each.id)
        return made

    def named(self, key: str) -> ast.expr:
        """A class of the framework, as its users call it."""
        if key == "Chain":
            return self.chain()
        thing = getattr(self.implementation, key)
        for alias, module in self.namespaces.items():
            for each in (key, getattr(thing, "__name__", key)):
                if vars(module).get(each) is thing:
                    self.imported(alias)
                    return ast.parse(f"{alias}.{each}", mode="eval").body
        self.imports[f"from {thing.__module__} import {thing.__qualname__}"] = None
        return ast.Name(thing.__qualname__, ast.Load())

    def imported(self, alias: str) -> None:
        """Import the module that the adapter's file calls so."""
        full = self.namespaces[alias].__name__
        parent, _, last = full.rpartition(".")
        named = "" if alias == last else f" as {alias}"
        self.imports[f"from {parent} import {last}{named}" if parent else f"import {full}{named}"] = None

    def chain(self) -> ast.expr:
        """The one class of users' own that trees hold."""
        if "Chain" not in self.definitions:
            kinds = [k for k in ("Module", "ModuleList", "ModuleDict") if self.implementation.lacks(k) is None]
            self.definitions["Chain"] = chain.source(**{kind: ast.unparse(self.named(kind)) for kind in kinds})
        return ast.Name("Chain", ast.Load())


def framework_modules(implementation: Lens) -> Iterator[tuple[str, types.ModuleType]]:
    """The framework's modules that the adapter's file imports, by the names that it gives them; public names first."""
    found: dict[str, types.ModuleType] = {}
    for kind in (kind for layer in implementation.layers for kind in type(layer).__mro__):
        if kind.__module__.startswith("conformance.adapter.") or kind is object:
            continue
        for alias, value in vars(sys.modules[kind.__module__]).items():
            if isinstance(value, types.ModuleType) and not alias.startswith("__"):
                top = value.__name__.partition(".")[0]
                if value.__name__ == "conformance.reference" or top not in {"conformance", *sys.stdlib_module_names}:
                    found.setdefault(alias, value)
    yield from sorted(found.items(), key=lambda item: item[0].startswith("_"))
