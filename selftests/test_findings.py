"""The hand-written scripts: each shows, with one framework alone, a departure that its deviation file calls harmful."""

from __future__ import annotations

import importlib.util
import json
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


#: Imports a package once, then runs each script in a copy of the process; prints how each ended and what it said.
ONE_AFTER_ANOTHER = """
import importlib, json, os, runpy, sys, tempfile, traceback
importlib.import_module(sys.argv[1])
done = []
for path in sys.argv[2:]:
    files = [tempfile.TemporaryFile("w+") for _ in range(2)]
    pid = os.fork()
    if not pid:
        status = 0
        for number, file in enumerate(files, 1):
            os.dup2(file.fileno(), number)
        try:
            runpy.run_path(path, run_name="__main__")
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else int(bool(stop.code))
        except BaseException:
            status = 1
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    status = os.waitpid(pid, 0)[1]
    for file in files:
        file.seek(0)
    done.append((os.waitstatus_to_exitcode(status), *(file.read() for file in files)))
print(json.dumps(done))
"""


def silent(python: str | Path, package: str, scripts: list[Path]) -> list[str]:
    """What is wrong with those scripts that, run alone by that Python, observe nothing else than they expect."""
    command = [python, "-c", ONE_AFTER_ANOTHER, package, *scripts]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    wrong = []
    for script, (status, output, errors) in zip(scripts, json.loads(done.stdout.splitlines()[-1]), strict=True):
        lines = [line.partition(": ") for line in output.splitlines()]
        said = {head: rest for head, _, rest in lines if head in ("observed", "expected")}
        # One that is written by docs/scripts.py ends with a bare assertion; any other error is the script's own.
        broken = "Traceback" in errors and not errors.rstrip().endswith("\nAssertionError")
        if broken or status != 1 or len(said) != 2 or said["observed"] == said["expected"]:
            wrong.append(f"{script}: exit status {status}, {said or errors}")
    return wrong


def framework(script: Path) -> str:
    """The implementation that the script is about."""
    return script.relative_to(FOLDER).parts[0]


def package(script: Path) -> str:
    """The package that the script needs: wrappers are PyTorch's own."""
    name = framework(script)
    return "torch" if "torch_wrappers" in finding.OURS[name] else name


FRAMEWORKS = sorted({framework(script) for script in SCRIPTS})


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_script_is_of_a_departure_that_is_recorded_as_harmful_and_needs_the_framework_alone(name):
    recorded = deviations.read(DEVIATIONS / f"{name}.toml", contract.load())
    scripts = {
        script.relative_to(FOLDER / name).with_suffix("").as_posix(): script.read_text(encoding="utf-8")
        for script in SCRIPTS
        if framework(script) == name
    }
    assert [clause for clause in scripts if not any(entry.harm for entry in recorded.get(clause, ()))] == []
    assert [clause for clause, text in scripts.items() if "conformance" in text] == []


@pytest.mark.parametrize("needed", sorted({package(script) for script in SCRIPTS}))
def test_every_script_shows_a_departure(needed):
    if importlib.util.find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed")
    assert silent(sys.executable, needed, [script for script in SCRIPTS if package(script) == needed]) == []


@pytest.mark.parametrize(
    "text",
    [
        "print('observed: 1')\nprint('expected: 1')\nraise SystemExit(False)",
        "print('observed: 1')\nprint('expected: 2')",
        "print('observed: 1')\nprint('expected: 2')\n1 / 0",
        "raise SystemExit(1)",
    ],
)
def test_a_script_that_shows_nothing_is_told_apart(tmp_path, text):
    (tmp_path / "good.py").write_text("print('observed: 1')\nprint('expected: 2')\nassert False", encoding="utf-8")
    (tmp_path / "mended.py").write_text(text, encoding="utf-8")
    (wrong,) = silent(sys.executable, "json", [tmp_path / "good.py", tmp_path / "mended.py"])
    assert "mended.py" in wrong
