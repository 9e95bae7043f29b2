"""The names of a script while it is being written, and running its statements."""

from __future__ import annotations
import __future__

import ast
import contextlib
import io
import sys
import types
import warnings
from collections.abc import Iterator
from typing import Any

from conformance.explain.guard import failing
from conformance.explain.notes import note
from conformance.explain.scope import Thrown


class Space:
    """A module ``__main__`` in which statements are run one after another.

    Attributes:
        names: what they have defined.
        output: what they have printed.
    """

    def __init__(self) -> None:
        self.module = types.ModuleType("__main__")
        self.names = vars(self.module)
        self.output = io.StringIO()
        self.begun: set[str] = set()
        self.flags = 0

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """While it is open, it is the main module: what a script pickles is looked up there."""
        before, path = sys.modules["__main__"], list(sys.path)
        sys.modules["__main__"] = self.module
        try:
            with warnings.catch_warnings(), contextlib.redirect_stdout(self.output):
                warnings.simplefilter("ignore")
                yield
        finally:
            sys.modules["__main__"], sys.path[:] = before, path

    def begin(self, names: Any) -> None:
        """Run those imports and definitions that have not been run."""
        if len(names.own) + len(names.imports) + len(names.definitions) == len(self.begun) and self.begun:
            return
        if names.future:
            self.flags = __future__.annotations.compiler_flag
        sys.path[:0] = [each for each in names.folders if each not in sys.path]
        for text, statement in names.own.items():
            if text not in self.begun:
                self.begun.add(text)
                self.define([statement])
        for line in list(names.imports):
            if line not in self.begun:
                self.begun.add(line)
                self.define(ast.parse(line).body)
        for key, statements in names.definitions.items():
            if statements and f"def {key}" not in self.begun:
                self.begun.add(f"def {key}")
                self.define(statements)

    def define(self, statements: list[ast.stmt]) -> None:
        """Run a definition; what the adapter has done in this process already is not done again."""
        for statement in statements:
            if note(statement).lives:
                globals_, key = note(statement).lives
                self.names[key] = globals_[key]
            else:
                self.run([statement])

    def run(self, statements: list[ast.stmt]) -> None:
        """Run statements.

        Raises:
            Thrown: one of them raised an exception.
        """
        # The text is run, not the tree: what is shown is what was tried.
        text = ast.unparse(ast.fix_missing_locations(ast.Module(statements, [])))
        try:
            exec(compile(text, "<script>", "exec", self.flags, dont_inherit=True), self.names)
        except BaseException as error:  # a property may raise whatever it likes
            raise Thrown(error, failing(statements, text, error)) from error

    def value(self, node: ast.expr) -> Any:
        """What an expression is."""
        return eval(compile(ast.unparse(node), "<script>", "eval", dont_inherit=True), self.names)

    def assign(self, target: ast.expr, value: Any) -> None:
        """Give a target a value."""
        text = ast.unparse(ast.fix_missing_locations(ast.Assign([target], ast.Name("__value", ast.Load()), lineno=0)))
        self.names["__value"] = value
        exec(text, self.names)
        del self.names["__value"]
