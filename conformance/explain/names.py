"""What names mean in a script: the framework's own, the standard library's, and the suite's, which are written out.

An adapter says nothing about this: where ``implementation.Linear`` is found in the framework follows from the modules that
the adapter's file imports, and the adapter's own methods are written out like any other helper.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import keyword
import sys
import types
from functools import cache, cached_property
from typing import Any

import pytest

from conformance.adapter import chain
from conformance.adapter.given import Given
from conformance.adapter.lens import seen
from conformance.adapter.port import Implementation
from conformance.explain.literals import literal, standard, unwritable
from conformance.explain.notes import note
from conformance.explain.own import PACKAGES, Own, needs_us
from conformance.explain.scope import Scope, source
from conformance.explain.values import Adapter, Code, Method, Static, Unsupported, Value, expression, name
from conformance.model import Reading

#: What the adapter's file imports beside its framework.
TOOLS = frozenset({*PACKAGES, "packaging", "pytest", "hypothesis"})
#: Questions to the adapter that are answered now, for they are about it and not about its objects.
ASKED_NOW = frozenset({"lacks", "restrict", "unavailable", "representation"})

READING = 'Reading = namedtuple("Reading", "shape dtype flat")'
APPROX = """
class approx:
    def __init__(self, expected, rel=1e-6, abs=1e-12):
        self.expected, self.rel, self.abs = expected, rel, abs

    def __eq__(self, other):
        if not isinstance(self.expected, (list, tuple)):
            return self.close(self.expected, other)
        return len(other) == len(self.expected) and all(map(self.close, self.expected, other))

    def close(self, one, other):
        return abs(one - other) <= max(self.rel * abs(one), self.abs)

    def __repr__(self):
        return f"approximately {self.expected}"
"""


def ours(thing: Any) -> bool:
    """Whether a function or class belongs to the suite, its model or its strategies."""
    module = getattr(thing, "__module__", None) or ""
    return module.partition(".")[0] in PACKAGES and not module.startswith("conformance.reference")


@cache
def module_source(module: str) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(inspect.getsource(sys.modules[module]))


def made_by(module: types.ModuleType, kind: Any) -> bool:
    """Whether the class's forward stands in that module's file."""
    code = getattr(vars(kind).get("forward"), "__code__", None) if isinstance(kind, type) else None
    return code is not None and code.co_filename == module.__file__


def empty_display(statement: ast.stmt, key: str) -> bool:
    """Whether the statement is ``key = []``, ``{}`` or ``set()``."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    value = getattr(statement, "value", None)
    return any(getattr(target, "id", None) == key for target in targets) and (
        value is not None and ast.unparse(value) in ("[]", "{}", "set()")
    )


def starts_empty(module: str, key: str) -> bool:
    """Whether a variable at the top of a file is an empty list, dict or set at first."""
    return any(empty_display(statement, key) for statement in module_source(module).body)


class Names(Own):
    """The names a script uses: what is taken, what is imported, what is defined before the rest."""

    def __init__(self, implementation: Implementation):
        super().__init__()
        self.implementation = seen(implementation)
        self.used: set[str] = {*keyword.kwlist, *dir(builtins), "observed", "expected", "error"}
        self.taken: set[str] = {"error"}  # the variables of trees, and of exceptions: no function may hide them
        self.imports: dict[str, None] = {}
        self.home = ""  # the module of the property
        self.definitions: dict[str, list[ast.stmt]] = {}
        for alias, _ in self.namespaces:
            self.used.add(alias)

    def fresh(self, wanted: str) -> str:
        """A name that nothing has yet."""
        base = wanted if wanted.isidentifier() else "thing"
        made, count = base, 1
        while made in self.used:
            count += 1
            made = f"{base}_{count}"
        self.used.add(made)
        return made

    def define_first(self, key: str, statements: list[ast.stmt]) -> None:
        """Put a definition before the script's own statements."""
        self.definitions[key] = statements

    def head(self) -> list[ast.stmt]:
        """The imports and definitions that the statements written so far need."""
        imports = sorted(self.imports.keys() - self.own.keys(), key=lambda line: (line.startswith("from"), line))
        own = self.own_head()
        made = [*ast.parse("\n".join(imports)).body, *(each for one in self.definitions.values() for each in one)]
        self.check_own(made)
        return [*own, *made]

    # --- the framework ---------------------------------------------------------------------------------------------

    @cached_property
    def adapter_modules(self) -> list[types.ModuleType]:
        """The files in which the adapter is written, its own first."""
        classes = [
            kind for kind in self.implementation.classes if not kind.__module__.startswith("conformance.adapter.")
        ]
        return [sys.modules[kind.__module__] for kind in classes]

    @cached_property
    def namespaces(self) -> list[tuple[str, types.ModuleType]]:
        """The framework's modules that the adapter uses, by the names under which it does."""
        found = {}
        for module in self.adapter_modules:
            for alias, value in vars(module).items():
                if isinstance(value, types.ModuleType) and not alias.startswith("__"):
                    top = value.__name__.partition(".")[0]
                    reference = value.__name__.startswith("conformance.reference")
                    if reference or (top not in TOOLS and top not in sys.stdlib_module_names):
                        found.setdefault(alias, value)
        # nn.Module rather than torch.nn.modules.module.Module: public names first.
        return sorted(found.items(), key=lambda item: item[0].startswith("_"))

    @cached_property
    def packages(self) -> frozenset[str]:
        """The names of the framework's packages."""
        tops = {value.__name__.partition(".")[0] for _, value in self.namespaces} - {"conformance"}
        return frozenset(tops)

    def framework(self, thing: Any) -> bool:
        """Whether a module, class, function or object is the framework's."""
        if isinstance(thing, types.ModuleType):
            module = thing.__name__
        else:
            module = getattr(thing, "__module__", None) or type(thing).__module__ or ""
        if not isinstance(module, str):
            module = type(thing).__module__
        if module.startswith("conformance.reference"):
            return any(value.__name__.startswith("conformance.reference") for _, value in self.namespaces)
        return module.partition(".")[0] in self.packages

    def import_module(self, module: types.ModuleType, alias: str) -> ast.expr:
        """The name of a module, imported."""
        full = module.__name__
        if needs_us(module, self.allowed):
            raise Unsupported(f"{full} needs module-conformance")
        parent, _, last = full.rpartition(".")
        if alias == full:
            self.imports[f"import {full}"] = None
        elif alias == last:
            self.imports[f"from {parent} import {last}"] = None
        elif parent:
            self.imports[f"from {parent} import {last} as {alias}"] = None
        else:
            self.imports[f"import {full} as {alias}"] = None
        self.used.add(alias)
        return name(alias)

    def framework_name(self, thing: Any, key: str = "") -> ast.expr:
        """How the framework calls one of its own classes, functions or constants."""
        for alias, module in self.namespaces:
            if thing is module:
                return self.import_module(module, alias)
        keys = [key] if key else []
        keys += [k for k in (getattr(thing, "__name__", None),) if isinstance(k, str)]
        for alias, module in self.namespaces:
            for each in keys:
                if vars(module).get(each) is thing and not alias.startswith("_"):
                    return ast.Attribute(self.import_module(module, alias), each, ast.Load())
        module, qualified = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
        if isinstance(module, str) and isinstance(qualified, str) and "." not in qualified:
            if getattr(sys.modules.get(module), qualified, None) is thing and not needs_us(
                sys.modules[module], self.allowed
            ):
                self.imports[f"from {module} import {qualified}"] = None
                self.used.add(qualified)
                return name(qualified)
        for alias, module_ in self.namespaces:
            for each, value in vars(module_).items():
                if value is thing and not each.startswith("_"):
                    return ast.Attribute(self.import_module(module_, alias), each, ast.Load())
        raise unwritable(thing)

    # --- anything --------------------------------------------------------------------------------------------------

    def resolve(self, thing: Any) -> ast.expr:
        """The name of what is no data; a definition is written where the script has none of it yet.

        Raises:
            Unsupported: there is no such name.
        """
        if thing is Reading:
            self.imports["from collections import namedtuple"] = None
            self.define_first("Reading", ast.parse(READING).body)
            self.used.add("Reading")
            return name("Reading")
        if thing is pytest.approx:
            self.define_first("approx", ast.parse(APPROX).body)
            self.used.add("approx")
            return name("approx")
        found = standard(thing)
        if found is not None:
            module, key = found
            if module == "builtins":
                return name(key)
            if key:
                self.imports[f"from {module} import {key}"] = None
                self.used.add(key)
                return name(key)
            self.imports[f"import {module}"] = None
            self.used.add(module.partition(".")[0])
            return expression(module)
        if getattr(self.implementation, "Chain", None) is thing and made_by(chain, thing):
            return self.chain()
        own = {*(module.__name__ for module in self.adapter_modules), self.home}
        if isinstance(thing, type) and (thing.__module__ in own or thing.__module__.startswith("conformance.suite.")):
            return self.own_class(thing)
        if isinstance(thing, types.FunctionType) and ours(thing):
            return name(self.define(inspect.unwrap(thing), {}))
        if self.framework(thing):
            return self.framework_name(thing)
        if isinstance(thing, (type, types.FunctionType, types.MethodType)):
            return self.borrowed(thing)
        raise unwritable(thing)

    def literal_of(self, value: Any) -> ast.expr:
        """The expression that makes the value, or names it."""
        return literal(value, self.resolve)

    def own_class(self, thing: type) -> ast.expr:
        """A class of the suite's or of the adapter's, written out."""
        key = f"class {thing.__module__}.{thing.__qualname__}"
        if "<locals>" in thing.__qualname__:
            raise unwritable(thing)
        if key not in self.functions:
            made = self.functions[key] = self.fresh(thing.__name__)
            scope = Scope(vars(sys.modules[thing.__module__]), "def")
            node = source(thing)
            if not isinstance(node, ast.ClassDef):
                raise unwritable(thing)
            try:
                definition = self.class_definition(node, made, scope)
            except Unsupported:
                del self.functions[key]
                raise
            self.define_first(made, [definition])
        return name(self.functions[key])

    def chain(self) -> ast.expr:
        """``Chain``, the one class of users' own that trees hold, on the framework's classes."""
        if "Chain" not in self.definitions:
            self.used |= {"Chain", "run"}
            kinds = {kind: self.lift(self.adapter_attribute(kind)) for kind in ("Module", "ModuleList", "ModuleDict")
                     if self.implementation.lacks(kind) is None}  # fmt: skip
            self.define_first("Chain", ast.parse(chain.source(**{k: ast.unparse(v) for k, v in kinds.items()})).body)
        return name("Chain")

    def global_value(self, globals_: dict[str, Any], key: str) -> Value:
        """What a name at the top of a file means."""
        thing = globals_[key]
        if isinstance(thing, types.ModuleType):
            return Code(self.import_module(thing, key), stable=True) if self.framework(thing) else Static(thing)
        if isinstance(thing, (type, types.FunctionType, types.BuiltinFunctionType)) and self.framework(thing):
            module = thing.__module__
            if getattr(sys.modules.get(module), key, None) is thing and not needs_us(sys.modules[module], self.allowed):
                self.imports[f"from {module} import {key}"] = None
                self.used.add(key)
                return Code(name(key), stable=True, something=True)
            return Code(self.framework_name(thing, key), stable=True, something=True)
        if isinstance(thing, type) and any(vars(m).get(key) is thing for m in self.adapter_modules):
            return Code(self.resolve(thing), stable=True, something=True)
        if isinstance(thing, (list, dict, set)) and starts_empty(globals_["__name__"], key):
            return self.collected(globals_, key)
        return Static(thing)

    def collected(self, globals_: dict[str, Any], key: str) -> Value:
        """A list or dict at the top of a file in which something is collected: the script has one of its own, and what
        the file does with it."""
        if key not in self.definitions:
            self.define_first(key, [])
            scope = Scope(globals_, "def")
            scope.variables[key] = Code(name(key), stable=True, something=True)
            self.used.add(key)
            made: list[ast.stmt] = []
            for statement in module_source(globals_["__name__"]).body:
                names = {each.id for each in ast.walk(statement) if isinstance(each, ast.Name)}
                if isinstance(statement, (ast.Assign, ast.AnnAssign)) and empty_display(statement, key):
                    made += [ast.Assign([ast.Name(key, ast.Store())], statement.value, lineno=0)]
                elif isinstance(statement, ast.Expr) and key in names:
                    with self.into(made):
                        self.block([statement], scope)
            if any(vars(module) is globals_ for module in self.adapter_modules):
                for statement in made:
                    note(statement).lives = (globals_, key)
            self.define_first(key, made)
        return Code(name(key), stable=True, something=True)

    # --- the adapter -----------------------------------------------------------------------------------------------

    def adapter_attribute(self, key: str) -> Value:
        """``implementation.key``."""
        own = self.attribute_of(key)
        bound = getattr(own, "__self__", None) in self.implementation.layers
        if isinstance(own, (types.FunctionType, staticmethod)) or bound or key in ASKED_NOW:
            return Method(Adapter(), key)
        if own is not None and not isinstance(own, type):
            thing = getattr(self.implementation, key)
            if not callable(thing):
                return Static(thing)
        thing = getattr(self.implementation, key)
        if isinstance(own, type):
            written = self.class_attribute(key)
            if written is not None:
                return Code(written, stable=True, something=True)
        for alias, module in self.namespaces:
            if getattr(module, key, None) is thing and not alias.startswith("_"):
                made = ast.Attribute(self.import_module(module, alias), key, ast.Load())
                return Code(made, stable=True, something=True)
        if isinstance(thing, types.ModuleType):
            return Code(self.import_module(thing, thing.__name__.rpartition(".")[2]), stable=True, something=True)
        return Code(self.resolve(thing), stable=True, something=True)

    def attribute_of(self, key: str) -> Any:
        """What the adapter itself, or else its class, has under that name."""
        layer = self.implementation.holder(key)
        return vars(layer).get(key, inspect.getattr_static(type(layer), key, None))

    def method_of(self, key: str) -> tuple[Any, list[Value]]:
        """The function behind a method of the adapter, and what it is given before the arguments."""
        own = self.attribute_of(key)
        bound = isinstance(own, types.MethodType) or key not in vars(self.implementation.holder(key))
        if isinstance(own, (types.MethodType, staticmethod)):
            bound, own = bound and not isinstance(own, staticmethod), own.__func__
        if hasattr(own, "__wrapped__"):
            raise Unsupported(f"{self.implementation.name}.{key} is decorated")
        return own, [Adapter()] if bound else []

    def class_attribute(self, key: str) -> ast.expr | None:
        """``nn.MaxPool2D`` where the adapter's class says ``MaxPool2d = nn.MaxPool2D``."""
        for kind in self.implementation.classes:
            if key not in vars(kind):
                continue
            for statement in source(kind).body:
                if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", None) == key:
                    value = statement.value
                    base = value
                    while isinstance(base, ast.Attribute):
                        base = base.value
                    if isinstance(value, ast.Attribute) and isinstance(base, ast.Name):
                        found = self.global_value(vars(sys.modules[kind.__module__]), base.id)
                        return value if isinstance(found, Code) else None
        return None

    def adapter_call(self, key: str, arguments: list[Value], keywords: dict[str, Value], scope: Scope) -> Value:
        """A call of one of the adapter's methods."""
        every = [*arguments, *keywords.values()]
        if key in ASKED_NOW and all(isinstance(each, Static) for each in every):
            answer = getattr(self.implementation, key)
            return Static(answer(*(a.value for a in arguments), **{k: v.value for k, v in keywords.items()}))
        if key == "build":
            return self.build(*arguments, **keywords)
        if key == "example" and isinstance(self.implementation, Given):
            return self.example(arguments[1])
        function, first = self.method_of(key)
        given = [*first, *arguments]
        if key == "read" and first and len(arguments) == 1 and not keywords:
            made = name(self.define(function, {"self": Adapter()}))
            return Code(ast.Call(made, [self.lift(arguments[0])], []), something=True)
        if key == "tensor":
            made = self.plain_tensor(arguments, keywords)
            if made is not None:
                return made
        made = self.helper(function, given, keywords, scope, expression=True)
        if isinstance(made, Code):
            made.something = key in ("tensor", "make", "parameter", "read", "module_for")
        return made
