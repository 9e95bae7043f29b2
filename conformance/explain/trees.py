"""The part of a script that builds a module tree, and names its objects."""

from __future__ import annotations

import ast
import contextlib
import types
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from conformance import model
from conformance.adapter.port import Implementation
from conformance.build import portrait
from conformance.build.execute import Subject
from conformance.build.plan import At, Listed, Step, Titled, plan
from conformance.build.show import Shown
from conformance.explain.notes import note
from conformance.explain.scope import Scope, assign
from conformance.explain.values import Adapter, Code, Method, Pack, Static, Table, Tree, Unsupported, Value, call, name
from conformance.language import blueprint as bp

NAMES = """
def {function}(thing):
    return {table}.get(id(thing), f"an object that was not registered: {{type(thing).__name__}}")
"""
NUMBERS = """
def numbers(count, start):
    return [((start * 7 + i * 3) % 31 - 15) / 8 for i in range(count)]
"""


CPU = Static("cpu")


class Written(Shown):
    """The steps of a plan as statements of the script: what the adapter does its own way is written out."""

    def __init__(self, script: Any, tree: Tree):
        super().__init__()
        self.script, self.tree, self.variables = script, tree, tree.variables

    def new(self, path: str, kind: str) -> str:
        return self.script._new(path, kind)

    def emit(self, statement: ast.stmt, step: Step) -> None:
        if step.call in ("new", "move"):
            note(statement).makes = True
        with self.script._owned(self.variables[step.owner]):
            self.script.emit(statement)
        if step.call == "getattr" and step.makes:
            self.tree.reached.append(self.variables[step.makes])

    def literal(self, value: Any) -> ast.expr:
        return self.script.lift(Static(value))

    def asked_for(self, call: str, arguments: tuple[Any, ...]) -> ast.expr:
        return self.script.lift(self._asked(call, arguments))

    def asked_to(self, call: str, arguments: tuple[Any, ...], step: Step) -> list[ast.stmt]:
        if step.held and not self.script.fills:
            return []
        with self.script._owned(self.variables[step.owner]):
            asked = self._asked(call, arguments)
        return [ast.Expr(asked.node)] if isinstance(asked, Code) else []

    def forget(self, step: Step) -> None:
        self.tree.wrapped = True

    def register(self, step: Step) -> None:
        hook, at = step.arguments
        with self.script._owned(self.variables[step.owner]):
            handle = self.script.tree_call(self.tree, "register", [Static(hook), self._value(at)], None)
            self.tree.handles[hook.name] = self.script.fresh("handle")
            self.script.emit(assign(self.tree.handles[hook.name], self.script.lift(handle)))

    def _asked(self, call: str, arguments: tuple[Any, ...]) -> Value:
        script, values = self.script, [self._value(each) for each in arguments]
        if call == "new":
            return Code(script.call_of(script.implementation.factory))
        if call == "member_of":
            raise Unsupported(f"what is registered as {arguments[1]!r} is no attribute of that name")
        if call[0].isupper():
            made = script.apply(script.adapter_attribute(call), values, {}, Scope({}, "inline"))
            made.something = True
            return made
        return script.adapter_call(call, values, {}, Scope({}, "inline"))

    def _value(self, argument: Any) -> Value:
        if type(argument) is At:
            return self.script._known(self.variables[argument.path])
        if type(argument) is Step:
            return self._asked(argument.call, argument.arguments)
        if type(argument) is Listed:
            return Pack([self._value(item) for item in argument.items], list)
        if type(argument) is Titled:
            table = Table({name: self._value(item) for name, item in argument.pairs})
            return Code(call(self.literal(OrderedDict), self.script.lift(table)))
        return Static(argument)


class Trees:
    """What a script holds of the trees that it builds."""

    implementation: Implementation

    def build(self: Any, blueprint: Value, device: Value = CPU) -> Tree:
        """The statements that build the tree, as its plan says; which variable holds what."""
        if not isinstance(blueprint, Static) or not isinstance(device, Static):
            raise Unsupported("only the script knows what to build")
        subject = types.SimpleNamespace(
            implementation=self.implementation, blueprint=blueprint.value, device=device.value
        )
        subject.blueprint = self.implementation.presented(self.implementation.restrict(blueprint.value))
        subject.below = Subject.below.fget(subject)
        subject.model = model.of(subject.blueprint)
        tree = Tree(subject)
        self.trees.append(tree)
        steps = plan(subject.blueprint, self.implementation, device.value, subject.model)
        objects = next((i for i, step in enumerate(steps) if step.call in ("mode", "register")), len(steps))
        shown = Written(self, tree)
        self.emit(marker(tree, "log"))
        shown.show(steps[:objects])
        self.emit(marker(tree, "table"))
        shown.show(steps[objects:])
        return tree

    @contextlib.contextmanager
    def _owned(self: Any, variable: str) -> Iterator[None]:
        """What is written while it is open makes that object, and is left out where nothing uses it."""
        start = len(self.out)
        yield
        for statement in self.out[start:]:
            if not note(statement).owner:
                note(statement).owner = variable

    def _known(self, variable: str) -> Code:
        return Code(name(variable), stable=True, something=True)

    def _new(self: Any, path: str, kind: str) -> str:
        wanted = path.replace(".", "_")
        if not path:
            wanted = "module" if "module" not in self.used else "root"
        elif not (wanted.isidentifier() and wanted.isascii() and len(wanted) <= 24) or wanted.startswith("_"):
            wanted = kind
        elif wanted in self.used:
            wanted = f"{wanted}_{kind}" if f"{wanted}_{kind}" not in self.used else kind
        made = self.fresh(wanted)
        self.taken.add(made)
        return made

    def example(self: Any, device: Value) -> Value:
        """The arguments with which somebody calls the module."""
        implementation = self.implementation
        made, variable = self.call_of(implementation.call_with), self.fresh("arguments")
        values = implementation.call_with()
        self.emit(assign(variable, made if isinstance(values, tuple) else ast.Tuple([made], ast.Load())))
        items = [Code(ast.Subscript(name(variable), ast.Constant(i), ast.Load()))
                 for i in range(len(values) if isinstance(values, tuple) else 1)]  # fmt: skip
        if device.value == "cpu":
            return Pack(items)
        given = values if isinstance(values, tuple) else (values,)
        return Pack([
            self.adapter_call("move", [item, device], {}, Scope({}, "inline")) if implementation.is_tensor(each) else item
            for item, each in zip(items, given)
        ])  # fmt: skip

    def plain_tensor(self: Any, arguments: list[Value], keywords: dict[str, Value]) -> Value | None:
        """A tensor as the adapter says it is written, where it says so (see ``Implementation.tensor_code``)."""
        given = dict(zip(("values", "dtype", "device", "shape"), arguments)) | keywords
        defaults = {"dtype": Static("float32"), "device": Static("cpu"), "shape": Static(None)}
        given = defaults | given
        if not all(isinstance(given[key], Static) for key in defaults):
            return None
        dtype, device, shape = (given[key].value for key in defaults)
        if not str(dtype).isidentifier():  # an argument of a witness that a stranger wrote, and no dtype
            raise Unsupported(f"{dtype!r} is no dtype")
        values = given["values"]
        text = self._numbers(values.value, shape, dtype) if isinstance(values, Static) and shape else None
        text = text or ast.unparse(self.lift(values))
        code = self.implementation.tensor_code(text, dtype, device, shape)
        if code is None:
            return None
        for alias, module in self.namespaces:
            if f"{alias}." in code:
                self.import_module(module, alias)
        return Code(ast.parse(code, mode="eval").body, something=True)

    def _numbers(self: Any, values: Any, shape: tuple[int, ...], dtype: str) -> str | None:
        """A large tensor is computed rather than written out."""
        count = bp.size(tuple(shape))
        if count <= 64 or not dtype.startswith(("float", "bfloat")):
            return None
        flat = tuple(_flat(values))
        for fill in range(31):
            if flat[:31] == bp.flat_values((31,), dtype, fill) and flat == bp.flat_values((count,), dtype, fill):
                self.define_first("numbers", ast.parse(NUMBERS).body)
                self.used.add("numbers")
                return f"numbers({count}, {fill})"
        return None

    # --- which object is which -------------------------------------------------------------------------------------

    def object_at(self: Any, tree: Tree, path: Value) -> Value:
        """``subject[path]``."""
        if isinstance(path, Static):
            here = path.value if path.value in tree.variables else Subject.key(tree.subject, path.value)
            if here not in tree.variables:
                raise Unsupported(f"nothing was built at {here!r}")
            return self._known(tree.variables[here])
        return Code(ast.Subscript(self.lift(self.objects(tree)), self.lift(path), ast.Load()))

    def objects(self, tree: Tree) -> Table:
        """The objects by path."""
        return Table({path: self._known(variable) for path, variable in tree.variables.items()})

    def tree_attribute(self: Any, tree: Tree, key: str) -> Value:
        """An attribute of a subject."""
        if key == "module":
            return self._known(tree.variables[""])
        if key in ("model", "blueprint", "device", "below"):
            return Static(getattr(tree.subject, key))
        if key == "implementation":
            return Adapter()
        if key == "log":
            tree.log = tree.log or self.fresh("log")
            self.taken.add(tree.log)
            return Code(name(tree.log), stable=True, something=True)
        if key == "handles":
            return Table({hook: self._known(variable) for hook, variable in tree.handles.items()})
        return Method(tree, key)

    def tree_call(self: Any, tree: Tree, key: str, arguments: list[Value], scope: Any) -> Value:
        """A method of a subject."""
        scope = scope or Scope({}, "inline")
        if key == "__getitem__":
            return self.object_at(tree, arguments[0])
        if key == "key" and isinstance(arguments[0], Static):
            return Static(Subject.key(tree.subject, arguments[0].value))
        if key == "path":
            return Code(call(self.name_of(tree), self.lift(arguments[0])))
        if key == "expected_readings":
            return Static({path: model.reading(tensor) for path, tensor in tree.subject.model.tensors().items()})
        if key == "readings":
            read = {path: [self._known(tree.variables[path])] for path in tree.subject.model.tensors()}
            return Table({path: self.adapter_call("read", thing, {}, scope) for path, thing in read.items()})
        if key == "expected_portrait" and self.implementation.lacks("registries") is None:
            return Static(Subject.expected_portrait(tree.subject))
        if key == "portrait" and self.implementation.lacks("registries") is None:
            tree.reached = list(dict.fromkeys(tree.variables.values()))
            fixed = {key: Static(each) for key, each in portrait.scope(tree.subject).items()}
            path_of = Code(name(self.name_of(tree)), stable=True)
            made = self.define(portrait.portrait_of, {"implementation": Adapter(), "path_of": path_of, **fixed})
            return Code(call(made, self.lift(self._known(tree.variables[""]))))
        return self.helper(getattr(Subject, key), [tree, *arguments], {}, scope)

    def name_of(self: Any, tree: Tree) -> str:
        """The script's function from an object to the name under which it was first registered."""
        if not tree.table:
            tree.table, tree.function = self.fresh("names"), self.fresh("name_of")
            code = NAMES.format(function=tree.function, table=tree.table)
            self.define_first(tree.function, ast.parse(code).body)
        return tree.function


def marker(tree: Tree, kind: str) -> ast.stmt:
    """Where a statement stands once it is known whether the script needs it."""
    made = ast.Pass()
    note(made).marks = (tree, kind)
    return made


def pruned(statements: list[ast.stmt], shown: list[ast.stmt], whole: bool = False) -> list[ast.stmt]:
    """The statements without the objects of trees that neither they nor the last ones, ``shown``, use; with the tables
    and logs that they do use. With ``whole``, every object stays."""
    owned: dict[str, list[ast.stmt]] = {}
    needed: set[str] = set()
    reached = {tree.function: tree.reached for tree, _ in (note(each).marks for each in statements if note(each).marks)}
    for statement in statements:
        if note(statement).owner and not whole:
            owned.setdefault(note(statement).owner, []).append(statement)
        elif not note(statement).marks:
            needed |= mentioned(statement)
    for statement in shown:
        needed |= mentioned(statement)
    todo = set(needed)
    while todo:
        more = {each for variable in todo for statement in owned.pop(variable, []) for each in mentioned(statement)}
        more |= {reach for variable in todo for reach in reached.pop(variable, ())}
        more |= {v for v, own in owned.items() if any(n in needed for s in own for n in defined(s))}
        todo = more - needed
        needed |= more
    made = []
    for statement in statements:
        if note(statement).marks:
            made += filled(statement, needed)
        elif note(statement).owner not in owned:
            made.append(statement)
    return made


def mentioned(node: ast.AST) -> set[str]:
    """The variables in a statement."""
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def defined(node: ast.stmt) -> set[str]:
    """The variables that a statement gives a value."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}


def filled(statement: ast.stmt, needed: set[str]) -> list[ast.stmt]:
    """What the marker stands for, where these variables are needed."""
    tree, kind = note(statement).marks
    if kind == "log":
        return [assign(tree.log, ast.List([], ast.Load()))] if tree.log in needed else []
    if tree.function not in needed:
        return []
    first: dict[str, str] = {}
    for path, variable in tree.variables.items():
        if variable in needed:
            first.setdefault(variable, path)
    pairs = list(first.items())
    if tree.wrapped:
        pairs.reverse()  # two of these variables may be one object, which goes by its first name
    keys = [call("id", name(variable)) for variable, _ in pairs]
    return [assign(tree.table, ast.Dict(keys, [ast.Constant(path) for _, path in pairs]))]


def _flat(values: Any) -> Any:
    if isinstance(values, list):
        for item in values:
            yield from _flat(item)
    else:
        yield values
