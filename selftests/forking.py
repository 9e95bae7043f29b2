"""pytest in a process of its own that need not import everything anew: a copy of the one that runs the selftests."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

import pytest


def runpytest(pytester: pytest.Pytester, *arguments: str, forget: tuple[str, ...] = ()) -> pytest.RunResult:
    """What ``pytester.runpytest_subprocess`` gives.

    Args:
        pytester: in whose folder it runs.
        arguments: of pytest.
        forget: modules that the process must import anew, since the folder has its own.
    """
    started = time.perf_counter()
    files = [pytester.path / name for name in ("stdout", "stderr")]
    pid = os.fork()
    if pid == 0:
        _run(files, [str(argument) for argument in arguments], str(pytester.path), forget)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    lines = [file.read_text(encoding="utf-8").splitlines() for file in files]
    for file in files:
        file.unlink()
    return pytest.RunResult(status, *lines, time.perf_counter() - started)


def _run(files: list[Path], arguments: list[str], folder: str, forget: tuple[str, ...]) -> None:
    """In the copy: what comes of it is its status alone."""
    status = 3
    try:
        for number, file in enumerate(files, 1):
            os.dup2(os.open(file, os.O_CREAT | os.O_WRONLY), number)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8") for number in (1, 2))
        os.environ.pop("PYTEST_CURRENT_TEST", None)
        for name in forget:
            sys.modules.pop(name, None)
        sys.path.insert(0, folder)
        status = int(pytest.main(arguments))
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        with contextlib.suppress(BaseException):
            os._exit(status)
