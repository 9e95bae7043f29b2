"""The hand-written scripts: each shows, with one framework alone, a departure that its deviation file calls harmful."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import conformance
from conformance import contract
from conformance.adapter import finding
from conformance.run import deviations

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "findings" / "scripts"
DEVIATIONS = Path(conformance.__file__).parent / "implementations" / "deviations"
SCRIPTS = sorted(FOLDER.rglob("*.py"))


def shows(python: str | Path, script: Path) -> bool:
    """Whether the script, run alone by that Python, observes something else than it expects."""
    done = subprocess.run([python, script], capture_output=True, text=True)
    # One that is written by docs/scripts.py ends with a bare assertion; any other error is the script's own.
    assert "Traceback" not in done.stderr or done.stderr.rstrip().endswith("\nAssertionError"), done.stderr
    lines = [line.partition(": ") for line in done.stdout.splitlines()]
    said = {head: rest for head, _, rest in lines if head in ("observed", "expected")}
    return done.returncode == 1 and len(said) == 2 and said["observed"] != said["expected"]


def framework(script: Path) -> str:
    """The implementation that the script is about."""
    return script.relative_to(FOLDER).parts[0]


def package(script: Path) -> str:
    """The package that the script needs: wrappers are PyTorch's own."""
    name = framework(script)
    return "torch" if "torch_wrappers" in finding.OURS[name] else name


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: str(script.relative_to(FOLDER)))
def test_the_script_shows_a_departure_that_is_recorded_as_harmful(script):
    recorded = deviations.read(DEVIATIONS / f"{framework(script)}.toml", contract.load())
    clause = script.relative_to(FOLDER / framework(script)).with_suffix("").as_posix()
    assert any(entry.harm for entry in recorded[clause])
    assert "conformance" not in script.read_text(encoding="utf-8")
    if importlib.util.find_spec(package(script)) is None:
        pytest.skip(f"{package(script)} is not installed")
    assert shows(sys.executable, script)


def test_a_script_whose_framework_was_mended_is_told_apart(tmp_path):
    script = tmp_path / "mended.py"
    script.write_text("import sys\nprint('observed: 1')\nprint('expected: 1')\nsys.exit(False)\n", encoding="utf-8")
    assert not shows(sys.executable, script)
