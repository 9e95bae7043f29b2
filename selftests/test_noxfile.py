"""The matrix: which sessions there are, that each recipe can be followed, and what is said where one cannot."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from conformance.adapter.finding import OURS, find
from conformance.run.deviations import tomllib

ROOT = Path(__file__).parent.parent
pytest.importorskip("nox")
sys.path.insert(0, str(ROOT))
import noxfile  # noqa: E402

RECIPES = {f"torch {version}": recipe for version, recipe in noxfile.TORCH.items()} | noxfile.OTHERS
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def nox(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What nox does with the noxfile, in an environment of these variables and few others."""
    kept = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    command = [sys.executable, "-m", "nox", "--no-color", *arguments]
    return subprocess.run(command, cwd=ROOT, env=kept | environment, capture_output=True, text=True)


def skipped(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that says why the only session was skipped."""
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if " skipped: " in line]
    return line


def test_there_is_a_session_for_each_version_and_implementation_and_one_for_the_page():
    names = {line.split()[1] for line in nox("--list").stdout.splitlines() if line.startswith(("* ", "- "))}
    versions = {f"conformance(torch={version})" for version in noxfile.TORCH}
    wrappers = {f"wrapped({name})" for name in noxfile.WRAPPERS}
    assert names == {"reference", "report", *versions, *wrappers, *noxfile.OTHERS}
    assert set(OURS) == {"torch", "reference", *noxfile.WRAPPERS, *noxfile.OTHERS}


@pytest.mark.parametrize("page", ["README.md", "docs/versions.md"])
def test_every_session_that_a_page_tells_to_run_exists(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    told = [shlex.split(line, comments=True) for line in text.splitlines() if re.match(r"\S*nox (-s|-t) ", line)]
    assert told
    for command in told:
        words = list(itertools.takewhile(lambda word: word not in ("&&", "--"), command[1:]))
        done = nox("--list", *words)
        assert done.returncode == 0, done.stderr


def test_each_session_runs_under_the_python_of_its_recipe():
    listed = json.loads(nox("--list", "--json", "-s", "conformance", *noxfile.OTHERS).stdout)
    pythons = {
        session["session"].removeprefix("conformance(torch=").rstrip(")"): session["python"] for session in listed
    }
    assert pythons == {name: recipe.python for name, recipe in (noxfile.TORCH | noxfile.OTHERS).items()}


def test_the_versions_of_pytorch_are_in_order_and_begin_with_the_oldest_that_the_suite_supports():
    versions = [Version(version) for version in noxfile.TORCH]
    assert versions == sorted(versions) and len(set(versions)) >= 9
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert any(f"torch=={version}\n" in constraints for version in noxfile.TORCH)
    assert find("reference").version == noxfile.REFERENCE


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_pins_what_it_is_named_after_and_takes_a_python_that_the_suite_supports(name):
    recipe = RECIPES[name]
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["classifiers"]
    assert f"Programming Language :: Python :: {recipe.python}" in classifiers
    requirements = [Requirement(text) for text in (*recipe.requirements, *recipe.no_deps)]
    assert any(str(requirement.specifier) == f"=={recipe.version}" for requirement in requirements)
    assert all(isinstance(text, str) for pair in recipe.env.items() for text in pair)


def test_the_extra_of_an_implementation_pins_what_its_recipe_pins():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for name, recipe in noxfile.OTHERS.items():
        pinned = {text.partition(";")[0] for text in extras.get(name, ()) if "==" in text}
        assert pinned <= set(recipe.requirements), name


def test_an_environment_that_is_not_there_is_skipped_with_its_path(tmp_path):
    session = ("-s", "conformance(torch=1.13.1)")
    wanted = f"there is no {tmp_path}/torch-1.13.1/bin/python"
    assert wanted in skipped(nox(*session, CONFORMANCE_TORCH_ENVS=str(tmp_path)))
    strict = nox(*session, CONFORMANCE_TORCH_ENVS=str(tmp_path), CONFORMANCE_CI="1")
    assert strict.returncode == 1 and wanted in strict.stderr


def test_an_interpreter_that_is_not_there_is_skipped_with_its_version(tmp_path):
    name, recipe = next((name, recipe) for name, recipe in noxfile.OTHERS.items() if recipe.python != HERE)
    assert f"Python interpreter {recipe.python} not found" in skipped(nox("-s", name, PATH=str(tmp_path)))


def test_a_package_that_cannot_be_had_is_skipped_with_its_name(tmp_path):
    found = [(name, recipe) for name, recipe in noxfile.OTHERS.items() if recipe.python == HERE]
    if not found:
        pytest.skip(f"no recipe is for Python {HERE}")
    name, recipe = found[0]
    done = nox("-s", name, "--envdir", str(tmp_path), PIP_NO_INDEX="1")
    assert f"{name} {recipe.version} cannot be installed here" in skipped(done)


def test_a_session_runs_the_suite_in_the_environment_that_is_there_and_leaves_a_report(tmp_path):
    pytest.importorskip("torch")
    version = next(v for v in noxfile.TORCH if f"torch=={v}\n" in (ROOT / "constraints.txt").read_text())
    (tmp_path / f"torch-{version}").symlink_to(sys.prefix, target_is_directory=True)
    few = ("-n", "0", "--device", "cpu", "--profile", "quick", "-k", "test_article", "--report", str(tmp_path / "r"))
    done = nox("-s", f"conformance(torch={version})", "--", *few, CONFORMANCE_TORCH_ENVS=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "r").read_text().splitlines()[0])["implementation"] == "torch"
