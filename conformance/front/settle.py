"""How a verdict is told to pytest."""

from __future__ import annotations

import unittest

import pytest

from conformance.run.record import DEVIATION, DIFFERS, FAILED, NOT_RUN, SKIPPED, Record

#: Exceptions that tell pytest something else than a failure.
EXCUSES = (unittest.SkipTest, pytest.exit.Exception)
#: The longest text of an exception that pytest is given to print.
LONGEST = 1_000_000


def settle(record: Record, error: BaseException | None) -> None:
    """End the test that is running as the record says.

    Raises:
        BaseException: the property's own exception, for a failure; pytest's outcomes for what is no pass.
    """
    __tracebackhide__ = True
    if record.outcome in (SKIPPED, NOT_RUN):
        pytest.skip(record.reason)
    if record.outcome in (DEVIATION, DIFFERS):
        pytest.xfail(record.reason)
    if record.outcome is FAILED:
        if _can_be_shown(error):
            raise error  # type: ignore[misc]
        pytest.fail(record.reason, pytrace=False)


def _can_be_shown(error: BaseException | None) -> bool:
    """Whether pytest can print the exception, and goes on after it."""
    try:
        shows = isinstance(error, Exception) and not isinstance(error, EXCUSES)
        return shows and len(str(error)) + len(repr(error)) < LONGEST
    except Exception:
        return False
