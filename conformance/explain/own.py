"""What somebody's own file defines, for a script that is to run without the suite: imported where that file needs nothing
of the suite's, else written out together with what it needs of its file."""

from __future__ import annotations

import ast
import functools
import inspect
import site
import symtable
import sys
import sysconfig
import types
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from conformance.explain.notes import note
from conformance.explain.scope import assign, source, stored
from conformance.explain.values import Unsupported, name

#: Packages that no script may need.
PACKAGES = ("conformance", "strategies")
FUTURE = "from __future__ import annotations"


@cache
def file_of(module: types.ModuleType) -> ast.Module:
    """The syntax tree of a module's file.

    Raises:
        Unsupported: there is none.
    """
    try:
        return ast.parse(inspect.getsource(module))
    except (OSError, TypeError, SyntaxError) as error:
        raise Unsupported(f"the module {module.__name__} has no source") from error


# --- whether a file can be imported where the suite is not ---------------------------------------------------------


@cache
def installed(module: types.ModuleType) -> bool:
    """Whether the module lies where Python finds it by itself."""
    file = getattr(module, "__file__", None)
    folders = {*site.getsitepackages(), site.getusersitepackages(), *map(sysconfig.get_path, ("stdlib", "purelib"))}
    return file is None or any(Path(file).is_relative_to(folder) for folder in folders)


def imports(module: types.ModuleType) -> Iterator[str]:
    """The full names of what the file imports at its top, of "from a import b" both "a" and "a.b"."""
    try:
        text = inspect.getsource(module)
    except (OSError, TypeError):
        return
    # Most files of a framework need not be read closely.
    near = not installed(module) or any(package in text for package in PACKAGES)
    todo: list[ast.AST] = [file_of(module)] if near else []
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from imported(node, module)
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            todo += ast.iter_child_nodes(node)


def imported(node: ast.Import | ast.ImportFrom, module: types.ModuleType) -> list[str]:
    """The full names in an import statement of that module."""
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    base = origin(node, module)
    return [base, *(f"{base}.{each.name}" for each in node.names)]


def origin(node: ast.ImportFrom, module: types.ModuleType) -> str:
    """From where an import statement of that module imports."""
    if not node.level:
        return node.module or ""
    parts = (module.__package__ or "").split(".")
    return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])


def is_ours(full: str, allowed: str) -> bool:
    """Whether the module of that name is the suite's; what is ``allowed`` of it is the framework."""
    if allowed and (full == "conformance" or full == allowed or full.startswith(f"{allowed}.")):
        return False
    return full.partition(".")[0] in PACKAGES


@cache
def needs_us(module: types.ModuleType, allowed: str = "") -> bool:
    """Whether importing the module imports the suite: its file, its packages', or what these import of somebody's own."""
    seen: set[str] = set()
    todo = [module.__name__]
    while todo:
        full = todo.pop()
        if is_ours(full, allowed):
            return True
        found = sys.modules.get(full)
        if full in seen or found is None or not getattr(found, "__file__", None) or full.partition(".")[0] in PACKAGES:
            continue
        seen.add(full)
        todo += [full.rpartition(".")[0]] if "." in full else []
        if installed(found):
            todo += [each for each in imports(found) if is_ours(each, allowed)]
        else:
            todo += imports(found)
    return False


def folder(module: types.ModuleType) -> str | None:
    """The folder in which Python finds the module under its name; None where it finds none."""
    path, parts = Path(getattr(module, "__file__", None) or ""), module.__name__.split(".")
    path = path.parent if path.name == "__init__.py" else path.with_suffix("")
    return str(path.parents[len(parts) - 1]) if path.parts[-len(parts) :] == tuple(parts) else None


# --- what a statement of a file gives and needs ---------------------------------------------------------------------


def bound(statement: ast.stmt) -> set[str]:
    """The names that a statement at the top of a file gives a meaning, or whose objects it changes."""
    names = set(stored([statement]))
    for node in ast.walk(statement):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {(each.asname or each.name).partition(".")[0] for each in node.names}
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        targets = [statement.value.func]
    for node in targets:
        if isinstance(node, (ast.Attribute, ast.Subscript)):
            while isinstance(node, (ast.Attribute, ast.Subscript)):
                node = node.value
            names |= {node.id} if isinstance(node, ast.Name) else set()
    return names


def read(node: ast.AST, annotations: bool = True) -> set[str]:
    """The names at the top of a file that a statement or expression of it needs."""
    text = ast.unparse(node)
    if not annotations:
        text = ast.unparse(ast.fix_missing_locations(_Bare().visit(ast.parse(text))))

    def needed(table: symtable.SymbolTable) -> set[str]:
        top = table.get_type() == "module"
        found = {s.get_name() for s in table.get_symbols() if (s.is_referenced() if top else s.is_global())}
        return found.union(*map(needed, table.get_children()))

    return needed(symtable.symtable(text, "<own>", "exec"))


class _Bare(ast.NodeTransformer):
    """A statement without its annotations."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(node.arg)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        node.annotation = ast.Constant(None)
        self.generic_visit(node)
        return node


# --- written out ----------------------------------------------------------------------------------------------------


class Own:
    """Brings what somebody's own files define into the script."""

    implementation: Any

    def __init__(self) -> None:
        super().__init__()
        self.own: dict[str, ast.stmt] = {}  # the statements, by their text, in order
        self.meant: dict[str, Any] = {}  # what each of their names means
        self.folders: dict[str, None] = {}  # those in which their modules lie
        self.future = False  # whether one of the files keeps its annotations unevaluated

    def borrowed(self: Any, thing: Any) -> ast.expr:
        """The name of a class, function or bound method that a file defines at its top, or in a class there.

        Raises:
            Unsupported: it cannot be had without the suite.
        """
        path, module = getattr(thing, "__qualname__", "<"), sys.modules.get(getattr(thing, "__module__", None) or "")
        found: Any = module
        for part in path.split("."):
            found = getattr(found, part, None)
        if module is None or "<" in path or found != thing:
            where = "in a function" if "<locals>" in path else "under no name of a module"
            raise Unsupported(f"{path} is defined {where}, where no script finds it")
        first, *rest = path.split(".")
        self.bring(module, {first})
        made: ast.expr = name(first)
        for part in rest:
            made = ast.Attribute(made, part, ast.Load())
        return made

    @property
    def allowed(self: Any) -> str:
        """What may be imported of this package: the reference, where that is the framework."""
        reference = "conformance.reference"
        return reference if any(value.__name__.startswith(reference) for _, value in self.namespaces) else ""

    def bring(self: Any, module: types.ModuleType, names: set[str]) -> None:
        """Import these names of a module, or write out what its file does for them."""
        if module.__name__ != "__main__" and not needs_us(module, self.allowed):
            if installed(module) or (place := folder(module)):
                if not installed(module):
                    self.folders[place] = None
                for each in sorted(names):
                    self.place(module, {each}, ast.ImportFrom(module.__name__, [ast.alias(each)], 0))
                return
        statements = file_of(module).body
        lazy = any(ast.unparse(each) == FUTURE for each in statements)
        self.future |= lazy
        kept: set[int] = set()
        needed = set(names)
        while True:
            more = [i for i, each in enumerate(statements) if i not in kept and bound(each) & needed]
            if not more:
                break
            kept |= set(more)
            for i in more:
                if not isinstance(statements[i], (ast.Import, ast.ImportFrom)):
                    needed |= read(statements[i], not lazy)
        for i in sorted(kept):
            if isinstance(statements[i], (ast.Import, ast.ImportFrom)):
                self.import_again(module, statements[i], needed)
            else:
                for node in ast.walk(statements[i]):
                    if isinstance(node, (ast.Import, ast.ImportFrom)):
                        self.importable(module, node)
                self.place(module, bound(statements[i]) & needed, statements[i])

    def import_again(self: Any, module: types.ModuleType, node: Any, needed: set[str]) -> None:
        """What an import statement of that file imports under the names that are needed."""
        for each in node.names:
            local = (each.asname or each.name).partition(".")[0]
            if local not in needed:
                continue
            if isinstance(node, ast.ImportFrom):
                base = sys.modules.get(origin(node, module))
                made: Any = ast.ImportFrom(origin(node, module), [each], 0)
                is_module = isinstance(getattr(base, each.name, None), types.ModuleType)
                if base is not None and not is_module and not each.asname and each.name != "*":
                    if needs_us(base, self.allowed) and not is_ours(base.__name__, self.allowed):
                        self.bring(base, {each.name})
                        continue
            else:
                made = ast.Import([each])
            self.importable(module, made)
            self.place(module, {local}, made)

    def importable(self: Any, module: types.ModuleType, node: ast.Import | ast.ImportFrom) -> None:
        """See that the script can import that, and where it is found."""
        for full in imported(node, module):
            found = sys.modules.get(full)
            if is_ours(full, self.allowed) or (found is not None and needs_us(found, self.allowed)):
                raise Unsupported(f"{module.__name__} needs {full}, which needs module-conformance")
            if found is not None and not installed(found) and (place := folder(found)):
                self.folders[place] = None

    def place(self: Any, module: types.ModuleType, names: Iterable[str], statement: ast.stmt) -> None:
        """Put a statement of that file before the script's own ones."""
        for each in names:
            other = self.meant.get(each)
            value = vars(module).get(each)
            if each in self.meant and other is not value:
                raise Unsupported(f"{each!r} means one thing in {module.__name__} and another elsewhere")
            self.meant[each] = value
        self.used |= set(names)
        self.taken |= set(names)
        self.keep(statement)

    def keep(self, statement: ast.stmt) -> None:
        """Write a statement before the script's own, once."""
        note(statement).gives = bound(statement)
        self.own.setdefault(ast.unparse(ast.fix_missing_locations(statement)), statement)

    def own_head(self) -> list[ast.stmt]:
        """The statements of others' files, after what makes their modules be found."""
        lines = [FUTURE] if self.future else []
        lines += ["import sys"] if self.folders else []
        first = ast.parse("\n".join([*lines, *(f"sys.path.insert(0, {each!r})" for each in self.folders)])).body
        for statement in first:
            note(statement).first = True
        return [*first, *self.own.values()]

    def check_own(self: Any, head: list[ast.stmt]) -> None:
        """See that no name of the script's own hides one of theirs."""
        space = dict(self.namespaces)
        for statement in head:
            if isinstance(statement, (ast.Import, ast.ImportFrom)) and ast.unparse(statement) not in self.own:
                for each in bound(statement) & self.meant.keys():
                    if space.get(each) is not self.meant[each]:
                        raise Unsupported(f"{each!r} means one thing in the script and another in the module's file")

    # --- factories and examples --------------------------------------------------------------------------------------

    def call_of(self: Any, function: Callable[[], Any]) -> ast.expr:
        """The expression that calls somebody's function without arguments.

        Raises:
            Unsupported: the function cannot be written down.
        """
        if isinstance(function, functools.partial):
            made = ast.Call(self.resolve(function.func), [self.literal_of(each) for each in function.args], [])
            made.keywords = [ast.keyword(key, self.literal_of(each)) for key, each in function.keywords.items()]
            return made
        if isinstance(function, types.FunctionType) and "<" in function.__qualname__:
            return self.written(function)
        if not isinstance(function, (type, types.FunctionType, types.MethodType)):
            raise Unsupported(f"a {type(function).__name__} makes it, and a script can name functions and classes only")
        return ast.Call(self.resolve(function), [], [])

    def written(self: Any, function: types.FunctionType) -> ast.expr:
        """The call of a lambda, or of a function in a function: its source with what it refers to."""
        node = lambda_of(function) if function.__name__ == "<lambda>" else source(function)
        parameters = inspect.signature(function).parameters
        if parameters or getattr(node, "decorator_list", None):
            raise Unsupported(f"{function.__qualname__} has parameters or a decorator")
        module = sys.modules[function.__module__]
        inside = inspect.getclosurevars(function).nonlocals
        if set(inside) != set(function.__code__.co_freevars):
            raise Unsupported(f"{function.__qualname__} refers to a variable that is not there")
        for key, value in inside.items():
            self.captured(module, key, value)
        names = {each for each in read(node) - inside.keys() if each in vars(module)}
        self.bring_of(module, names)
        if isinstance(node, ast.Lambda):
            return node.body
        self.place(module, (), node)
        self.used.add(node.name)
        self.taken.add(node.name)
        return ast.Call(name(node.name), [], [])

    def bring_of(self: Any, module: types.ModuleType, names: set[str]) -> None:
        """The names that something written in that file uses: what it imports is imported as it does."""
        importing = {
            each for one in file_of(module).body if isinstance(one, (ast.Import, ast.ImportFrom)) for each in bound(one)
        }
        for statement in file_of(module).body:
            if isinstance(statement, (ast.Import, ast.ImportFrom)) and bound(statement) & names:
                self.import_again(module, statement, names)
        if names - importing:
            self.bring(module, names - importing)

    def captured(self: Any, module: types.ModuleType, key: str, value: Any) -> None:
        """A variable of the function around."""
        made = self.literal_of(value)
        if key in self.meant and self.meant[key] is not value:
            raise Unsupported(f"{key!r} means one thing in {module.__name__} and another elsewhere")
        if not (isinstance(made, ast.Name) and made.id == key):
            self.keep(assign(key, made))
        self.meant[key] = value
        self.used.add(key)
        self.taken.add(key)


def lambda_of(function: types.FunctionType) -> ast.Lambda:
    """The syntax tree of a lambda.

    Raises:
        Unsupported: there is no source, or several on a line look alike.
    """
    code = function.__code__
    try:
        lines, _ = inspect.findsource(function)
        tree = ast.parse("".join(lines))
    except (OSError, TypeError, SyntaxError, IndexError) as error:
        raise Unsupported("a lambda has no source") from error

    def traits(code: types.CodeType) -> Any:
        data = [each for each in code.co_consts if not isinstance(each, types.CodeType)]
        return {*code.co_names, *code.co_freevars}, repr(data), code.co_argcount

    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno:
            alone = compile(ast.Expression(node), "<own>", "eval", dont_inherit=True)
            inner = next(each for each in alone.co_consts if isinstance(each, types.CodeType))
            if traits(inner) == traits(code):
                found[ast.dump(node)] = node
    if len(found) != 1:
        raise Unsupported("a lambda cannot be told from another in the same line")
    return next(iter(found.values()))
