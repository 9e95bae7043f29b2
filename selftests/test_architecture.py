"""The layout shows the architecture: each floor imports only from floors below it, and no two modules import each other.

The graph is computed from the source, imports inside functions included; what stands under ``if TYPE_CHECKING`` is left
out. Imports by name (``importlib``) are listed too: they are where the suite and the adapters are found.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: The floors, the lowest first, and what each may import besides itself. Every name stands above what it imports.
FLOORS = {
    "language": "",
    "model": "language",
    "contract": "language model",
    "build": "language model contract",
    "adapter": "language model contract build",
    "run": "language model contract adapter build",
    "explain": "language model contract adapter build run",
    "report": "contract run",
    "strategies": "language model",
    "suite": "language model contract strategies",
    "reference": "language",
    "implementations": "language model adapter reference",
    "front": "language model contract adapter build run explain report",
}

#: What stands beside the floors: the version, the two doors (the package itself and its command), and the names that were
#: here before the layout of 0.3, which import nothing but ``moved`` and that nothing of ours may import.
BESIDE = {
    "version": "",
    "conformance": "version front",
    "__main__": "front",
    "moved": "",
    **dict.fromkeys(
        ("blueprint", "chain", "check", "deviations", "implementation", "plugin", "transform", "wrapping"), "moved"
    ),
}
OF_EVERYONE = ("version",)

#: Where a module is found by its name, which no graph of imports sees: of the blueprint, for a method that has moved up.
BY_NAME = {
    "conformance.adapter.finding",
    "conformance.contract.registry",
    "conformance.language.blueprint",
    "conformance.moved",
}

Graph = dict[str, set[str]]


def modules(root: Path) -> dict[str, Path]:
    """The modules of the packages below that folder."""
    paths = [path for package in ("conformance", "strategies") for path in (root / package).rglob("*.py")]
    return {".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Everything in the tree but what stands under ``if TYPE_CHECKING``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        yield node
        yield from statements(node)


def imported(path: Path, package: str) -> Iterator[str]:
    """The names of modules, and of what is taken from them, that the file imports."""
    for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def graph(root: Path) -> Graph:
    """Which of our modules each of them imports."""
    paths = modules(root)
    found: Graph = {}
    for name, path in paths.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        candidates = (one if one in paths else one.rpartition(".")[0] for one in imported(path, package))
        found[name] = {one for one in candidates if one in paths and one != name}
    return found


def floor(module: str) -> str:
    """The floor, or what stands beside them, that a module belongs to."""
    parts = module.split(".")
    return parts[1] if parts[0] == "conformance" and len(parts) > 1 else parts[0]


def upward(found: Graph) -> set[str]:
    """The imports that the floors do not allow."""
    allowed = {name: {name, *OF_EVERYONE, *below.split()} for name, below in (FLOORS | BESIDE).items()}
    return {
        f"{one} -> {other}"
        for one, others in found.items()
        for other in others
        if floor(other) not in allowed.get(floor(one), ())
    }


def circles(found: Graph) -> list[list[str]]:
    """The groups of modules that import each other, each sorted."""
    reached: Graph = {}
    for start in found:
        seen, left = set(), [start]
        while left:
            new = found[left.pop()] - seen
            seen |= new
            left += new
        reached[start] = seen
    groups = {frozenset({one, *(o for o in seen if one in reached[o])}) for one, seen in reached.items() if one in seen}
    return sorted(map(sorted, groups))


def by_name(root: Path) -> set[str]:
    """The modules that find others by their names."""
    words = ("import_module", "__import__")
    return {
        name
        for name, path in modules(root).items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).removeprefix("importlib.") in words
    }


FOUND = graph(ROOT)


def test_each_floor_stands_above_what_it_imports():
    seen: set[str] = set()
    for name, below in FLOORS.items():
        assert set(below.split()) <= seen, f"{name} imports what does not stand below it"
        seen.add(name)


def test_every_module_belongs_to_a_floor():
    assert {floor(module) for module in FOUND} == {*FLOORS, *BESIDE}


def test_no_import_points_upward():
    assert upward(FOUND) == set()


def test_no_two_modules_import_each_other():
    assert circles(FOUND) == []


def test_only_the_finders_import_by_name():
    assert by_name(ROOT) == BY_NAME


# --- that these tests can fail ---------------------------------------------------------------------------------------

HOUSE = {
    "conformance/__init__.py": "",
    "conformance/language/__init__.py": "",
    "conformance/language/text.py": "from conformance.language import tree\n",
    "conformance/language/tree.py": "import os\n",
    "conformance/model/__init__.py": "from conformance.language import text\n",
    "conformance/run/__init__.py": "from conformance import model\n",
    "strategies/__init__.py": "from .names import letters\n",
    "strategies/names.py": "letters = 'a'\n",
}


@pytest.fixture
def house(tmp_path):
    """A function that builds a small sound house with these files changed."""

    def build(**changed):
        for name, text in {**HOUSE, **{f"{key.replace('__', '/')}.py": text for key, text in changed.items()}}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return graph(tmp_path)

    return build


def test_a_sound_house_is_sound(house):
    sound = house()
    assert upward(sound) == set() and circles(sound) == []
    assert sound["strategies"] == {"strategies.names"}


@pytest.mark.parametrize(
    "line",
    [
        "import conformance.run",
        "from conformance import run",
        "from conformance.run import judge",
        "from ..run import judge",
        "def later():\n    from conformance.run import judge",
        "try:\n    import conformance.run as other\nexcept ImportError:\n    other = None",
    ],
)
def test_an_import_that_points_upward_is_seen(house, line):
    assert upward(house(conformance__model__state=line)) == {"conformance.model.state -> conformance.run"}


def test_an_import_for_the_type_checker_alone_is_left_out(house):
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from conformance import run\n"
    assert upward(house(conformance__model__state=text)) == set()


def test_what_stands_on_no_floor_is_seen(house):
    assert upward(house(conformance__attic="import strategies")) == {"conformance.attic -> strategies"}


def test_a_circle_within_a_floor_is_seen_lazy_imports_included(house):
    found = house(conformance__language__tree="def later():\n    from conformance.language import text")
    assert upward(found) == set()
    assert circles(found) == [["conformance.language.text", "conformance.language.tree"]]


def test_an_import_by_name_is_seen(house, tmp_path):
    house(conformance__run__judge="import importlib\nimportlib.import_module('conformance.front')")
    assert by_name(tmp_path) == {"conformance.run.judge"}


# --- what a reader of reports needs ----------------------------------------------------------------------------------

HEAVY = (
    "pytest",
    "hypothesis",
    "torch",
    "strategies",
    "conformance.suite",
    "conformance.reference",
    "conformance.explain",
)


@pytest.mark.parametrize(
    "module", ["conformance.report.reading", "conformance.report.comparing", "conformance.report.page"]
)
def test_reading_a_report_loads_neither_pytest_nor_hypothesis_nor_a_framework(module):
    pytest.importorskip("jinja2")
    code = f"import sys, {module}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stdout + done.stderr


def test_the_packages_that_need_no_framework_load_none():
    names = (
        "language.blueprint",
        "language.transform",
        "model",
        "contract",
        "report.reading",
        "adapter",
        "build.execute",
    )
    code = (
        f"import sys, strategies, {', '.join(f'conformance.{name}' for name in names)}; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "False\n", done.stderr
