"""A property, written out for the arguments it fails on.

The property is evaluated step by step. What depends on drawn data alone (blueprints, what the model says of them) is
computed now and appears in the script as a literal; what touches the framework is written down, with loops over known
things unrolled, branches decided and the suite's helpers written in place. This is the classical partial evaluation,
for the part of Python that properties are written in; anything else raises :class:`Unsupported`.

Some statements carry a note for those who lay the script out, as an attribute of the syntax tree's node: ``owner``, the
variable of the object that the statement builds; ``marks``, a place where a table or log may stand; ``lives``, what the
adapter's file has done in this process already; ``swapped``, an assertion whose expected side stands first;
``known``, one of which a side is known; ``raises``, one that asks for an exception; ``makes``, one that makes a module
with somebody's own factory; ``gives``, the names that a statement from somebody's own file gives; ``first``, one that
stands above all others; ``chain``, where the statement comes from.
"""

from __future__ import annotations

import ast
import contextlib
import copy
from collections.abc import Iterator
from typing import Any

from conformance.adapter.port import Implementation
from conformance.explain.calls import Calls
from conformance.explain.expressions import Expressions
from conformance.explain.guard import Chain
from conformance.explain.names import Names
from conformance.explain.scope import (
    NOWHERE,
    Restart,
    Return,
    Scope,
    assign,
    captured,
    compared_by_identity,
    source,
    stored,
)
from conformance.explain.statements import Statements
from conformance.explain.trees import Trees
from conformance.explain.values import Adapter, Code, Static, Unsupported, name


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
        self.here: Chain = (NOWHERE,)  # where what is written comes from

    def property(self, function: Any, arguments: dict[str, Any]) -> list[ast.stmt]:
        """The statements of the property for these arguments and this adapter."""
        node = source(function)
        own = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
        own |= {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}
        own |= {n.name for n in ast.walk(node) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
        self.used |= own - set(arguments)
        forced: set[str] = set()
        start = self.state()
        while True:
            scope = Scope(function.__globals__, "property")
            scope.forced = set(captured(node)) | forced
            scope.locals, scope.identical = stored(node.body), compared_by_identity(node)
            for key, value in arguments.items():
                scope.variables[key] = Static(copy.deepcopy(value))
            scope.variables["implementation"] = Adapter()
            try:
                for key in sorted((scope.forced | compared_by_identity(node)) & set(arguments)):
                    if not isinstance(arguments[key], (type(None), bool)):
                        self.bind(scope, key)
                self.block(node.body, scope)
            except Restart as restart:
                if restart.scope is not scope or restart.variable in forced:
                    raise Unsupported(f"{restart.variable} is changed in a place that cannot be written") from None
                forced.add(restart.variable)
                self.restore(start)
                continue
            except Return:
                pass
            return self.out

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

    def emit(self, statement: ast.stmt) -> None:
        """Write one statement."""
        statement.chain = self.here
        self.out.append(statement)

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

    def bind(self, scope: Scope, variable: str) -> Code:
        """Give the script the variable too, with the value known so far; from then on only the script knows it."""
        owner = scope.find(variable)
        assert owner is not None
        if not scope.hoist:
            return Code(self.lift(owner.variables[variable]))
        if owner.function() is not scope.function() or (scope.uncertain and scope.kind != "def"):
            raise Restart(owner, variable)
        value = self.lift(owner.variables[variable])
        made = self.variable(owner, variable)
        self.emit(assign(made, value))
        owner.variables[variable] = Code(name(made))
        return owner.variables[variable]
