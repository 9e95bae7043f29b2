"""Data as the Python expression that makes it."""

from __future__ import annotations

import ast
import builtins
import dataclasses
import math
import re
import sys
import types
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import Any

import pytest

from conformance.explain.values import Unsupported, Yielded, call, expression, name
from conformance.model import Reading

ATOMS = (type(None), bool, int, float, complex, str, bytes, type(...))


def literal(value: Any, resolve: Callable[[Any], ast.expr]) -> ast.expr:
    """The expression; ``resolve`` writes what is no data: a class, a module, a helper of the script.

    Raises:
        Unsupported: the value cannot be written down.
    """

    def write(value: Any) -> ast.expr:
        kind = type(value)
        if kind is float and not math.isfinite(value):
            return call("float", ast.Constant(str(value)))
        if kind in ATOMS:
            return expression(repr(value))
        if kind is tuple:
            return ast.Tuple([write(item) for item in value], ast.Load())
        if kind in (list, Yielded):
            return ast.List([write(item) for item in value], ast.Load())
        if kind is dict:
            return ast.Dict([write(key) for key in value], [write(item) for item in value.values()])
        if kind is set or kind is frozenset:
            items = [write(item) for item in sorted(value, key=repr)]
            made = ast.Set(items) if items else call("set")
            return made if kind is set else call("frozenset", made)
        if kind is Reading:
            return ast.Call(resolve(Reading), [write(item) for item in value], [])
        if kind in (Counter, deque):
            return ast.Call(resolve(kind), [write(dict(value) if kind is Counter else list(value))], [])
        if isinstance(value, tuple) and hasattr(kind, "_fields"):
            return ast.Call(resolve(kind), [write(item) for item in value], [])
        if dataclasses.is_dataclass(kind) and not ours(kind):
            made = ast.Call(resolve(kind), [], [])
            fields = [each.name for each in dataclasses.fields(value) if each.init]
            made.keywords = [ast.keyword(each, write(getattr(value, each))) for each in fields]
            return made
        if kind in (OrderedDict, types.MappingProxyType):
            return ast.Call(resolve(kind), [write(dict(value))] if value else [], [])
        if kind in (type({}.keys()), type({}.values()), type({}.items())):
            return write(list(value))
        if kind is slice:
            return call("slice", write(value.start), write(value.stop), write(value.step))
        if kind is range:
            return expression(repr(value))
        if kind is re.Pattern:
            return ast.Call(ast.Attribute(resolve(re), "compile", ast.Load()), [write(value.pattern)], [])
        if kind.__name__.startswith("Approx") and hasattr(value, "expected"):
            return _approx(value)
        if isinstance(value, BaseException) and kind.__module__ == "builtins":
            return ast.Call(name(kind.__name__), [write(item) for item in value.args], [])
        return resolve(value)

    def _approx(value: Any) -> ast.expr:
        options = {key: write(getattr(value, key)) for key in ("rel", "abs") if getattr(value, key) is not None}
        made = ast.Call(resolve(pytest.approx), [write(value.expected)], [])
        made.keywords = [ast.keyword(key, item) for key, item in options.items()]
        return made

    return write(value)


def ours(thing: Any) -> bool:
    """Whether a function or class belongs to the suite's machine, its model or its strategies, of which no script has any."""
    module = getattr(thing, "__module__", None) or ""
    return module.partition(".")[0] in ("conformance", "strategies") and not module.startswith(
        ("conformance.reference", "conformance.suite")
    )


def standard(value: Any) -> tuple[str, str] | None:
    """(module, name) of a class or function of the standard library or of the builtins; ("x.y", "") for a module."""
    if isinstance(value, types.ModuleType):
        return (value.__name__, "") if value.__name__.partition(".")[0] in sys.stdlib_module_names else None
    if not isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
        return None
    if value is types.MappingProxyType:
        return "types", "MappingProxyType"
    module, qualified = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    if module is None or "." in qualified or "<" in qualified:
        return None
    if getattr(builtins, qualified, None) is value:
        return "builtins", qualified
    if module.partition(".")[0] not in sys.stdlib_module_names:
        return None
    for public in (module.lstrip("_"), module):
        if getattr(sys.modules.get(public), qualified, None) is value:
            return public, qualified
    return None


def unwritable(value: Any) -> Unsupported:
    """The error for a value that cannot be written down."""
    return Unsupported(f"a {type(value).__name__} cannot be written down: {value!r:.100}")
