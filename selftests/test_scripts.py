"""A failure as a script: it runs with the implementation alone, shows the failure, and is silent once that is mended."""

from __future__ import annotations

import ast
import contextlib
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

from conformance import contract, deviations, implementation, script
from conformance.check import check, obstacle
from conformance.failure import beside, kept
from conformance.implementations.reference import Reference
from conformance.profiles import profile
from conformance.script import Script, layout
from conformance.script.comparison import guarded

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
    if hasattr(clause.function, "replay"):
        clause.function(implementation=subject, device="cpu")
        return {"steps": list(contract.drawn["steps"])}
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


def entries():
    path = ROOT / "conformance/implementations/deviations/torch.toml"
    return [each for found in deviations.read(path, CLAUSES).values() for each in found]


def test_scripts_of_known_deviations_need_torch_alone_and_fail(tmp_path):
    pytest.importorskip("torch")
    subject = implementation.find("torch")
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
    subject = implementation.find(name)
    deviating = {each.clause for each in entries()} if name == "torch" else set()
    for clause in contract.checked():
        if clause.area != area or clause.id in deviating or obstacle(clause, subject, "cpu"):
            continue
        made = script.written_out(clause, subject, "cpu", examples(clause, subject))
        assert not made.observed, f"{clause.id}: {made.observed} instead of {made.expected}\n{made.text}"
        if "register_package" in made.text:
            continue  # see the next test
        with monkeypatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
            for package in ("strategies", "pytest", "hypothesis", *(["conformance"] if name == "torch" else [])):
                patch.setitem(sys.modules, package, None)
            module = types.ModuleType("__main__")
            patch.setitem(sys.modules, "__main__", module)
            with contextlib.suppress(SystemExit):  # a property may end early
                exec(compile(made.text, clause.id, "exec"), vars(module))


def test_a_script_that_registers_with_the_framework_runs_in_a_process_of_its_own(tmp_path):
    pytest.importorskip("torch")
    subject = implementation.find("torch")
    clause = CLAUSES["devices/absent-device-loads-with-map_location"]
    made = script.written_out(clause, subject, "cpu", examples(clause, subject))
    path = tmp_path / "script.py"
    path.write_text(made.text, encoding="utf-8")
    assert "register_package" in made.text
    done = isolated(path)
    assert done.returncode == 0, done.stderr


def test_an_adapter_that_says_nothing_of_scripts_has_them_all_the_same():
    silent = {"tensor_code": implementation.Implementation.tensor_code, "__module__": Reference.__module__}
    subject, clause = type("Silent", (Reference,), silent)(), CLAUSES["traversal/modules-each-once"]
    made = script.written_out(clause, subject, "cpu", examples(clause, subject))
    assert not made.observed and "from conformance import reference" in made.text
    made = script.written_out(CLAUSES["article/hooks-can-change-the-output"], subject, "cpu", {})
    assert not made.observed and "def tensor(" in made.text


def test_what_cannot_be_written_out_calls_the_property_and_says_so_first(tmp_path):
    subject = implementation.find("reference")
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
    subject, clause = implementation.find("reference"), CLAUSES["traversal/modules-each-once"]
    monkeypatch.setattr(script, "written_out", lambda *given, **more: 1 / 0)
    monkeypatch.setattr("conformance.reference.Module.modules", lambda self: iter(()))
    made = script.write(clause, subject, "cpu", examples(CLAUSES["traversal/modules-each-once"], subject))
    assert made.obstacle == "ZeroDivisionError: division by zero"
    assert made.observed.startswith("AssertionError") and made.expected == "no exception"


def test_a_script_that_shows_no_difference_is_not_handed_out_as_one():
    subject = implementation.find("reference")
    clause = CLAUSES["traversal/modules-each-once"]
    made = script.write(clause, subject, "cpu", examples(clause, subject))
    assert made.obstacle == "written out, it shows no difference"


def test_a_life_tells_its_steps(monkeypatch):
    from conformance.reference import Module

    subject = implementation.find("reference")
    clause = CLAUSES["lifecycle/every-sequence-of-edits-keeps-the-contract"]
    eval_, train = Module.eval, Module.train
    monkeypatch.setattr(Module, "train", lambda self, mode=True: train(self, True))
    settings = hypothesis.settings(profile("ci"), database=None)
    record = check(clause, subject, settings=settings, script=True)
    assert record.outcome == "failed" and eval_
    assert "train(False)" in record.script and "conformance.suite" not in record.script
    assert "False" in record.expected and record.observed


def test_a_record_holds_what_was_observed_and_expected(monkeypatch):
    from conformance.reference import Module

    monkeypatch.setattr(Module, "named_children", lambda self: iter(()))
    subject = implementation.find("reference")
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
