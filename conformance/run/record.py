"""What is kept of one case: its outcome and what shows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Outcome(str, Enum):
    """How a case ended.

    PASSED, DEVIATION (a recorded one), FAILED and DIFFERS (a failure where only PyTorch's behaviour is observed) were put to
    the implementation; SKIPPED, NOT_RUN and UNTESTED were not.
    """

    PASSED = "passed"
    DEVIATION = "deviation"
    FAILED = "failed"
    DIFFERS = "differs"
    SKIPPED = "skipped"
    NOT_RUN = "not run"
    UNTESTED = "untested"

    def __str__(self) -> str:
        return self.value

    __format__ = str.__format__


PASSED, DEVIATION, FAILED, DIFFERS, SKIPPED, NOT_RUN, UNTESTED = Outcome
#: The outcomes of cases that were really put to the implementation.
ASKED = (PASSED, DEVIATION, FAILED, DIFFERS)


@dataclass(frozen=True)
class Record:
    """The outcome of one clause on one device.

    Attributes:
        clause, device: which case; the device of an untested clause is "".
        outcome: one of ``Outcome``, or its text.
        reason: why it is no pass, in one sentence.
        seconds: how long it took.
        link: where a deviation is reported.
        witness: the arguments that show a failure or a deviation, as a deviation file states them.
        observed, expected: what the failing comparison saw and what the model says, as text.
        script: code that shows the failure with the implementation alone.
    """

    clause: str
    device: str
    outcome: str
    reason: str = ""
    seconds: float = 0.0
    link: str = ""
    witness: str = ""
    observed: str = ""
    expected: str = ""
    script: str = ""
