"""The front ends give one verdict: pytest with an implementation, the plain calls, and one's own parametrized test."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import subprocess
import sys

import hypothesis
import pytest

import conformance
from conformance import contract
from conformance.adapter import finding
from conformance.adapter.absence import AdapterError
from conformance.adapter.given import exact, given
from conformance.contract import ContractError
from conformance.front.calls import selected
from conformance.reference import BatchNorm1d, Buffer, Linear, Module, Parameter, Sequential, Tensor
from conformance.run import deviations
from conformance.run import judge as judging
from conformance.run.judge import judge
from conformance.run.profiles import profile
from selftests import forking

AREA = "traversal/*"


#: What is recorded: of shy, a deviation that shows and one that does not; of drawing, one that only its witness shows.
KNOWN = {
    "shy": """
["traversal/apply-children-first"]
reason = "apply() returns nothing."
link = "not reported that we found"
witness = "blueprint=Module()"

["traversal/named_children-immediate-in-order"]
reason = "It was otherwise once."
link = "not reported that we found"
witness = "blueprint=Module()"
""",
    "drawing": """
["traversal/apply-children-first"]
reason = "apply() returns nothing."
link = "not reported that we found"
witness = "blueprint=Module()"
""",
}
#: The outcomes that each of the seams must show, so that the comparison is one of something.
SEAMS = {
    "shy": {"passed", "failed", "deviation"},
    "raises": {"passed", "failed"},
    "narrow": {"passed", "failed"},
    "claiming": {"passed", "failed", "skipped"},
    "drawing": {"passed", "failed", "deviation"},
    "taken": {"skipped"},
    "declining": {"passed", "failed", "skipped"},
    "heir": {"passed", "failed"},
}


@pytest.mark.parametrize("seam", SEAMS)
def test_pytest_the_plain_call_and_the_judge_give_the_same_records(seam, pytester, tmp_path):
    subject, clauses = finding.find(f"selftests.seams:{seam}"), contract.load()
    known = tmp_path / "known.toml"
    known.write_text(KNOWN.get(seam, ""))
    done = forking.runpytest(
        pytester,
        *("-p", "conformance.plugin", "-p", "no:cacheprovider", "--pyargs", "conformance.suite.traversal"),
        *("--implementation", f"selftests.seams:{seam}", "--profile", "ci", "--device", "cpu", "--clause", AREA),
        *("--deviations", str(known), "--report", "report.jsonl"),
    )
    assert (pytester.path / "report.jsonl").is_file(), done.outlines[-20:] + done.errlines[-20:]
    lines = [json.loads(line) for line in (pytester.path / "report.jsonl").read_text().splitlines()]
    by_pytest = {line["clause"]: line for line in lines if line["kind"] == "record" and line["device"]}

    entries = deviations.read(known, clauses)
    records = conformance.check_implementation(subject, clauses=AREA, deviations=entries)
    by_call = {record.clause: record for record in records}

    assert list(by_pytest) == list(by_call)
    for id, record in by_call.items():
        for field in {field.name for field in dataclasses.fields(record)} - {"clause", "seconds"}:
            # A failure may show the address of an object.
            one, other = (re.sub(r"0x[0-9a-f]+", "0x", each) for each in (by_pytest[id][field], getattr(record, field)))
            assert one == other, (id, field)
    assert SEAMS[seam] <= {record.outcome for record in by_call.values()}

    settings = hypothesis.settings(profile("ci"), database=None)
    for id in list(by_call)[::4]:
        judged = judge(judging.Case(clauses[id], subject), settings, entries.get(id, ())).record
        assert (judged.outcome, judged.reason) == (by_call[id].outcome, by_call[id].reason)


def test_the_plain_call_knows_what_is_recorded_beside_the_adapter():
    pytest.importorskip("torch")
    clause = "module_list/insert-before-a-negative-index"
    (known,) = conformance.check_implementation("torch", clauses=clause, profile="quick")
    (asked,) = conformance.check_implementation("torch", clauses=clause, profile="quick", deviations={})
    assert (known.outcome, asked.outcome) == ("deviation", "failed")


def test_patterns_select_clauses_in_the_order_of_the_suite():
    chosen = [clause.id for clause in selected(["traversal/*", "modes/train*"])]
    assert chosen == [c.id for c in contract.checked() if c.id.startswith(("traversal/", "modes/train"))]
    with pytest.raises(ContractError, match="no clause matches 'nothing/\\*'"):
        selected(["traversal/*", "nothing/*"])


# --- modules of one's own ----------------------------------------------------------------------------------------


class Net(Module):
    """A good citizen: nested, tied, with both kinds of buffers."""

    def __init__(self):
        super().__init__()
        self.body = Sequential(Linear(2, 3), BatchNorm1d(3))
        self.again = self.body
        self.scale = Parameter(Tensor([1.5]))
        self.kept = Buffer(Tensor([1, 2], "int64"))
        self.cache = Buffer(Tensor([0.25]), persistent=False)

    def forward(self, x):
        return self.body(x) * self.scale


class HidesTheBias(Linear):
    """named_parameters() leaves the bias out."""

    def named_parameters(self, *args, **kwargs):
        return (pair for pair in super().named_parameters(*args, **kwargs) if not pair[0].endswith("bias"))


class StaysInTraining(Net):
    """train() does not reach the children."""

    def train(self, mode=True):
        if isinstance(mode, bool):
            self.training = mode
            return self
        raise ValueError("training mode is expected to be boolean")


class ForgetsItsMode(Net):
    """eval() returns nothing."""

    def eval(self):
        super().eval()


class SavesLess(Net):
    """state_dict() drops a parameter."""

    def state_dict(self, *args, **kwargs):
        state = super().state_dict(*args, **kwargs)
        state.pop(f"{kwargs.get('prefix', '')}scale", None)
        return state


class LoadsAnything(Net):
    """load_state_dict() is never strict."""

    def load_state_dict(self, state_dict, strict=True, assign=False):
        return super().load_state_dict(state_dict, strict=False, assign=assign)


class SkipsHooks(Net):
    """A call runs forward and nothing else."""

    def __call__(self, *args):
        return self.forward(*args)


class DoublesItsCalls(Net):
    """A call gives twice what forward gives."""

    def __call__(self, x):
        return super().__call__(x) * 2.0


class CountsLooks(Net):
    """What it computes depends on how often its state was asked for."""

    looks = 1

    def state_dict(self, *args, **kwargs):
        self.looks += 1
        return super().state_dict(*args, **kwargs)

    def forward(self, x):
        return super().forward(x) * float(self.looks)


class KeepsItsGradients(Net):
    """zero_grad() does nothing."""

    def zero_grad(self, set_to_none=True):
        pass


class KeepsLearning(Net):
    """requires_grad_() forgets what is below its children."""

    def requires_grad_(self, requires_grad=True):
        for parameter in self.parameters(recurse=False):
            parameter.requires_grad_(requires_grad)
        return self


WRONG = {
    HidesTheBias: ("traversal/named_parameters-own-then-children", "modes/requires_grad_-sets-every-parameter"),
    StaysInTraining: ("modes/train-reaches-every-descendant", "modes/eval-is-train-false"),
    ForgetsItsMode: ("modes/train-returns-self",),
    SavesLess: ("state_dict/parameters-and-persistent-buffers", "behaviour/state-carries-the-computation"),
    LoadsAnything: ("load_state_dict/strict-refuses-missing-keys", "load_state_dict/strict-refuses-unexpected-keys"),
    SkipsHooks: ("behaviour/pre_hook-before-and-hook-after-forward",),
    DoublesItsCalls: ("behaviour/call-gives-what-forward-gives",),
    CountsLooks: ("behaviour/looking-changes-nothing",),
    KeepsItsGradients: ("behaviour/zero_grad-forgets-the-backward-pass",),
    KeepsLearning: ("modes/requires_grad_-sets-every-parameter", "behaviour/frozen-module-gets-no-gradients"),
}


def example():
    return Tensor([[1.0, -0.5], [0.25, 2.0]])


def check(factory, **options):
    return conformance.check_module(factory, implementation="reference", **options)


def test_a_module_that_keeps_the_contract_passes_every_clause_that_makes_sense_for_it():
    records = check(Net, example=example)
    assert [record for record in records if record.outcome not in ("passed", "skipped")] == []
    assert sum(record.outcome == "passed" for record in records) >= 140
    assert len(records) == len(list(contract.checked()))


@pytest.mark.parametrize("wrong, caught", WRONG.items(), ids=lambda each: getattr(each, "__name__", ""))
def test_a_module_that_breaks_the_contract_is_caught_by_the_clause_that_it_breaks(wrong, caught):
    factory = (lambda: wrong(2, 3)) if wrong is HidesTheBias else wrong
    outcomes = {record.clause: record.outcome for record in check(factory, example=example, clauses=caught)}
    assert outcomes == dict.fromkeys(caught, "failed")


def test_without_an_example_the_module_is_not_called():
    records = check(Net, clauses="behaviour/*")
    assert {record.outcome for record in records} == {"skipped"}
    assert {record.reason for record in records} == {"capability example: no example of an input was given for Net"}


def test_where_the_framework_departs_itself_the_module_is_not_blamed():
    torch = pytest.importorskip("torch")
    records = conformance.check_module(
        lambda: torch.nn.Linear(2, 2), clauses="serialization/pickle_protocol-by-default"
    )
    assert [record.outcome for record in records] == ["deviation"]
    assert records[0].link.startswith("https://") or records[0].link == "not reported that we found"


class CountsItsCalls(Net):
    """What it computes depends on how often it was called, which is nowhere in its state, and nobody forbids that."""

    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x) * float(self.calls)


def test_a_module_that_does_not_repeat_itself_is_not_asked_what_compares_results():
    outcomes = {record.clause: record.outcome for record in check(CountsItsCalls, example=example)}
    assert "failed" not in outcomes.values()
    assert outcomes["behaviour/call-gives-what-forward-gives"] == "skipped"
    assert outcomes["hooks_forward/hook-replaces-output"] == "passed"


def test_an_example_that_the_module_cannot_take_is_refused():
    for wrong in (lambda: Tensor([[1.0]]), 5):
        with pytest.raises(AdapterError, match="Net cannot be called with the example: "):
            check(Net, example=wrong)


@pytest.mark.parametrize("option", [{"devices": "tpu"}, {"devices": ["cpu", "tpu"]}, {"profile": "tpu"}])
def test_a_device_or_profile_that_does_not_exist_is_refused(option):
    with pytest.raises(ValueError, match="unknown .* 'tpu': give one of "):
        check(Net, **option)


def test_one_device_may_be_given_by_its_name():
    clauses = "traversal/modules-each-once"
    assert check(Net, clauses=clauses, devices="cpu")[0].outcome == "passed"


CHILD = Linear(2, 2)


@pytest.mark.parametrize(
    "factory, sentence",
    [
        (lambda: 3, "made a int, which is no Module"),
        (lambda: CHILD, "two modules of the factory share 'everything'; make new ones"),
        (lambda: Sequential(CHILD), "two modules of the factory share '0'; make new ones"),
        (lambda sizes=[1, 2, 3, 4, 5, 6]: Linear(sizes.pop(), 2), "makes another structure each time"),
        (lambda: Linear(200, 200), "holds more than 20000 numbers; give a smaller configuration"),
    ],
)
def test_a_factory_that_cannot_be_used_is_refused_with_a_sentence(factory, sentence):
    with pytest.raises(AdapterError, match=sentence):
        check(factory)


def holding(dtype):
    torch = pytest.importorskip("torch")

    def make():
        module = torch.nn.Linear(2, 2)
        module.register_buffer("kept", torch.tensor([0, 1, 1]).to(getattr(torch, dtype)))
        return module

    return make


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint8"])
def test_integers_of_any_width_can_be_asked_about(dtype):
    records = conformance.check_module(holding(dtype), example=lambda: holding(dtype)().weight.detach())
    assert {record.outcome for record in records} == {"passed", "skipped", "deviation"}


@pytest.mark.parametrize("dtype", ["complex128", "float8_e4m3fn"])
def test_a_dtype_that_no_clause_speaks_of_is_refused_with_a_sentence(dtype):
    with pytest.raises(AdapterError, match=f"the buffer 'kept' is of {dtype}, of which no clause speaks"):
        conformance.check_module(holding(dtype))


def test_a_module_that_holds_itself_cannot_be_described():
    def knot():
        module = Module()
        module.child = Module()
        module.child.parent = module
        return module

    with pytest.raises(AdapterError, match="cannot be described"):
        check(knot)


def test_what_is_described_is_what_the_module_holds():
    subject = finding.find("reference")
    made = given(subject, Net)
    held = made.described
    assert [name for name, _ in held.members] == ["scale", "kept", "cache", "body", "again"]
    assert repr(held.at("again")) == "Shared('body')"
    assert held.at("kept").flat == (1, 2) and held.at("cache").persistent is False
    built = made.build(held)
    assert built.readings() == built.expected_readings()


@pytest.mark.parametrize("value", [0.1, -3.7, 1e-3, 300.3, 6e4, 1e-7])
def test_recorded_numbers_are_exact_in_every_floating_point_dtype(value):
    torch = pytest.importorskip("torch")
    number = exact(value)
    assert number == pytest.approx(value, rel=2**-8, abs=2**-14)
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        assert torch.tensor(number, dtype=dtype).item() == number


# --- one's own pytest --------------------------------------------------------------------------------------------

OWN = """
import conformance
from conformance import Case
from selftests.test_front_ends import HidesTheBias, Net, SavesLess, example

SAVED = "state_dict/parameters-and-persistent-buffers"

@conformance.parametrize_with_clauses(
    [
        Net,
        Case(Net, example=example, name="with_example"),
        Case(lambda: HidesTheBias(2, 2), name="hides"),
        Case(SavesLess, known={SAVED: "the scale is derived"}),
        Case(Net, known={SAVED: "not so"}, name="stale"),
    ],
    implementation="reference",
    clauses=[SAVED, "traversal/named_parameters-own-then-children", "behaviour/call-gives*", "module_list/*"],
)
def test_contract(check):
    check()
"""


def test_a_parametrized_test_has_a_case_for_each_clause_that_makes_sense(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", __file__.rpartition("/selftests/")[0])
    pytester.makepyfile(test_own=OWN)
    result = pytester.runpytest_subprocess("-v", "--strict-markers", "-p", "no:cacheprovider")
    outcomes = result.parseoutcomes()
    assert outcomes == {"passed": 8, "failed": 2, "skipped": 4, "xfailed": 1}
    result.stdout.fnmatch_lines_random(
        [
            "*::test_contract[[]with_example-behaviour/call-gives-what-forward-gives-cpu[]] PASSED*",
            "*::test_contract[[]SavesLess-state_dict/parameters-and-persistent-buffers-cpu[]] XFAIL*",
            "*no longer deviates: remove 'state_dict/parameters-and-persistent-buffers' from what the case is known for",
            "*hides: *",
            "*traversal/named_parameters-own-then-children (required)",
            "E * module = HidesTheBias(2, 2)",
            "E * again: python -m pytest 'test_own.py::test_contract[[]hides-traversal/named_parameters-own*-cpu[]]'",
        ]
    )
    # What a case is known for needs no witness.
    result.stdout.no_fnmatch_line("*as a deviation: witness*")


def test_a_failure_of_a_module_that_no_script_can_make_says_why(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", __file__.rpartition("/selftests/")[0])
    own = OWN.replace("lambda: HidesTheBias(2, 2)", "(lambda wrong=HidesTheBias: wrong(2, 2))")
    pytester.makepyfile(test_own=own)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-k", "hides and named_parameters")
    result.stdout.fnmatch_lines(["E * There is no script of this failure: <lambda> has parameters or a decorator."])
    result.stdout.no_fnmatch_line("*as a script*")


ALONE = """
import conformance
import torch

class Quiet(torch.nn.Linear):
    def named_parameters(self, *args, **kwargs):
        return iter(())

@conformance.parametrize_with_clauses([conformance.Case(lambda: Quiet(2, 2), name="quiet")], clauses="traversal/parameters-*")
def test_contract(check):
    check()
"""


def test_the_script_that_pytest_shows_runs_where_the_suite_is_not(pytester, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setenv("PYTHONPATH", __file__.rpartition("/selftests/")[0])
    pytester.makepyfile(test_alone=ALONE)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    lines = [line.removeprefix("E").removeprefix("       ") for line in result.outlines if line.startswith("E")]
    start = next(i for i, line in enumerate(lines) if line.startswith("----- as a script"))
    shown = lines[start + 1 : lines.index("-" * 66)]
    text = "\n".join(shown)
    assert "class Quiet(torch.nn.Linear):" in text and "conformance" not in text
    kept = text.replace("def named_parameters", "def other")
    for name, content, status in (("broken", text, 1), ("mended", kept, 0)):
        path = pytester.path / f"{name}.py"
        path.write_text(content)
        code = (
            f"import runpy, sys; sys.modules['conformance'] = None; runpy.run_path({str(path)!r}, run_name='__main__')"
        )
        done = pytester.run(sys.executable, "-I", "-W", "ignore", "-c", code)
        assert done.ret == status
        done.stdout.fnmatch_lines(["observed: *", "expected: *"])


def test_a_case_that_is_known_for_no_clause_is_refused():
    with pytest.raises(ContractError, match="known names 'state_dict/nothing', which is no clause"):
        check(conformance.Case(Net, known={"state_dict/nothing": "x"}))


# --- scripts of their failures -----------------------------------------------------------------------------------

MINE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x):
        return self.layer(x)

    def named_parameters(self, *args, **kwargs):
        return iter(list(super().named_parameters(*args, **kwargs))[:KEPT])

    def __call__(self, x):
        return TIMES * super().__call__(x)

def example():
    return torch.ones(1, 2)
"""
WITHOUT_US = "import sys\nfor name in ('conformance', 'strategies'): sys.modules[name] = None\n"
BROKEN_NET, MENDED_NET = (
    MINE.replace("KEPT", "1").replace("TIMES", "2"),
    MINE.replace("KEPT", "9").replace("TIMES", "1"),
)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A file of one's own with a broken module in it."""
    pytest.importorskip("torch")
    (tmp_path / "mine_to_check.py").write_text(BROKEN_NET)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine_to_check", raising=False)
    return importlib.import_module("mine_to_check")


def test_the_script_of_ones_own_module_needs_that_module_alone(mine, tmp_path):
    ids = ["traversal/named_parameters-own-then-children", "behaviour/call-gives-what-forward-gives"]
    records = conformance.check_module(mine.Net, example=mine.example, clauses=ids)
    assert [record.outcome for record in records] == ["failed", "failed"]
    for record in records:
        assert record.observed != record.expected and record.reason.startswith("observed ")
        assert "conformance" not in record.script
        for text, status in ((BROKEN_NET, 1), (MENDED_NET, 0)):
            (tmp_path / "mine_to_check.py").write_text(text)
            ran = [sys.executable, "-B", "-c", WITHOUT_US + record.script]
            done = subprocess.run(ran, capture_output=True, text=True, cwd=tmp_path)
            assert done.returncode == status, done.stderr
            assert status == 0 or "\nexpected: " in done.stdout
        (tmp_path / "mine_to_check.py").write_text(BROKEN_NET)
