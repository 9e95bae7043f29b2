"""The registry of clauses, and the decorators with which a property says which clause it checks."""

from __future__ import annotations

import difflib
import fnmatch
import functools
import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from conformance.contract.capabilities import undeclared
from conformance.contract.clause import REQUIRED, SMOKE, UNTESTED, Clause, ContractError, Severity
from conformance.contract.successors import successor

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Property = TypeVar("Property", bound=Callable[..., Any])

#: Every clause by id, in the order in which the suite states them.
CLAUSES: dict[str, Clause] = {}

#: What a property needs that makes modules of its own, and so any that does not say that it is ``for_any_module``.
CONSTRUCTION = ("construction",)

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
    shows: tuple[str, ...] = (),
    about: tuple[str, ...] | str = (),
) -> Callable[[Property], Property]:
    """Say which clause a property checks; the property's docstring is the clause's sentence.

    Raises:
        ContractError: the id is not "area/few-words", is taken, the property has no docstring, or a capability is none.
    """

    def register(function: Property) -> Property:
        sentence = " ".join((function.__doc__ or "").split())
        if not sentence:
            raise ContractError(f"{function.__name__}: the docstring must state the clause {id!r} in one sentence")
        needed, spoken_of = ((each,) if isinstance(each, str) else tuple(each) for each in (needs, about))
        for capability in (*needed, *spoken_of):
            if reason := undeclared(capability):
                raise ContractError(f"{id}: {reason}")
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
            (*getattr(function, "needs", CONSTRUCTION), *needed),
            function,
            strategies,
            tuple(getattr(function, "examples", ())),
            shows,
            spoken_of,
        )
        _add(made)
        test = made.test()
        test.clause = made  # type: ignore[attr-defined]
        return test  # type: ignore[return-value]

    return register


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


def for_any_module(
    *, blueprint: SearchStrategy[Any], **strategies: SearchStrategy[Any]
) -> Callable[[Property], Property]:
    """As ``given``, for a property of whatever module stands for the blueprint, also of a wrapper's or of somebody's own:
    it makes no module but that one, and does not need "construction"."""

    def mark(function: Property) -> Property:
        function.needs = ()  # type: ignore[attr-defined]
        return given(blueprint=blueprint, **strategies)(function)

    return mark


def example(**arguments: Any) -> Callable[[Property], Property]:
    """Say which arguments are always tried first."""

    def mark(function: Property) -> Property:
        function.examples = [arguments, *getattr(function, "examples", ())]  # type: ignore[attr-defined]
        return function

    return mark


def smoke(
    id: str, docs: str, *, shows: tuple[str, ...] | str, since: str = "1.0", needs: tuple[str, ...] | str = ()
) -> Callable[[Property], Property]:
    """Say that a property is an example of what other clauses promise."""
    shows = (shows,) if isinstance(shows, str) else shows
    return clause(id, docs, "", severity=SMOKE, since=since, needs=needs, shows=shows)


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


def selected(patterns: str | Iterable[str] = "*") -> list[Clause]:
    """The clauses with a property whose ids match one of the shell patterns ("state_dict/*"), in the order of the suite.

    Raises:
        ContractError: a pattern matches none.
    """
    load()
    ids: set[str] = set()
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        found = fnmatch.filter([clause.id for clause in checked()], pattern)
        if gone := successor(pattern):
            raise ContractError(gone)
        if not found:
            near = difflib.get_close_matches(pattern, CLAUSES, 1)
            hint = f"did you mean {near[0]!r}?" if near else "ids look like 'state_dict/keys-follow-registration-order'"
            raise ContractError(f"no clause matches {pattern!r}: {hint}")
        ids.update(found)
    return [clause for clause in checked() if clause.id in ids]


def load() -> dict[str, Clause]:
    """Import the whole suite, so that every clause is registered, and return the registry."""
    suite = importlib.import_module("conformance.suite")
    names = [info.name for info in pkgutil.walk_packages(suite.__path__, "conformance.suite.")]
    for name in sorted(names, key=lambda name: (_family(suite, name), name)):
        importlib.import_module(name)
    return CLAUSES


def _family(suite: Any, module: str) -> int:
    """The place of a module's folder among those of the suite; what lies in none of them comes last."""
    folder = module.removeprefix("conformance.suite.").partition(".")[0]
    return suite.FAMILIES.index(folder) if folder in suite.FAMILIES else len(suite.FAMILIES)
