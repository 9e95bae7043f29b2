"""Run what a page of the documentation shows, and put in what it printed.

The blocks of a page are taken from top to bottom, in one empty folder: ``python NAME`` is a file of that name, ``sh`` is
run, ``console`` is run and the output below its ``$`` lines replaced, and of ``yaml`` the lines of the command are run;
``toml NAME`` is a file as well. How long something took, and where, is left out.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: What the commands of a page are here: those of this very environment.
COMMAND = """
python() { "$PYTHON" "$@" 2>&1; }
pytest() { python -m pytest "$@"; }
module-conformance() { "$PYTHON" -m conformance "$@"; }
"""


def renewed(text: str) -> str:
    """The page with the output of its commands as it is now."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def renew(block: re.Match[str]) -> str:
            kind, file, content = block.groups()
            if kind in ("python", "toml") and file:
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(content, encoding="utf-8")
            elif kind == "sh":
                _run(content, folder)
            elif kind == "yaml":
                for command in re.findall(r"^[- a-z|:]*(module-conformance .*)$", content, re.MULTILINE):
                    _run(command.replace("-n auto", ""), folder)  # so few clauses are faster without workers
            elif kind == "console":
                commands = [line for line in content.splitlines() if line.startswith("$ ")]
                shown = "".join(f"{command}\n{_run(command[2:], folder, refused=(2, 4))}" for command in commands)
                return f"```console\n{shown}```"
            return block[0]

        return BLOCK.sub(renew, text)


def _run(command: str, folder: Path, refused: tuple[int, ...] = ()) -> str:
    """What the command prints; a status of 1 is what it says of a failure or a regression."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("CONFORMANCE_", "PYTEST_"))
    }
    environment |= {
        "PYTHON": sys.executable,
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "LC_ALL": "C.UTF-8",
        "GITHUB_STEP_SUMMARY": "summary.md",
        "PYTEST_ADDOPTS": "-p no:cacheprovider",
    }
    if "module-conformance run" in command:  # a few clauses are enough to show with; a reader runs them all
        environment["PYTEST_ADDOPTS"] += " -k 'named_modules or modules_yields'"
    done = subprocess.run(
        ["bash", "-c", COMMAND + command], cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )
    if done.returncode not in (0, 1, *refused) or "Traceback" in done.stderr:
        sys.exit(f"{command}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    printed = done.stdout.replace(f"{ROOT}/", "").rstrip() + "\n"
    printed = re.sub(r" in \d+\.\d+s( \(\d:\d\d:\d\d\))?", "", printed)
    return re.sub(r"0x[0-9a-f]{6,}", "0x...", printed)
