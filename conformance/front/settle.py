"""How a verdict is told to pytest."""

from __future__ import annotations

import pytest

from conformance.run.record import DEVIATION, DIFFERS, FAILED, NOT_RUN, SKIPPED, Record


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
        if error is None:
            pytest.fail(record.reason, pytrace=False)
        raise error
