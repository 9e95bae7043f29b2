"""Clauses and their registry: what is promised, where it is written, and which property checks it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

import hypothesis
from hypothesis.strategies import SearchStrategy

Property = TypeVar("Property", bound=Callable[..., Any])


class Severity(str, Enum):
    """How binding a clause is.

    REQUIRED rests on the documentation; RECOMMENDED on a "should" or an example in it; OBSERVED is undocumented but
    widely relied on, and fails no foreign implementation by default; UNTESTED is known and not checked yet.
    """

    REQUIRED = "required"
    RECOMMENDED = "recommended"
    OBSERVED = "observed"
    UNTESTED = "untested"

    def __str__(self) -> str:
        return self.value


REQUIRED, RECOMMENDED, OBSERVED, UNTESTED = Severity


class ContractError(Exception):
    """A clause that is badly formed, or registered twice."""


@dataclass(frozen=True)
class Clause:
    """One documented promise.

    Attributes:
        id: stable, "area/sentence-in-few-words".
        sentence: the promise in one sentence; the docstring of its property.
        severity: how binding it is.
        docs: where it is written: "torch.nn.Module.train" (a docstring), "source:torch.nn.Module.__setattr__" (an
            error message or code), or the address of a page of the documentation.
        quote: a few words found there, as they stand.
        since, until: torch versions from which, and before which, it holds.
        needs: capabilities without which an implementation is not asked.
        function: the property, a plain function of (implementation, device, **drawn); None for an UNTESTED clause.
        strategies: what draws each of its further arguments.
        examples: arguments that are always tried first.
    """

    id: str
    sentence: str
    severity: Severity
    docs: str
    quote: str = ""
    since: str = "1.0"
    until: str | None = None
    needs: tuple[str, ...] = ()
    function: Callable[..., None] | None = None
    strategies: Mapping[str, SearchStrategy[Any]] = field(default_factory=dict, compare=False)
    examples: tuple[Mapping[str, Any], ...] = field(default=(), compare=False)

    @property
    def area(self) -> str:
        """The part of the contract that the clause belongs to."""
        return self.id.split("/")[0]

    def test(self, draws: Mapping[str, SearchStrategy[Any]] | None = None) -> Callable[..., None]:
        """The property as a Hypothesis test under the settings now in force; a plain function if it draws nothing.

        Args:
            draws: strategies that stand in for the property's own, by the name of the argument.
        """
        function = self.function
        assert function is not None, f"{self.id} is not tested"
        if not self.strategies:
            return function

        @functools.wraps(function)
        def remembered(**arguments: Any) -> None:
            __tracebackhide__ = True
            drawn.clear()
            narrowed = arguments["implementation"].narrowed
            drawn.update({name: narrowed(self.id, name, arguments[name]) for name in self.strategies})
            function(**{**arguments, **drawn})

        instead = {name: strategy for name, strategy in (draws or {}).items() if name in self.strategies}
        test = hypothesis.given(**{**self.strategies, **instead})(remembered)
        for example in reversed(() if instead else self.examples):
            test = hypothesis.example(**example)(test)
        return test

    @property
    def link(self) -> str:
        """The address of the documentation."""
        name = self.docs.removeprefix("source:")
        if name.startswith("https://"):
            return name
        match = re.match(r"torch\.nn\.(?:modules\.\w+\.)?([A-Z]\w*)", name)
        page = f"torch.nn.{match.group(1)}" if match else name
        page = {
            "torch.nn.Parameter": "torch.nn.parameter.Parameter",
            "torch.nn.Buffer": "torch.nn.parameter.Buffer",
        }.get(page, page)
        return f"https://docs.pytorch.org/docs/stable/generated/{page}.html"


#: What a property was last called with, besides implementation and device: a failure shows it as a witness.
drawn: dict[str, Any] = {}


def arguments(clause: Clause, given: Mapping[str, Any]) -> str:
    """The property's arguments as text that ``blueprint.parse_arguments`` reads."""
    names = (*clause.strategies, "steps")  # the steps of a state machine, which draws for itself
    return ", ".join(f"{name}={given[name]!r}" for name in names if name in given)


#: Every clause by id, in the order in which the suite states them.
CLAUSES: dict[str, Clause] = {}

_ID = re.compile(r"[a-z_]+(?:-[a-z_]+)*/[a-z0-9_]+(?:-[a-z0-9_]+)+")


def clause(
    id: str,
    docs: str,
    quote: str,
    *,
    severity: Severity = REQUIRED,
    since: str = "1.0",
    until: str | None = None,
    needs: tuple[str, ...] | str = (),
) -> Callable[[Property], Property]:
    """Say which clause a property checks; the property's docstring is the clause's sentence.

    Raises:
        ContractError: the id is not "area/few-words", is taken, or the property has no docstring.
    """

    def register(function: Property) -> Property:
        sentence = " ".join((function.__doc__ or "").split())
        if not sentence:
            raise ContractError(f"{function.__name__}: the docstring must state the clause {id!r} in one sentence")
        strategies = getattr(function, "strategies", {})
        function = _skipping(function)
        made = Clause(
            id,
            sentence,
            severity,
            docs,
            " ".join(quote.split()),
            since,
            until,
            (*_implied(strategies, needs), *((needs,) if isinstance(needs, str) else needs)),
            function,
            strategies,
            tuple(getattr(function, "examples", ())),
        )
        _add(made)
        test = made.test()
        test.clause = made  # type: ignore[attr-defined]
        return test  # type: ignore[return-value]

    return register


def _implied(strategies: Mapping[str, Any], needs: Iterable[str] | str) -> tuple[str, ...]:
    """What follows from the arguments that a property draws.

    One that draws a ``blueprint`` speaks of whatever module stands for it, so also of a wrapper's or of somebody's own;
    any other makes modules itself. One that draws ``rows`` for the module to be called with compares the output with
    the model's, unless it needs no more than an example of an input.
    """
    if "blueprint" not in strategies:
        return ("construction",)
    rows = any(name == "rows" or name.endswith("_rows") for name in strategies)
    return ("computation",) if rows and "example" not in needs else ()


def _skipping(function: Property) -> Property:
    """The property, skipped instead of failed where it asks for a name of the contract that the implementation lacks."""

    @functools.wraps(function)
    def asked(**arguments: Any) -> None:
        __tracebackhide__ = True
        try:
            function(**arguments)
        except (AttributeError, TypeError) as error:
            absent = arguments["implementation"].absent(error)
            if absent is None:
                raise
            raise absent from error

    return asked  # type: ignore[return-value]


def given(**strategies: SearchStrategy[Any]) -> Callable[[Property], Property]:
    """Say what draws a property's arguments. As Hypothesis' own, but applied by ``clause``: the function stays plain,
    so that a witness, a debugger or ``conformance.check`` can call it."""

    def mark(function: Property) -> Property:
        function.strategies = strategies  # type: ignore[attr-defined]
        return function

    return mark


def example(**arguments: Any) -> Callable[[Property], Property]:
    """Say which arguments are always tried first."""

    def mark(function: Property) -> Property:
        function.examples = [arguments, *getattr(function, "examples", ())]  # type: ignore[attr-defined]
        return function

    return mark


def untested(id: str, sentence: str, docs: str) -> None:
    """Register a clause that we know and do not check yet."""
    _add(Clause(id, sentence, UNTESTED, docs))


def _add(made: Clause) -> None:
    if not _ID.fullmatch(made.id):
        raise ContractError(f"clause id {made.id!r} is not of the form area/words-joined-by-hyphens")
    known = CLAUSES.get(made.id)
    if known is not None and _origin(known) != _origin(made):
        raise ContractError(f"clause id {made.id!r} is used twice: {_origin(known)} and {_origin(made)}")
    CLAUSES[made.id] = made


def _origin(made: Clause) -> str:
    return f"{made.function.__module__}.{made.function.__name__}" if made.function else "conformance.suite.untested"


def checked() -> Iterator[Clause]:
    """The clauses that have a property."""
    return (clause for clause in CLAUSES.values() if clause.function is not None)


def load() -> dict[str, Clause]:
    """Import the whole suite, so that every clause is registered, and return the registry."""
    import importlib
    import pkgutil

    import conformance.suite as suite

    for module in sorted(info.name for info in pkgutil.iter_modules(suite.__path__)):
        importlib.import_module(f"conformance.suite.{module}")
    return CLAUSES
