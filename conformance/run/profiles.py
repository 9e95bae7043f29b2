"""Hypothesis settings under four names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from conformance.contract.clause import SETS

if TYPE_CHECKING:
    from hypothesis import settings

#: sets of arguments per property, about
EXAMPLES = {"quick": 5, "default": 50, "ci": 50, "thorough": 1000}


def profile(name: str) -> settings:
    """The settings of that name.

    ``quick`` is a smoke in seconds, ``default`` draws anew each run, ``ci`` draws the same every time, ``thorough``
    takes 20 times the examples and keeps failures in ``.hypothesis/examples`` for the next run.

    Raises:
        ValueError: there is none of that name.
    """
    from hypothesis import HealthCheck, Phase, Verbosity, settings  # here: who reads a report asks for the names alone
    from hypothesis.database import DirectoryBasedExampleDatabase

    if name not in EXAMPLES:
        raise ValueError(f"unknown profile {name!r}: give one of {', '.join(EXAMPLES)}")
    kept = DirectoryBasedExampleDatabase(Path(".hypothesis") / "examples")
    return settings(
        max_examples=max(2, EXAMPLES[name] // SETS),  # the first example is the smallest that there is
        derandomize=name == "ci",
        database=None if name in ("ci", "quick") else kept,
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink),
        deadline=None,  # machines are noisy: a slow example is no failure
        print_blob=False,  # the script that a failure shows outlives any blob
        report_multiple_bugs=False,  # the example replayed last is then the one that is shown
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
        verbosity=Verbosity.normal,
    )


def use(name: str) -> None:
    """Make the profile the one in force; properties imported from now on run under it."""
    from hypothesis import settings

    settings.register_profile(f"conformance-{name}", profile(name))
    settings.load_profile(f"conformance-{name}")
