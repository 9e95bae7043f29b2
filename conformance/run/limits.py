"""What bounds a case in time, and tells a person's Ctrl-C from an exception of the same name.

Both rest on signals, so that they work in the main thread of a process, where pytest and its workers run; elsewhere nothing
is bounded, and every KeyboardInterrupt is a person's.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Seconds for a case by profile: generous, since machines are shared, and finite, since nobody waits for ever.
SECONDS = {"quick": 120.0, "default": 300.0, "ci": 300.0, "thorough": 3000.0}
#: Whoever swallows the exception gets it again after as many seconds.
AGAIN = 1.0


class OutOfTime(BaseException):
    """The case did not end in its time. No Exception, so that Hypothesis, which would shrink it, lets it through."""


def _main() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise OutOfTime in what is inside once it has taken so many seconds; 0 is no limit."""
    if not seconds or not _main() or not hasattr(signal, "setitimer"):
        yield
        return

    def out_of_time(number: int, frame: types.FrameType | None) -> None:
        raise OutOfTime(f"did not end within {seconds:g} s, in {_place(frame)}")

    before = signal.signal(signal.SIGALRM, out_of_time)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _place(frame: types.FrameType | None) -> str:
    """The functions in progress, the innermost last."""
    names = []
    while frame is not None and len(names) < 4:
        names.append(f"{frame.f_code.co_name} ({Path(frame.f_code.co_filename).name}:{frame.f_lineno})")
        frame = frame.f_back
    return ", ".join(reversed(names))


class Interrupts:
    """Whether a person has pressed Ctrl-C since this was entered."""

    def __enter__(self) -> Interrupts:
        self.seen, self._before = not _main(), None
        if _main():
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number: int, frame: types.FrameType | None) -> None:
        self.seen = True
        if callable(self._before):
            self._before(number, frame)
        else:
            raise KeyboardInterrupt

    def __exit__(self, *raised: Any) -> None:
        if _main():
            signal.signal(signal.SIGINT, self._before or signal.default_int_handler)
