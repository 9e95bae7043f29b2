"""A property, written out for the arguments it fails on.

The script is wanted for one concrete run that has just taken place, so it is run while it is written, statement by
statement. What depends on drawn data alone (blueprints, what the model says of them) is computed now and appears in the
script as a literal; what touches the framework is written down and run at once. So branches, loops, ``match`` and
exceptions go where that run went, and the suite's helpers are written in place. Where a branch or loop on the
framework's answers can stand in the script as it is, it does; function bodies, which the framework calls back when it
likes, are quoted: their names are resolved, and nothing in them is run. What cannot be written down raises
:class:`Unsupported`.
"""

from __future__ import annotations

import ast
import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

from conformance.adapter.port import Implementation
from conformance.explain.calls import MUTABLE, Calls
from conformance.explain.expressions import Expressions
from conformance.explain.guard import Chain
from conformance.explain.names import Names
from conformance.explain.notes import note
from conformance.explain.running import Space
from conformance.explain.scope import (
    NOWHERE,
    Return,
    Scope,
    Thrown,
    Undecided,
    assign,
    captured,
    compared_by_identity,
    source,
    stored,
)
from conformance.explain.statements import Statements
from conformance.explain.trees import Trees, filled, marker
from conformance.explain.values import Adapter, Code, Static, Tree, Unsupported, Value, name

#: Functions of Python's that only look at what they are given.
LOOKS = frozenset("len isinstance issubclass hasattr getattr callable type id bool repr str any all".split())


class Specialiser(Names, Trees, Expressions, Calls, Statements):
    """Writes one property out. ``out`` is the list of statements being written.

    With ``fills``, modules that somebody else made are given the values that the blueprint says they hold.
    """

    def __init__(self, implementation: Implementation, fills: bool = True):
        super().__init__(implementation)
        self.fills = fills
        self.out: list[ast.stmt] = []
        self.functions: dict[Any, str] = {}
        self.depth = 0
        self.quoting = 0  # how many functions and blocks deep we are that are written and not run
        self.space = Space()
        self.trees: list[Tree] = []
        self.handled: list[Thrown] = []  # the exceptions that are being handled
        self.here: Chain = (NOWHERE,)  # where what is written comes from

    def property(self, function: Any, arguments: dict[str, Any]) -> Thrown | None:
        """Follow the property for these arguments and this adapter; what it raises. ``out`` is what was written."""
        node, self.home = source(function), function.__module__
        own = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
        own |= {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}
        own |= {n.name for n in ast.walk(node) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
        self.used |= own - set(arguments)
        scope = Scope(function.__globals__, "property")
        scope.forced, scope.locals = captured(node), stored(node.body)
        scope.identical = compared_by_identity(node)
        for key, value in arguments.items():
            scope.variables[key] = Static(copy.deepcopy(value))
        scope.variables["implementation"] = Adapter()
        try:
            with self.space.open():
                for key in sorted((scope.forced | scope.identical) & set(arguments)):
                    if not isinstance(arguments[key], (type(None), bool)):
                        self.bind(scope, key)
                self.block(node.body, scope)
        except Return:
            pass
        except Thrown as thrown:
            if note(thrown.statement).makes or isinstance(thrown.error, KeyboardInterrupt):
                raise thrown.error from None
            return thrown
        return None

    # --- what has been written so far ------------------------------------------------------------------------------

    def state(self) -> Any:
        """What ``restore`` goes back to."""
        return self.out, len(self.out), set(self.used)

    def restore(self, state: Any) -> None:
        """Forget what was written since."""
        self.out, length, self.used = state[0], state[1], set(state[2])
        del self.out[length:]

    @contextlib.contextmanager
    def into(self, buffer: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
        """Write into another list of statements while it is open."""
        outer, self.out = self.out, buffer
        try:
            yield buffer
        finally:
            self.out = outer

    def emit(self, statement: ast.stmt, done: bool = False) -> None:
        """Write one statement, and run it, unless that is ``done`` or it is quoted."""
        if not note(statement).chain:
            note(statement).chain = self.here
        self.out.append(statement)
        if not self.quoting and not done:
            self.prepare()
            self.space.run([statement])

    def prepare(self) -> None:
        """See that the imports, definitions and tables are there that what is run next may need."""
        self.space.begin(self)
        names = self.space.names
        for tree in self.trees:
            if tree.function and tree.table not in names and names.keys() >= {*tree.variables.values()}:
                self.space.run(filled(marker(tree, "table"), {*tree.variables.values(), tree.function}))
            if tree.log and tree.log not in names:
                self.space.run(filled(marker(tree, "log"), {tree.log}))

    @contextlib.contextmanager
    def quoted(self) -> Iterator[None]:
        """While it is open, what is written is not run."""
        self.quoting += 1
        try:
            yield
        finally:
            self.quoting -= 1

    def attempt(self, scope: Scope, write: Callable[[], Any]) -> bool:
        """Quote something as a whole, and then run it; whether that could be."""
        start, kept = self.state(), [(each, dict(each.variables)) for each in scope.around()]
        try:
            with self.quoted(), self.into([]) as made:
                write()
        except Unsupported:
            self.restore(start)
            for each, variables in kept:
                each.variables = variables
            return False
        for statement in made:
            self.emit(statement)
        return True

    def certain(self, scope: Scope) -> bool:
        """Whether what the function does now, it does in every run of the script."""
        return scope.function().kind != "def" and self.quoting == scope.function().level

    def decide(self, value: Value) -> bool:
        """Whether the value counts as true: known, or as the framework has it in this run."""
        truth = self.truth(value)
        if truth is not None:
            return truth
        if self.quoting:
            raise Undecided("a branch that only the script decides")
        return bool(self.now(value))

    def now(self, value: Value) -> Any:
        """What something has in this run; it is computed once."""
        node = self.lift(value)
        calls = [each for each in ast.walk(node) if isinstance(each, (ast.Call, ast.NamedExpr))]
        if any(getattr(getattr(each, "func", None), "id", None) not in LOOKS for each in calls):
            made = self.fresh("answer")
            self.emit(assign(made, node))
            return self.space.names[made]
        self.prepare()
        try:
            return self.space.value(node)
        except Exception:
            self.emit(ast.Expr(node))  # raises it
            raise

    def variable(self, scope: Scope, local: str) -> str:
        """The script's name for a local variable."""
        owner = scope.function()
        if scope.kind == "comprehension" or owner.keeps_names or (owner.kind == "def" and local not in self.taken):
            return local
        if local not in owner.written:
            fresh = owner.kind == "property" and local not in self.taken
            owner.written[local] = local if fresh else self.fresh(local)
            self.used.add(owner.written[local])
        return owner.written[local]

    def bind(self, scope: Scope, variable: str, first: bool = False) -> Code:
        """Give the script the variable too, with the value known so far; from then on only the script knows it. With
        ``first``, what follows is quoted, and this is not yet."""
        owner = scope.find(variable)
        assert owner is not None
        known = owner.variables[variable]
        if not scope.hoist:
            return Code(self.lift(known))
        if not first and self.quoting > owner.function().level:
            raise Undecided(f"{variable} is changed in a place that cannot be written")
        made = self.variable(owner, variable)
        self.emit(assign(made, self.lift(known)))
        bound = Code(name(made))
        # The same object may have other names.
        for each in scope.around():
            for key, other in each.variables.items():
                if isinstance(known, Static) and isinstance(other, Static) and other.value is known.value:
                    if isinstance(known.value, MUTABLE):
                        each.variables[key] = bound
        owner.variables[variable] = bound
        return bound
