"""The part of a script that builds a module tree, and names its objects."""

from __future__ import annotations

import ast
import contextlib
import types
from collections.abc import Iterator
from typing import Any

from conformance import model
from conformance.adapter.port import Implementation
from conformance.build.given import alike
from conformance.build.subject import Subject
from conformance.explain.scope import Scope, assign, plain_name
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


class Trees:
    """Builds blueprints as :class:`Subject` does, in the script."""

    implementation: Implementation

    def build(self: Any, blueprint: Value, device: Value = CPU, root: str | None = None) -> Tree:
        """The statements that build the tree, into the variable ``root`` if there is one; which variable holds what."""
        if not isinstance(blueprint, Static) or not isinstance(device, Static):
            raise Unsupported("only the script knows what to build")
        subject = types.SimpleNamespace(blueprint=blueprint.value, device=device.value)
        subject.blueprint = self.implementation.presented(self.implementation.restrict(blueprint.value))
        subject.below = Subject.below.fget(subject)
        subject.model = model.of(subject.blueprint)
        subject.models = {module.path: module for module in subject.model.modules()}
        tree = Tree(subject, root=root)
        self.trees.append(tree)
        self.used |= {root} if root else set()
        self.emit(marker(tree, "log"))
        self._module(tree, subject.blueprint, "")
        self.emit(marker(tree, "table"))
        for path, node in subject.blueprint.walk():
            variable = tree.variables[path]
            with self._owned(variable):
                if not node.training and node.kind != "Given":
                    self.emit(self._set(variable, "training", ast.Constant(False)))
                for hook in node.hooks:
                    handle = self.tree_call(tree, "register", [Static(hook), self._known(variable)], None)
                    tree.handles[hook.name] = self.fresh("handle")
                    self.emit(assign(tree.handles[hook.name], self.lift(handle)))
        return tree

    @contextlib.contextmanager
    def _owned(self: Any, variable: str) -> Iterator[None]:
        """What is written while it is open makes that object, and is left out where nothing uses it."""
        start = len(self.out)
        yield
        for statement in self.out[start:]:
            if not hasattr(statement, "owner"):
                statement.owner = variable

    def _known(self, variable: str) -> Code:
        return Code(name(variable), stable=True, something=True)

    def _set(self, variable: str, key: str, value: ast.expr) -> ast.stmt:
        return ast.Assign([ast.Attribute(name(variable), key, ast.Store())], value, lineno=0)

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

    def _module(self: Any, tree: Tree, node: bp.Blueprint, path: str) -> Code:
        if node.kind == "Given":
            return self._given(tree, node, path)
        subject, made = tree.subject, {}
        for key, member in node.members:
            made[key] = self._member(tree, member, model.join(path, key))
        here = subject.models[path]
        children = Table({key: made[key] for key, child in here.modules_.items() if child is not None})
        scope = Scope({}, "inline")
        built = self.adapter_call("module_for", [Static(node), children], {}, scope)
        variable = tree.variables[path] = tree.root if tree.root and not path else self._new(path, "module")
        self.taken.add(variable)
        with self._owned(variable):
            self.emit(assign(variable, self.lift(built)))
            for key, member in node.members:
                arguments = [self._known(variable), Static(key), Static(member), made[key], Static(here)]
                self.helper(Subject._register_member, [tree, *arguments], {}, scope)
            if node.kind == "Chain":
                steps = [key for key, child in here.modules_.items() if child is not None]
                self.emit(self._set(variable, "steps", self.lift(Static(steps))))
        return self._known(variable)

    # --- modules that somebody else made ------------------------------------------------------------------------------

    def _given(self: Any, tree: Tree, node: bp.Blueprint, path: str) -> Code:
        """A module of the factory's, as ``GivenSubject`` makes it so that it holds what the blueprint says."""
        implementation = self.implementation
        made = self.call_of(implementation.factory)
        if tree.subject.device != "cpu":
            made = self.lift(
                self.adapter_call("move", [Code(made), Static(tree.subject.device)], {}, Scope({}, "inline"))
            )
        variable = tree.variables[path] = self._new(path, "module")
        with self._owned(variable):
            statement = assign(variable, made)
            statement.makes = True
            self.emit(statement)
            self._fill(tree, implementation.new(), node, implementation.described, path)
        return self._known(variable)

    def _fill(self: Any, tree: Tree, module: Any, node: bp.Blueprint, was: bp.Blueprint, path: str) -> None:
        """The members that the blueprint asks for; ``module`` is one that shows how those of the factory's are reached."""
        held, scope = self._known(tree.variables[path]), Scope({}, "inline")
        found = {key: thing for key, _, thing in self.implementation.registered(module)}
        for key, member in node.members:
            here, before = model.join(path, key), dict(was.members).get(key)
            if isinstance(member, bp.Blueprint) and member.kind == "Given":
                self._reach(tree, here, held, module, key, found[key], "module")
                self._fill(tree, found[key], member, before, here)
            elif isinstance(member, bp.Shared) and before == member:
                tree.variables[here] = tree.variables[member.path]
            elif isinstance(member, bp.Tensor) and alike(member, before):
                kind = "parameter" if isinstance(member, bp.Parameter) else "buffer"
                reached = self._reach(tree, here, held, module, key, found[key], kind)
                if self.fills or member.held is None:
                    written = self.adapter_call("write", [reached, Static(member.values())], {}, scope)
                    if isinstance(written, Code):
                        self.emit(ast.Expr(written.node))
            elif before is None and hasattr(module, key):
                raise Unsupported(f"the module has an attribute {key!r} of its own")
            elif before is None or not isinstance(member, bp.Empty):
                arguments = [held, Static(key), Static(member), self._member(tree, member, here)]
                self.helper(Subject._register_member, [tree, *arguments, Static(tree.subject.models[path])], {}, scope)
        if node.training != was.training:
            self.emit(self._set(tree.variables[path], "training", ast.Constant(node.training)))

    def _reach(self: Any, tree: Tree, path: str, held: Code, module: Any, key: str, thing: Any, kind: str) -> Code:
        """A variable for what the module holds under that name."""
        if getattr(module, key, None) is not thing:
            raise Unsupported(f"what is registered as {path!r} is no attribute of that name")
        made: ast.expr = ast.Attribute(held.node, key, ast.Load())
        if not plain_name(key):
            made = call("getattr", held.node, ast.Constant(key))
        reached = self._kept(tree, path, kind, made)
        tree.reached.append(tree.variables[path])
        return reached

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

    def _member(self: Any, tree: Tree, member: Any, path: str) -> Value:
        if isinstance(member, bp.Blueprint):
            return self._module(tree, member, path)
        if isinstance(member, bp.Shared):
            tree.variables[path] = tree.variables[member.path]
            return self._known(tree.variables[path])
        if isinstance(member, bp.Empty):
            return Static(None)
        if isinstance(member, bp.Attribute) and not isinstance(member.value, bp.Tensor):
            return self._kept(tree, path, "value", self.lift(Static(member.value)))
        scope = Scope({}, "inline")
        if isinstance(member, bp.Attribute):
            built, kind = self.adapter_call("make", [Static(member.value)], {}, scope), "tensor"
        else:
            built, kind = self.adapter_call("make", [Static(member), Static(tree.subject.device)], {}, scope), "buffer"
        if isinstance(member, bp.Parameter):
            built, kind = self.adapter_call("parameter", [built, Static(member.differentiable)], {}, scope), "parameter"
        return self._kept(tree, path, kind, self.lift(built))

    def _kept(self: Any, tree: Tree, path: str, kind: str, value: ast.expr) -> Code:
        """A variable for a tensor or value of the tree."""
        made = tree.variables[path] = self._new(path, kind)
        with self._owned(made):
            self.emit(assign(made, value))
        return self._known(made)

    def plain_tensor(self: Any, arguments: list[Value], keywords: dict[str, Value]) -> Value | None:
        """A tensor as the adapter says it is written, where it says so (see ``Implementation.tensor_code``)."""
        given = dict(zip(("values", "dtype", "device", "shape"), arguments)) | keywords
        defaults = {"dtype": Static("float32"), "device": Static("cpu"), "shape": Static(None)}
        given = defaults | given
        if not all(isinstance(given[key], Static) for key in defaults):
            return None
        dtype, device, shape = (given[key].value for key in defaults)
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
    made.marks = (tree, kind)
    return made


def pruned(statements: list[ast.stmt], shown: list[ast.stmt], whole: bool = False) -> list[ast.stmt]:
    """The statements without the objects of trees that neither they nor the last ones, ``shown``, use; with the tables
    and logs that they do use. With ``whole``, every object stays."""
    owned: dict[str, list[ast.stmt]] = {}
    needed: set[str] = set()
    reached = {tree.function: tree.reached for tree, _ in (each.marks for each in statements if hasattr(each, "marks"))}
    for statement in statements:
        if hasattr(statement, "owner") and not whole:
            owned.setdefault(statement.owner, []).append(statement)
        elif not hasattr(statement, "marks"):
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
        if hasattr(statement, "marks"):
            made += filled(statement, needed)
        elif getattr(statement, "owner", None) not in owned:
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
    tree, kind = statement.marks
    if kind == "log":
        return [assign(tree.log, ast.List([], ast.Load()))] if tree.log in needed else []
    if tree.function not in needed:
        return []
    first: dict[str, str] = {}
    for path, variable in tree.variables.items():
        if variable in needed:
            first.setdefault(variable, path)
    keys = [call("id", name(variable)) for variable in first]
    return [assign(tree.table, ast.Dict(keys, [ast.Constant(path) for path in first.values()]))]


def _flat(values: Any) -> Any:
    if isinstance(values, list):
        for item in values:
            yield from _flat(item)
    else:
        yield values
