"""A case asked in a process of its own, for what may end it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from conformance.adapter.finding import address
from conformance.contract import arguments as text
from conformance.run.case import Case


def calling(case: Case, arguments: Mapping[str, Any]) -> list[str]:
    """The lines of Python that call the bare property on the arguments."""
    return [
        "from conformance.adapter.finding import find",
        "from conformance.contract import load",
        "from conformance.language.text import parse_arguments",
        "",
        f"arguments = parse_arguments({text(case.clause, arguments)!r})",
        f"check = load()[{case.clause.id!r}].function",
        f"check(implementation=find({address(case.implementation)!r}), device={case.device!r}, **arguments)",
    ]


def dies(case: Case, arguments: Mapping[str, Any]) -> bool:
    """Whether a process that calls the property on the arguments ends otherwise than by success or an exception."""
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}  # one that finds what this one does
    code = "\n".join(calling(case, arguments))
    return subprocess.run([sys.executable, "-c", code], env=found, capture_output=True).returncode not in (0, 1)
