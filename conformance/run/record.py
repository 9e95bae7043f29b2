"""What is kept of one case."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """The outcome of one clause on one device.

    Attributes:
        clause, device: which case; the device of an untested clause is "".
        outcome: "passed", "deviation", "failed", "differs", "skipped", "not run" or "untested".
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
