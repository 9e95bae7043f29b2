"""What the documentation says of the project is so."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from conformance.adapter.finding import OURS
from conformance.front.plugin import pytest_addoption
from conformance.run.profiles import EXAMPLES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def generate():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_current():
    stale = [path.name for path, text in generate().pages().items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run python docs/generate.py"


def test_the_commands_of_the_page_on_reports_print_what_it_shows():
    pytest.importorskip("click", reason="the extra cli is not installed")
    ((page, text),) = generate().transcribed("reports.md").items()
    assert page.read_text(encoding="utf-8") == text, "run python docs/generate.py"


def test_ci_runs_exactly_the_two_commands_of_the_readme():
    commands = [line for line in README.splitlines() if line.startswith("python3 -m venv .venv &&")]
    assert len(commands) == 2
    script = (ROOT / ".ci/run").read_text()
    # CI prints less of the installation: that is the only difference.
    run = [
        line.replace("pip install -q ", "pip install ") for line in script.splitlines() if line.startswith("python3 ")
    ]
    assert run == commands
    assert commands[0].endswith("pytest -n auto") and commands[1].endswith("pytest -n auto selftests")


def test_the_readme_names_every_option_profile_and_implementation():
    class Group:
        options: list[str] = []

        def getgroup(self, *args):
            return self

        def addoption(self, name, **kwargs):
            self.options.append(name)

    pytest_addoption(Group())
    for word in (*Group.options, *EXAMPLES, *OURS):
        assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", README), word


def test_links_into_the_repository_exist():
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), (page.name, target)
