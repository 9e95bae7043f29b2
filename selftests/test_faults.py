"""Every property can fail: each fault is caught by the properties that it names, and each property catches one."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import Phase

from conformance import contract
from conformance.adapter import finding
from conformance.explain import script
from conformance.front.calls import check
from conformance.run.judge import Case, judge
from conformance.run.profiles import profile
from selftests import faults, mended

contract.load()
faults.load()

#: Faults that sit in rare places get more examples than a default run; nothing is shrunk, since only the outcome counts.
SETTINGS = hypothesis.settings(profile("ci"), max_examples=60, phases=(Phase.explicit, Phase.generate), database=None)


#: Faults of which a script shows nothing, and why. This list may only shrink.
NOT_SHOWN = {
    "forward_called_directly_runs_hooks": "it is planted in the adapter's own class Chain, of which a script has its own",
}


#: Faults that draw: their script need not compare what the property did.
RANDOM = {"dropout_ignores_evaluation_mode", "the_first_call_makes_new_parameters"}


#: Of each clause the fault whose script is looked at.
FIRST = {clause: fault.name for fault in reversed(faults.FAULTS) for clause in fault.catches}


@pytest.mark.parametrize(
    "fault, clause",
    [pytest.param(fault, clause, id=f"{fault.name}-{clause}") for fault in faults.FAULTS for clause in fault.catches],
)
def test_the_property_catches_the_fault(fault, clause, monkeypatch):
    if fault.target == "torch":
        pytest.importorskip("torch")
    subject = finding.find(fault.target)
    with monkeypatch.context() as patch:
        fault.plant(patch)
        verdict = judge(Case(contract.CLAUSES[clause], subject), SETTINGS)
        outcome = verdict.record.outcome
        assert outcome in ("failed", "differs"), f"{fault.name} was not caught by {clause}: {verdict.record}"
        if FIRST[clause] != fault.name or fault.name in RANDOM:
            return
        patch.setattr(script, "LONGEST", 10**6)  # nothing was shrunk
        shown = script.write(contract.CLAUSES[clause], subject, "cpu", verdict.arguments)
    assert bool(shown.obstacle) == (fault.name in NOT_SHOWN), f"a script of {fault.name}: {shown.obstacle}"
    assert shown.observed, f"a script of {fault.name} does not say what was observed"


#: Clauses that need what the reference lacks and that PyTorch departs from: its deviation is the proof.
PROVED_BY_PYTORCH = {
    "extra_state/of-a-lazy-module",
    "functional_call/equal-tensors-for-tied-names",
    "functional_call/in-place-changes-reach-each-dictionary",
    "functional_call/names-of-a-shared-module-put-back",
    "functional_call/some-of-the-tied-names-given",
    "lazy/buffers-are-copied",
    "lazy/copies-keep-the-dtype",
    "lazy/functional_call-leaves-it-usable",
    "lazy/part-of-a-state-initialises-that-part",
    "lazy/stays-lazy-on-another-device",
    "lazy/uninitialised-state-in-a-file",
    "parametrize/cached-values-of-a-copy-are-its-own",
    "parametrize/frozen-parameter-stays-a-parameter",
    "parametrize/refused-registration-keeps-the-value",
    "parametrize/registration-on-a-copy",
    "parametrize/removal-from-a-copy",
    "parametrize/removal-keeps-persistence",
}


def test_every_property_has_a_fault_but_those_that_pytorch_itself_fails():
    checked = {clause.id for clause in contract.checked()}
    assert checked - set(FIRST) == PROVED_BY_PYTORCH
    assert set(FIRST) <= checked, "a fault names a clause that is not there"


def test_no_two_faults_have_one_name():
    names = [fault.name for fault in faults.FAULTS]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize(
    "clause", sorted({clause for fault in faults.FAULTS if fault.target == "torch" for clause in fault.catches})
)
def test_pytorch_keeps_the_clause_where_a_fault_is_planted_in_it(clause):
    pytest.importorskip("torch")
    assert check(contract.CLAUSES[clause], finding.find("torch")).outcome == "passed"


def test_the_property_about_lazy_modules_passes_once_pytorch_is_mended(monkeypatch):
    """PyTorch departs from this clause and the reference has no lazy modules: a mended PyTorch shows that it can pass."""
    lazy = pytest.importorskip("torch.nn.modules.lazy").LazyModuleMixin
    clause, subject = contract.CLAUSES["extra_state/of-a-lazy-module"], finding.find("torch")
    assert check(clause, subject, settings=SETTINGS).outcome == "failed"
    save = lazy._save_to_state_dict

    def mended(self, destination, prefix, keep_vars):
        save(self, destination, prefix, keep_vars)
        destination[f"{prefix}_extra_state"] = self.get_extra_state()

    monkeypatch.setattr(lazy, "_save_to_state_dict", mended)
    assert check(clause, subject, settings=SETTINGS).outcome == "passed"


@pytest.mark.parametrize("clause", sorted(id for id in PROVED_BY_PYTORCH if id.partition("/")[0] in mended.MENDED))
def test_what_pytorch_departs_from_passes_once_pytorch_is_mended(clause, monkeypatch):
    pytest.importorskip("torch")
    mended.MENDED[clause.partition("/")[0]](monkeypatch)
    assert check(contract.CLAUSES[clause], finding.find("torch"), settings=SETTINGS).outcome == "passed"
