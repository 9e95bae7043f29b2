"""The code is formatted and free of what ruff finds."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("command", [("check",), ("format", "--check")])
def test_ruff_has_nothing_to_say(command):
    if importlib.util.find_spec("ruff") is None:
        pytest.skip("ruff is not installed")
    done = subprocess.run([sys.executable, "-m", "ruff", *command, ROOT], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "package, forbidden",
    [
        (
            "strategies",
            ("conformance.suite", "conformance.implementation", "conformance.plugin", "conformance.reference"),
        ),
        (
            "conformance/model",
            ("conformance.suite", "conformance.implementation", "strategies", "conformance.reference"),
        ),
        ("conformance/reference", ("conformance.suite", "conformance.model", "strategies", "conformance.contract")),
        (
            "conformance/report",
            ("conformance.suite", "conformance.implementations", "conformance.plugin", "strategies"),
        ),
        ("conformance/explain", ("conformance.suite", "strategies", "conformance.plugin", "conformance.report")),
        ("conformance/implementations", ("conformance.suite", "strategies", "conformance.plugin")),
    ],
)
def test_imports_point_downward(package, forbidden):
    for path in (ROOT / package).rglob("*.py"):
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        for line in lines:
            if line.startswith(("import ", "from ")):
                assert not any(name in line for name in forbidden), f"{path.relative_to(ROOT)}: {line}"
