"""The suite in environments of its own: without torch, against another PyTorch, and against what is not PyTorch.

Each test makes a fresh virtual environment from the built wheel; without a package index it is skipped, except in CI.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from conformance.run.deviations import tomllib
from selftests.test_findings import DEVIATIONS, silent

ROOT = Path(__file__).parent.parent

#: Where Debian's package python3-torch puts a PyTorch, older than the one of the default set.
SYSTEM = "/usr/bin/python3"


def install(folder: Path, *requirements: str, base: str = sys.executable, options: tuple[str, ...] = ()) -> Path:
    """A fresh environment of that Python, holding these requirements; its Python."""
    subprocess.run([base, "-m", "venv", *options, folder], check=True)
    python = folder / "bin" / "python"
    command = [python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", *requirements]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode and not os.environ.get("CONFORMANCE_CI"):
        pytest.skip(f"cannot install {' '.join(requirements)}: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return python


def run(python: Path, folder: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], list[dict]]:
    """Run the installed suite from an empty folder; what it printed, and its report."""
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
    command = [
        python,
        "-m",
        "pytest",
        "--pyargs",
        "conformance",
        "--report",
        "report.jsonl",
        "--device",
        "cpu",
        *arguments,
    ]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    report = folder / "report.jsonl"
    return done, [json.loads(line) for line in report.read_text().splitlines()] if report.exists() else []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The distribution as a user gets it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return str(next(folder.glob("*.whl")))


def test_the_reference_passes_the_whole_suite_without_torch(wheel, tmp_path):
    python = install(tmp_path / "venv", wheel)
    assert subprocess.run([python, "-c", "import torch"], capture_output=True).returncode != 0
    done, report = run(python, tmp_path / "empty", "--implementation", "reference", "--profile", "ci")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    outcomes = Counter(line["outcome"] for line in report if line["kind"] == "record")
    assert outcomes["failed"] == outcomes["deviation"] == 0
    assert outcomes["passed"] > 0.9 * (sum(outcomes.values()) - outcomes["untested"]), outcomes


ADAPTER = """
from conformance.implementations.reference import Reference

implementation = type("Mine", (Reference,), {"name": "mine", "version": "7"})()
"""
PROJECT = """
[project]
name = "mypackage"
version = "7"
[tool.setuptools]
packages = ["mypackage"]
[project.entry-points."conformance.implementations"]
mine = "mypackage.adapter:implementation"
"""
#: Another project's own settings: the plugin must not need a marker or an option there, nor its tests be taken for ours.
STRICT = """
[pytest]
addopts = --strict-markers --strict-config
testpaths = tests
"""


def test_another_project_runs_the_installed_suite_on_its_own_adapter_from_a_folder_without_checkout(wheel, tmp_path):
    python = install(tmp_path / "venv", wheel)
    project = tmp_path / "project"
    (project / "mypackage").mkdir(parents=True)
    (project / "mypackage/__init__.py").touch()
    (project / "mypackage/adapter.py").write_text(ADAPTER)
    (project / "pyproject.toml").write_text(PROJECT)
    done = subprocess.run([python, "-m", "pip", "install", "-q", project], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # By its path, where the folder holds the package; by its name, from anywhere.
    for number, name in enumerate(("mypackage.adapter", "mypackage.adapter:implementation", "mine")):
        select = (
            "--implementation",
            name,
            "--profile",
            "quick",
            "-k",
            "test_modules_yields_every_module_once",
        )
        workers = () if number else ("-n", "1")
        done, report = run(python, tmp_path / f"empty{number}", *select, *workers)
        assert done.returncode == 0, done.stdout + done.stderr
        assert (report[0]["implementation"], report[0]["version"]) == ("mine", "7")
    # Its own tests notice nothing of the plugin, with the strictest settings.
    (project / "tests").mkdir()
    (project / "tests/test_own.py").write_text(
        "def test_own(pytestconfig):\n    assert not hasattr(pytestconfig.option, 'profile')\n"
    )
    (project / "pytest.ini").write_text(STRICT)
    done = subprocess.run([python, "-m", "pytest", "-q"], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0 and "1 passed" in done.stdout and "conformance" not in done.stdout, done.stdout
    # And the suite runs under them too.
    command = [python, "-m", "pytest", "--pyargs", "conformance", "--implementation", "mine", *select[2:]]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_pytorch_of_the_system_passes(wheel, tmp_path):
    found = "import sys, torch; sys.exit(sys.version_info < (3, 10))"
    if not Path(SYSTEM).exists() or subprocess.run([SYSTEM, "-c", found], capture_output=True).returncode:
        pytest.skip(f"{SYSTEM} has no PyTorch for us (Debian's package is python3-torch)")
    python = install(tmp_path / "venv", wheel, base=SYSTEM, options=("--system-site-packages",))
    done, report = run(python, tmp_path / "empty", "--implementation", "torch", "--profile", "quick")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    outcomes = Counter(line["outcome"] for line in report if line["kind"] == "record")
    assert outcomes["failed"] == 0 and outcomes["passed"] > 350, outcomes


def test_paddle_departs_where_its_deviation_file_says_and_nowhere_else(wheel, tmp_path):
    python = install(tmp_path / "venv", wheel, "paddlepaddle==3.3.1")
    paddle = ("--implementation", "paddle", "--profile", "quick", "--hypothesis-seed", "0")
    done, report = run(python, tmp_path / "empty", *paddle, "-n", "2")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert report[0]["implementation"] == "paddle" and report[0]["version"] == "3.3.1"
    text = (DEVIATIONS / "paddle.toml").read_text(encoding="utf-8")
    outcomes = Counter(line["outcome"] for line in report if line["kind"] == "record")
    assert outcomes["failed"] == 0 and outcomes["deviation"] == len(tomllib.loads(text))
    asked = outcomes["passed"] + outcomes["deviation"] + outcomes["differs"]
    assert asked > 350 and outcomes["passed"] > 2 * outcomes["deviation"], outcomes

    removed = '["module_list/slice-assignment-as-a-list"]'
    fewer = tmp_path / "fewer.toml"
    fewer.write_text("\n\n".join(entry for entry in text.split("\n\n") if removed not in entry), encoding="utf-8")
    only = ("-k", "test_assigning_to_a_slice_replaces_those_modules", "--deviations", fewer)
    done, report = run(python, tmp_path / "without", *paddle, *only)
    failed = [line["clause"] for line in report if line["kind"] == "record" and line["outcome"] == "failed"]
    assert done.returncode == 1 and failed == ["module_list/slice-assignment-as-a-list"], done.stdout[-5000:]

    scripts = list((ROOT / "docs/findings/scripts/paddle").rglob("*.py"))
    assert scripts and silent(python, "paddle", scripts) == []
