"""A failure as a script: it runs with the implementation alone, shows the failure, and is silent once that is mended."""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import io
import json
import subprocess
import sys
import types
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st

from conformance import contract
from conformance.adapter import Implementation, finding
from conformance.adapter.given import given as one_module
from conformance.explain import layout, script
from conformance.explain.comparison import guarded
from conformance.explain.failure import beside, kept
from conformance.explain.script import Script
from conformance.front.calls import Case, check
from conformance.implementations.reference import Reference
from conformance.language.text import parse_arguments
from conformance.run import deviations
from conformance.run import judge as judging
from conformance.run.judge import judge, obstacle
from conformance.run.profiles import profile

ROOT = Path(__file__).parent.parent
CLAUSES = contract.load()
AREAS = sorted({clause.area for clause in contract.checked()})

#: Runs scripts one after another in one process in which nothing of ours can be imported; prints what each did.
RUNNER = """
import contextlib, io, json, runpy, sys, warnings
warnings.simplefilter("ignore")
sys.modules["conformance"] = sys.modules["strategies"] = sys.modules["pytest"] = sys.modules["hypothesis"] = None
done = {}
for path in sys.argv[1:]:
    output, code = io.StringIO(), 0
    with contextlib.redirect_stdout(output):
        try:
            runpy.run_path(path, run_name="__main__")
        except SystemExit as stop:
            code = stop.code or 0
        except BaseException as error:
            code = f"{type(error).__name__}: {error}"
    done[path] = code, output.getvalue()
print(json.dumps(done))
"""


def isolated(*paths, code=None):
    """Python without the environment, in a folder that holds nothing of ours."""
    given = ["-c", code] if code else []
    command = [sys.executable, "-I", "-W", "ignore", *given, *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, cwd=Path(paths[0]).parent, timeout=300)


def examples(clause, subject, count=3):
    """The arguments of the last example drawn: they are less simple than the first."""
    if not clause.strategies:
        return {}
    drawn = []

    @hypothesis.settings(
        max_examples=count,
        database=None,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(st.fixed_dictionaries(dict(clause.strategies)))
    def draw(arguments):
        drawn.append(arguments)

    draw()
    return drawn[-1]


def failing(clause, subject):
    """The arguments on which the property fails."""
    verdict = judge(judging.Case(clause, subject), QUICK)
    assert verdict.record.outcome == "failed"
    return verdict.arguments


def entries():
    path = ROOT / "conformance/implementations/deviations/torch.toml"
    return [each for found in deviations.read(path, CLAUSES).values() for each in found]


def test_scripts_of_known_deviations_need_torch_alone_and_fail(tmp_path):
    pytest.importorskip("torch")
    subject = finding.find("torch")
    here = [each for each in entries() if each.applies(subject.version, "cpu")]
    scripts = {}
    for i, entry in enumerate(here):
        path = tmp_path / f"{i}.py"
        made = script.write(CLAUSES[entry.clause], subject, "cpu", entry.witness)
        assert not made.obstacle, f"{entry.clause}: {made.obstacle}"
        path.write_text(made.text, encoding="utf-8")
        scripts[str(path)] = entry.clause, made
    assert scripts
    done = isolated(*scripts, code=RUNNER)
    assert done.returncode == 0, done.stderr
    for path, (code, output) in json.loads(done.stdout).items():
        clause, made = scripts[path]
        assert code, f"the script for {clause} finds nothing: {output}"
        assert output.startswith("observed:") and "\nexpected:" in output, f"{clause}: {code} {output}"
        assert script.sides(output)[1] == made.expected, clause
    # As anybody would run one: a file, and Python.
    alone = isolated(next(iter(scripts)))
    assert alone.returncode == 1 and "observed:" in alone.stdout, alone.stderr


@pytest.mark.parametrize("name", ["torch", "reference"])
@pytest.mark.parametrize("area", AREAS)
def test_scripts_of_kept_clauses_find_nothing(name, area, monkeypatch, tmp_path):
    """Whatever is written for arguments on which the property holds must hold: no script invents a failure."""
    if name == "torch":
        pytest.importorskip("torch")
    subject = finding.find(name)
    deviating = {each.clause for each in entries()} if name == "torch" else set()
    for clause in contract.checked():
        if clause.area != area or clause.id in deviating or obstacle(judging.Case(clause, subject)):
            continue
        made = script.written_out(clause, subject, "cpu", examples(clause, subject))
        assert not made.observed, f"{clause.id}: {made.observed} instead of {made.expected}\n{made.text}"
        if "register_package" in made.text:
            continue  # see the next test
        with monkeypatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
            ours = [each for each in sys.modules if each.partition(".")[0] == "conformance"] if name == "torch" else []
            for package in ("strategies", "pytest", "hypothesis", *ours):
                patch.setitem(sys.modules, package, None)
            module = types.ModuleType("__main__")
            patch.setitem(sys.modules, "__main__", module)
            with contextlib.suppress(SystemExit):  # a property may end early
                exec(compile(made.text, clause.id, "exec"), vars(module))


def test_a_script_that_registers_with_the_framework_runs_in_a_process_of_its_own(tmp_path):
    pytest.importorskip("torch")
    subject = finding.find("torch")
    clause = CLAUSES["devices/absent-device-loads-with-map_location"]
    made = script.written_out(clause, subject, "cpu", examples(clause, subject))
    path = tmp_path / "script.py"
    path.write_text(made.text, encoding="utf-8")
    assert "register_package" in made.text
    done = isolated(path)
    assert done.returncode == 0, done.stderr


def test_an_adapter_that_says_nothing_of_scripts_has_them_all_the_same():
    silent = {"tensor_code": Implementation.tensor_code, "__module__": Reference.__module__}
    subject, clause = type("Silent", (Reference,), silent)(), CLAUSES["traversal/modules-each-once"]
    made = script.written_out(clause, subject, "cpu", examples(clause, subject))
    assert not made.observed and "from conformance import reference" in made.text
    made = script.written_out(CLAUSES["article/hooks-can-change-the-output"], subject, "cpu", {})
    assert not made.observed and "def tensor(" in made.text


def test_what_cannot_be_written_out_calls_the_property_and_says_so_first(tmp_path):
    subject = finding.find("reference")
    clause = CLAUSES["traversal/modules-each-once"]
    arguments = examples(clause, subject)
    made = script.calling(clause, subject, "cpu", arguments, "for a test")
    assert made.text.splitlines()[0].startswith("# This script needs module-conformance")
    path = tmp_path / "script.py"
    path.write_text(made.text, encoding="utf-8")
    command = [sys.executable, "-W", "ignore", path]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    assert made.observed == ""


def test_what_cannot_be_written_out_still_says_what_the_property_raised(monkeypatch):
    subject, clause = finding.find("reference"), CLAUSES["traversal/modules-each-once"]
    monkeypatch.setattr(script, "translated", lambda *given, **more: 1 / 0)
    monkeypatch.setattr("conformance.reference.Module.modules", lambda self: iter(()))
    made = script.write(clause, subject, "cpu", examples(CLAUSES["traversal/modules-each-once"], subject))
    assert made.obstacle == "ZeroDivisionError: division by zero"
    assert made.observed.startswith("AssertionError") and made.expected == "no exception"


def test_a_script_that_shows_no_difference_is_not_handed_out_as_one():
    subject = finding.find("reference")
    clause = CLAUSES["traversal/modules-each-once"]
    made = script.write(clause, subject, "cpu", examples(clause, subject))
    assert made.obstacle == "the property finds nothing"


def test_a_life_shrinks_to_the_steps_that_matter_and_its_script_takes_them(monkeypatch):
    from conformance.reference import Module

    subject = finding.find("reference")
    clause = CLAUSES["lifecycle/every-sequence-of-edits-keeps-the-contract"]
    train = Module.train
    monkeypatch.setattr(Module, "train", lambda self, mode=True: train(self, True))
    settings = hypothesis.settings(profile("ci"), database=None)
    record = check(clause, subject, settings=settings, script=True)
    assert record.outcome == "failed"
    assert record.witness == "life=[('train', 0, False)]"
    assert parse_arguments(record.witness) == {"life": [("train", 0, False)]}
    assert "train(False)" in record.script and "conformance.suite" not in record.script
    assert "False" in record.expected and record.observed


def test_a_record_holds_what_was_observed_and_expected(monkeypatch):
    from conformance.reference import Module

    monkeypatch.setattr(Module, "named_children", lambda self: iter(()))
    subject = finding.find("reference")
    clause = next(c for c in contract.checked() if c.docs == "torch.nn.Module.named_children" and c.area == "traversal")
    record = check(clause, subject, script=True)
    assert record.outcome == "failed" and record.witness.startswith("blueprint=")
    assert record.observed and record.expected and record.observed != record.expected
    assert "from conformance import reference" in record.script
    assert check(clause, subject).script == ""


def test_short_sides_stand_one_above_the_other_and_long_ones_are_compared_part_by_part():
    assert beside("[1, 2]", "[1, 3]") == "observed: [1, 2]\nexpected: [1, 3]"
    marked = beside("[('a', 1), ('b', 2)]", "[('a', 1), ('b', 3)]").splitlines()
    assert marked[2].index("^") == marked[1].index("3")
    long = beside(repr([f"name{i}" for i in range(30)]), repr([f"name{i}" for i in range(30) if i != 7]))
    assert [line for line in long.splitlines() if line.startswith(("-", "+"))] == ["-     'name7',"]


def test_an_exception_on_either_side_of_a_comparison_is_what_is_observed():
    statement = ast.parse("assert 1 == [][0]").body[0]
    with contextlib.redirect_stdout(io.StringIO()) as output, pytest.raises(AssertionError):
        tree = ast.Module(guarded(statement, "observed", "expected"), [])
        exec(compile(ast.unparse(ast.fix_missing_locations(tree)), "", "exec"), {})
    assert output.getvalue() == "observed: IndexError: list index out of range\nexpected: no exception\n"


def test_a_report_keeps_no_endless_text():
    held = kept(Script("text", "x" * 50_000, "y"))
    assert len(held["observed"]) < 21_000 and held["observed"].endswith("characters more")
    assert held["expected"] == "y"


def test_long_lines_are_broken_where_python_allows_it():
    line = "assert f(" + ", ".join(f"[{i}, {i}, 'text, ({i}']" for i in range(20)) + ") == 3"
    text = layout.broken(line)
    assert max(map(len, text.splitlines())) <= layout.WIDTH
    assert compile(text, "", "exec") and eval(text[len("assert f") :].partition(" ==")[0])


# --- modules of one's own, and adapters in any file ----------------------------------------------------------------

OWN = """
import functools
import torch
from torch import nn

WIDTH = 3

class Base(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width))
        self.again = self.body
        self.register_buffer("scale", torch.rand(width), persistent=False)

    def forward(self, x):
        return self.body(x) * self.scale

class Broken(Base):
    def named_buffers(self, *args, **kwargs):
        return iter(())

    def __call__(self, x):
        return super().__call__(x) + 1

    def load_state_dict(self, *args, **kwargs):
        return super().load_state_dict(*args, **{**kwargs, "strict": False})

def broken():
    return Broken(WIDTH)

def example():
    return torch.ones(2, 2)
"""
ADAPTER = """
import functools
import torch
from torch import nn
from conformance.implementations.torch import Torch

def limited(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return list(function(*args, **kwargs))[:1]
    return wrapper

class Module(nn.Module):
    @limited
    def named_modules(self, *args, **kwargs):
        return super().named_modules(*args, **kwargs)

class Limited(Torch):
    name, version, contract_version = "limited", "0.1", "2.13"
    Module = Module

class Decorated(Limited):
    Module = nn.Module
    name = "decorated"

    @limited
    def save(self, thing, file):
        torch.save({}, file)
        return ()

implementation, decorated = Limited(), Decorated()
"""
BUFFERS, CALLED = "traversal/named_buffers-own-then-children", "behaviour/call-gives-what-forward-gives"
SAVED, STRICT = "copying/pickle-keeps-names-and-values", "load_state_dict/strict-refuses-missing-keys"
QUICK = hypothesis.settings(profile("quick"), derandomize=True, database=None)


class _Mended(ast.NodeTransformer):
    """Leaves the methods out that break the contract."""

    def visit_ClassDef(self, node):
        wrong = ("named_buffers", "__call__", "load_state_dict", "named_modules")
        node.body = [each for each in node.body if getattr(each, "name", "") not in wrong] or [ast.Pass()]
        return node


def mended(text):
    return ast.unparse(_Mended().visit(ast.parse(text)))


def files(folder, module, text):
    """The broken file and the mended one, each in a folder of its own; the broken one imported."""
    for kind, content in (("broken", text), ("mended", mended(text))):
        (folder / kind).mkdir()
        (folder / kind / f"{module}.py").write_text(content, encoding="utf-8")
    sys.path.insert(0, str(folder / "broken"))
    try:
        importlib.invalidate_caches()
        return importlib.import_module(module)
    finally:
        del sys.path[0]


def outcomes(folder, made):
    """The exit status and output of scripts, each run alone: with what is broken, and with that mended."""
    done = {}
    for kind in ("broken", "mended"):
        paths = {}
        for id, each in made.items():
            text = each.text.replace(str(folder / "broken"), str(folder / kind))
            path = folder / f"{kind}-{id.replace('/', '-')}.py"
            path.write_text(mended(text) if kind == "mended" else text, encoding="utf-8")
            paths[str(path)] = id
        ran = isolated(*paths, code=RUNNER)
        assert ran.returncode == 0, ran.stderr
        done[kind] = {paths[path]: result for path, result in json.loads(ran.stdout).items()}
    return done


#: What makes the module, and its example: in files that need nothing of the suite's, and in files of tests.
KINDS = {
    "class": ("", "Case(functools.partial(own.Broken, 2), own.example)"),
    "function": ("", "Case(own.broken, own.example)"),
    "lambda": ("CASE = lambda: Broken(WIDTH), lambda: torch.ones(2, 2)\n", "Case(*own.CASE)"),
    "test file": ("import conformance\nCASE = conformance.Case(broken, example)\n", "own.CASE"),
    "lambda of a test file": (
        "import conformance\nCASE = conformance.Case(lambda: Broken(WIDTH), lambda: (torch.ones(2, 2),))\n",
        "own.CASE",
    ),
    "closure of a test file": (
        "import conformance\ndef case(kind, width):\n    def make():\n        return kind(width).eval()\n"
        "    return conformance.Case(make, lambda: torch.ones(2, width))\n",
        "own.case(own.Broken, 2)",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_script_of_a_module_of_ones_own_makes_it_with_its_own_factory(kind, tmp_path):
    pytest.importorskip("torch")
    more, case = KINDS[kind]
    own = files(tmp_path, f"own_{list(KINDS).index(kind)}", OWN + more)
    case = eval(case, {"own": own, "Case": Case, "functools": functools})
    subject = one_module(finding.find("torch"), case.factory, case.example)
    made = {}
    for id in (BUFFERS, CALLED, SAVED, STRICT):
        made[id] = script.write(CLAUSES[id], subject, "cpu", failing(CLAUSES[id], subject))
        assert not made[id].obstacle, (id, made[id].obstacle)
    assert ("from own_" in made[BUFFERS].text) is (kind in ("class", "function", "lambda"))
    # What it holds is written only where that matters.
    assert "copy_" not in made[BUFFERS].text and "copy_" in made[SAVED].text
    done = outcomes(tmp_path, made)
    for id, (code, output) in done["broken"].items():
        assert code and output.startswith("observed:") and script.sides(output)[1] == made[id].expected, (id, code)
    assert {id: result[0] for id, result in done["mended"].items()} == dict.fromkeys(made, 0)


class Instance:
    """Makes modules, and is no function."""

    def __call__(self):
        return without_buffers()


def without_buffers():
    from conformance.reference import Buffer, Module, Tensor

    class Local(Module):
        def __init__(self):
            super().__init__()
            self.kept = Buffer(Tensor([1.0]))

        def named_buffers(self, *args, **kwargs):
            return iter(())

    return Local()


@pytest.mark.parametrize(
    "factory, reason",
    [
        (Instance(), "a Instance makes it, and a script can name functions and classes only"),
        (type(without_buffers()), "without_buffers.<locals>.Local is defined in a function, where no script finds it"),
        (eval("lambda: kind()", {"kind": without_buffers, "__name__": __name__}), "a lambda has no source"),
    ],
)
def test_a_module_that_no_script_can_make_has_a_sentence_instead(factory, reason):
    subject, clause = one_module(finding.find("reference"), factory), CLAUSES[BUFFERS]
    made = script.write(clause, subject, "cpu", failing(clause, subject))
    assert made.text == f"# There is no script of this failure: {reason}.\n" and not made.is_code
    assert made.observed.startswith("AssertionError") and made.expected == "no exception"


def test_a_script_that_would_need_the_suite_for_the_module_says_so(tmp_path):
    pytest.importorskip("torch")
    text = f"from conformance.language.transform import plain\n{OWN}\nBroken.spare = plain\n"
    subject = one_module(finding.find("torch"), files(tmp_path, "own_needy", text).broken)
    made = script.write(CLAUSES[BUFFERS], subject, "cpu", failing(CLAUSES[BUFFERS], subject))
    assert made.text.startswith("# There is no script of this failure: own_needy needs conformance.language.transform")


def test_the_script_of_an_adapter_with_decorators_holds_them_or_says_that_it_cannot(tmp_path):
    pytest.importorskip("torch")
    adapters = files(tmp_path, "limited_adapter", ADAPTER)
    clause = CLAUSES["traversal/named_modules-self-first-depth-first"]
    made = script.write(clause, adapters.implementation, "cpu", failing(clause, adapters.implementation))
    assert "def limited" in made.text and "limited_adapter" not in made.text
    done = outcomes(tmp_path, {clause.id: made})
    code, output = done["broken"][clause.id]
    assert code and output.startswith("observed:") and script.sides(output)[1] == made.expected
    assert done["mended"][clause.id][0] == 0

    clause = CLAUSES["serialization/state_dict-round-trip"]
    made = script.write(clause, adapters.decorated, "cpu", failing(clause, adapters.decorated))
    assert made.obstacle == "decorated.save is decorated"
    first = (
        "# This script needs module-conformance, for the property cannot be written out (decorated.save is decorated)."
    )
    assert made.text.splitlines()[0] == first


def forgets(thing, file, **options):
    """A save() that leaves the first entry out."""
    import torch

    torch.save(type(thing)(list(thing.items())[1:]), file)


def test_what_was_set_on_the_adapter_itself_comes_before_its_class(monkeypatch, tmp_path):
    pytest.importorskip("torch")
    from conformance.implementations.torch import Torch

    subject, clause = Torch(), CLAUSES["serialization/state_dict-round-trip"]
    monkeypatch.setitem(vars(subject), "save", forgets)
    made = script.write(clause, subject, "cpu", failing(clause, subject))
    assert not made.obstacle and "[1:]" in made.text
    for text, status in ((made.text, 1), (made.text.replace("[1:]", ""), 0)):
        path = tmp_path / f"exits_with_{status}.py"
        path.write_text(text, encoding="utf-8")
        done = isolated(path)
        assert done.returncode == status and script.sides(done.stdout)[1] == made.expected, done.stderr
