"""A clause: what is promised, how binding it is, where it is written, and which property checks it."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


#: How many sets of arguments an example of Hypothesis holds, on average.
SETS = 5


class Severity(str, Enum):
    """How binding a clause is.

    REQUIRED rests on the documentation; RECOMMENDED on a "should" or an example in it; OBSERVED is undocumented but
    widely relied on, and fails no foreign implementation by default; UNTESTED is known and not checked yet. SMOKE
    promises nothing of its own: it is an example of what other clauses promise, asked first and counted apart.
    """

    REQUIRED = "required"
    RECOMMENDED = "recommended"
    OBSERVED = "observed"
    UNTESTED = "untested"
    SMOKE = "smoke"

    def __str__(self) -> str:
        return self.value


REQUIRED, RECOMMENDED, OBSERVED, UNTESTED, SMOKE = Severity


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
        quote: a few words found there, as they stand; none for SMOKE.
        since, until: torch versions from which, and before which, it holds.
        needs: capabilities without which an implementation is not asked.
        function: the property, a plain function of (implementation, device, **drawn); None for an UNTESTED clause.
        strategies: what draws each of its further arguments.
        examples: arguments that are always tried first.
        shows: the clauses that a SMOKE is an example of.
        about: what is drawn for this clause even where an implementation keeps it out of what is drawn ("drawn.empty").
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
    shows: tuple[str, ...] = ()
    about: tuple[str, ...] = ()

    @property
    def area(self) -> str:
        """The part of the contract that the clause belongs to."""
        return self.id.split("/")[0]

    def test(
        self,
        draws: Mapping[str, SearchStrategy[Any]] | None = None,
        seen: dict[str, Any] | None = None,
        excused: Callable[[BaseException], bool] = lambda error: False,
    ) -> Callable[..., None]:
        """The property as a Hypothesis test under the settings now in force; a plain function if it draws nothing.

        What Hypothesis does around an example costs more than most properties, so an example holds several sets of
        arguments, ``SETS`` on average, and is shrunk to the one that fails. Drawn instead of the property's own, an
        argument may have few values, or one: an example is one set then.

        Args:
            draws: strategies that stand in for the property's own, by the name of the argument.
            seen: where to leave what the property was last called with, besides implementation and device.
            excused: whether a failure is one that is known, and is passed over.
        """
        import hypothesis  # here, so that reading a report does not load it
        from hypothesis import strategies as st

        function = self.function
        assert function is not None, f"{self.id} is not tested"
        if not self.strategies:
            return function

        @functools.wraps(function)
        def each(sets: list[dict[str, Any]], **case: Any) -> None:
            __tracebackhide__ = True
            narrowed = case["implementation"].narrowed
            for drawn in sets:
                given = {name: narrowed(self, name, value) for name, value in drawn.items()}
                if seen is not None:
                    seen.clear()
                    seen.update(given)
                try:
                    function(**case, **given)
                except BaseException as error:
                    if not excused(error):
                        raise

        # Hypothesis looks at the signature, which is that of the sets and no longer the property's.
        del each.__wrapped__
        each.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in ("implementation", "device", "sets")]
        )
        instead = {name: strategy for name, strategy in (draws or {}).items() if name in self.strategies}
        one = st.fixed_dictionaries({**self.strategies, **instead})
        test = hypothesis.given(sets=st.lists(one, min_size=1, max_size=1 if instead else 2 * SETS - 1))(each)
        for example in reversed(() if instead else self.examples):
            test = hypothesis.example(sets=[dict(example)])(test)
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


def arguments(clause: Clause, given: Mapping[str, Any]) -> str:
    """The property's arguments as text that ``language.text.parse_arguments`` reads."""
    return ", ".join(f"{name}={given[name]!r}" for name in clause.strategies if name in given)
