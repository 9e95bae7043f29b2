"""Every version of PyTorch and every other implementation, each in an environment of its own, and one page of all.

    nox --list                              what there is
    nox                                     the reference, every PyTorch below, and the page
    nox -s "conformance(torch=2.0.1)"       one version; arguments after -- go to pytest
    nox -s paddle report                    another implementation, and the page of all reports that are there
    nox -t alternatives                     all the others

Each session leaves ``reports/NAME-VERSION.jsonl``. What this machine cannot have, an interpreter or a package, is skipped
with one line; where ``CONFORMANCE_CI`` is set, it fails.

The wheels of PyTorch are large. Pip's own settings choose others, such as an extra index of CPU builds; and where
``CONFORMANCE_TORCH_ENVS`` names a folder, a session uses the virtual environment ``FOLDER/torch-VERSION`` as it stands,
with whatever build of PyTorch is in it, and installs nothing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

import nox
from nox.command import CommandFailed

ROOT = Path(__file__).parent
ENVS = os.environ.get("CONFORMANCE_TORCH_ENVS")


class Recipe(NamedTuple):
    """How to get an implementation: what pip installs, then what it installs without the dependencies."""

    python: str
    version: str
    requirements: tuple[str, ...]
    no_deps: tuple[str, ...] = ()
    env: dict[str, str] = {}


def torch(version: str, newest: str, *requirements: str) -> Recipe:
    """The recipe of one version of PyTorch: under the Python that runs nox, or the newest that the version fits."""
    python = f"3.{min(sys.version_info.minor, int(newest.removeprefix('3.')))}"
    return Recipe(python, version, (f"torch=={version}", *requirements))


#: The oldest, the newest, and each version in which the module system's API changed.
TORCH = {
    recipe.version: recipe
    for recipe in (
        torch("1.12.1", "3.10", "numpy<2"),
        torch("1.13.1", "3.11", "numpy<2"),
        torch("2.0.1", "3.11", "numpy<2"),
        torch("2.1.2", "3.11", "numpy<2"),
        torch("2.3.1", "3.12", "numpy"),
        torch("2.4.1", "3.12", "numpy"),
        torch("2.5.1", "3.12", "numpy"),
        torch("2.6.0", "3.12", "numpy"),
        torch("2.9.1", "3.13", "numpy"),
        torch("2.11.0", "3.13", "numpy"),
        torch("2.13.0", "3.13", "numpy"),
        torch("2.15.0", "3.13", "numpy"),
    )
}

OTHERS = {
    "paddle": Recipe("3.11", "3.3.1", ("paddlepaddle==3.3.1",)),
    # The libraries of CUDA are looked for even where there is no GPU.
    "oneflow": Recipe(
        "3.10",
        "0.9.0",
        ("oneflow==0.9.0", "numpy==1.23.5", "nvidia-cublas-cu11==11.10.3.66", "nvidia-cudnn-cu11==8.5.0.96"),
    ),
    # mindnlp asks for packages that bring PyTorch along: not needed, and another module system beside it.
    "mindtorch": Recipe(
        "3.10",
        "0.5.1",
        ("mindspore==2.7.0", "numpy==1.26.4", "typing_extensions", "ml-dtypes", "tqdm", "requests"),
        no_deps=("mindnlp==0.5.1",),
    ),
    "mindspore": Recipe("3.11", "2.10.0", ("mindspore==2.10.0", "numpy==1.26.4")),
    "cpp": Recipe("3.11", "2.13.0", ("torch==2.13.0", "ninja", "numpy", "setuptools")),
    "keras": Recipe("3.11", "3.15.1", ("keras==3.15.1", "torch==2.13.0"), env={"KERAS_BACKEND": "torch"}),
    "candle": Recipe("3.11", "0.4.2", ("candle-nn==0.4.2", "numpy")),
    # Base classes and hooks on the default PyTorch.
    "lightning": Recipe("3.11", "2.6.6", ("lightning==2.6.6", "torch==2.13.0")),
    "transformers": Recipe("3.11", "5.23.0", ("transformers==5.23.0", "torch==2.13.0")),
    "tensordict": Recipe("3.11", "0.15.3", ("tensordict==0.15.3", "torch==2.13.0")),
    "accelerate": Recipe("3.11", "1.15.0", ("accelerate==1.15.0", "torch==2.13.0")),
}

#: The version that the reference gives itself.
REFERENCE = "1"

#: What wraps a module of the default PyTorch, and must not be told from it.
WRAPPERS = (
    "data_parallel",
    "distributed_data_parallel",
    "compiled",
    "averaged_model",
    "compiled_in_place",
    "graph_module",
    "fully_shard",
)

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["reference", "conformance", "report"]
nox.options.error_on_missing_interpreters = bool(os.environ.get("CONFORMANCE_CI"))


def check(session: nox.Session, name: str, version: str, python: str | Path = "python", **env: str) -> None:
    """Run the suite, and leave a report."""
    reports = ROOT / "reports"
    reports.mkdir(exist_ok=True)
    report = reports / f"{name}-{version}.jsonl"
    command = ["-m", "pytest", "-n", "auto", "--implementation", name, "--profile", "ci", f"--report={report}"]
    session.run(str(python), *command, *session.posargs, env=env, external=True)


def install(session: nox.Session, name: str, recipe: Recipe) -> None:
    """Install an implementation, and the suite beside it."""
    try:
        session.install(*recipe.requirements)
        if recipe.no_deps:
            session.install("--no-deps", *recipe.no_deps)
    except CommandFailed:
        missing(session, f"{name} {recipe.version} cannot be installed here: pip says why above")
    session.install("-c", "constraints.txt", "-e", ".")


def missing(session: nox.Session, why: str) -> None:
    """End the session with one line."""
    if os.environ.get("CONFORMANCE_CI"):
        session.error(why)
    session.skip(why)


@nox.session(venv_backend="none" if ENVS else None)
@nox.parametrize("python,torch", [nox.param(r.python, v, id=f"torch={v}") for v, r in TORCH.items()])
def conformance(session: nox.Session, torch: str) -> None:
    """Check one version of PyTorch."""
    if not ENVS:
        install(session, "torch", TORCH[torch])
        return check(session, "torch", torch)
    python = Path(ENVS).absolute() / f"torch-{torch}" / "bin" / "python"
    if not python.exists():
        missing(session, f"there is no {python}, and CONFORMANCE_TORCH_ENVS says to install nothing")
    check(session, "torch", torch, python)


@nox.session(python=TORCH["2.13.0"].python, tags=["alternatives"])
@nox.parametrize("wrapper", [nox.param(name, id=name) for name in WRAPPERS])
def wrapped(session: nox.Session, wrapper: str) -> None:
    """Check PyTorch's modules inside one of PyTorch's wrappers."""
    install(session, "torch", TORCH["2.13.0"])
    check(session, wrapper, "2.13.0")


@nox.session
def reference(session: nox.Session) -> None:
    """Check the contract in pure Python, without torch."""
    session.install("-c", "constraints.txt", "-e", ".")
    check(session, "reference", REFERENCE)


def other(name: str, recipe: Recipe) -> None:
    """Add the session of another implementation."""

    @nox.session(name=name, python=recipe.python, tags=["alternatives"])
    def session(session: nox.Session) -> None:
        install(session, name, recipe)
        check(session, name, recipe.version, **recipe.env)

    session.__doc__ = f"Check {name} {recipe.version}."


for _name, _recipe in OTHERS.items():
    other(_name, _recipe)


@nox.session
def report(session: nox.Session) -> None:
    """Put all reports that are there onto one page, reports/matrix.html."""
    reports = sorted(str(path) for path in (ROOT / "reports").glob("*.jsonl"))
    if not reports:
        session.skip("there is no report in reports/ yet: run another session first")
    session.install("-c", "constraints.txt", "-e", ".[cli]")
    session.run("module-conformance", "report", *reports, "--html", str(ROOT / "reports" / "matrix.html"))
