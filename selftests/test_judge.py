"""The one judge: every outcome, whatever a property raises, and what a recorded deviation excuses and what not."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
import unittest

import hypothesis
import pytest
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from conformance import contract
from conformance.adapter import Absent
from conformance.contract import OBSERVED, REQUIRED, Clause
from conformance.implementations.reference import Reference
from conformance.language.blueprint import NameTaken
from conformance.run.deviations import Deviation
from conformance.run.judge import UNDOCUMENTED, Case, judge
from conformance.run.profiles import profile
from conformance.run.record import DEVIATION, DIFFERS, FAILED, NOT_RUN, PASSED, SKIPPED

contract.load()
SUBJECT = Reference()
SETTINGS = hypothesis.settings(profile("ci"), database=None)


def case(function, subject=SUBJECT, device="cpu", severity=REQUIRED, needs=(), **strategies):
    """A property of its own, asked of the reference."""
    made = Clause(
        "area/of-a-test",
        "It holds.",
        severity,
        "torch.nn.Module",
        needs=needs,
        function=function,
        strategies=strategies,
    )
    return Case(made, subject, device)


def known(witness, reason="It is known.", **more):
    return Deviation("area/of-a-test", reason, "a link", SpecifierSet(), (), witness, **more)


def outcome(*arguments, **more):
    record = judge(*arguments, **more).record
    return record.outcome, record.reason


# --- each outcome --------------------------------------------------------------------------------------------------


def holds(implementation, device):
    pass


def test_what_holds_passes_and_what_cannot_be_asked_says_why():
    assert outcome(case(holds)) == (PASSED, "")
    assert outcome(case(holds, device="cuda"))[0] is NOT_RUN
    skipped, reason = outcome(case(holds, needs=("Nothing",)))
    assert skipped is SKIPPED and reason.startswith("capability Nothing: reference 1 has no Nothing")


@pytest.mark.parametrize(
    "raised, expected, reason",
    [
        (Absent("dtype.int3", "no such dtype"), SKIPPED, "capability dtype.int3: no such dtype"),
        (NameTaken("the name is taken"), SKIPPED, "the name is taken"),
        (ValueError("no value"), FAILED, "ValueError: no value"),
        (unittest.SkipTest("excuse me"), FAILED, "SkipTest: excuse me"),
        (pytest.skip.Exception("excuse me"), FAILED, "Skipped: excuse me"),
        (pytest.xfail.Exception("excuse me"), FAILED, "XFailed: excuse me"),
        (pytest.exit.Exception("good bye"), FAILED, "Exit: good bye"),
        (pytest.fail.Exception("DID NOT RAISE"), FAILED, "Failed: DID NOT RAISE"),
        (SystemExit(0), FAILED, "SystemExit: 0"),
        (GeneratorExit(), FAILED, "GeneratorExit: "),
        (BaseException("base"), FAILED, "BaseException: base"),
        (
            type("Mute", (Exception,), {"__str__": lambda self: 1 / 0})(),
            FAILED,
            "Mute: its text raises ZeroDivisionError",
        ),
        (Exception("x" * 10_000_000), FAILED, f"Exception: {'x' * 197}..."),
    ],
    ids=lambda each: type(each).__name__,
)
@pytest.mark.parametrize("draws", [{}, {"number": st.integers()}], ids=["plain", "drawn"])
def test_whatever_a_property_raises_is_an_outcome_with_a_reason(raised, expected, reason, draws):
    def raises(implementation, device, **drawn):
        raise raised

    verdict = judge(case(raises, **draws), SETTINGS)
    assert (verdict.record.outcome, verdict.record.reason) == (expected, reason)
    assert expected is SKIPPED or verdict.error is raised


def test_the_reason_shows_both_sides_of_the_comparison_that_failed():
    def compares(implementation, device, number):
        observed = [number, 1]
        assert observed == [number, 2], "they are equal"

    def plainly(implementation, device, number):
        assert [number, 1] == [number, 2]

    def otherwise(implementation, device, number):
        assert number in ()

    assert outcome(case(plainly, number=st.just(3)), SETTINGS) == (FAILED, "observed [3, 1], expected [3, 2]")
    assert outcome(case(otherwise, number=st.just(3)), SETTINGS) == (FAILED, "AssertionError: assert number in ()")
    assert outcome(case(compares, number=st.just(3)), SETTINGS)[1].startswith("AssertionError: they are equal")


def test_the_arguments_of_a_failure_are_the_smallest_that_show_it_and_one_set():
    def small(implementation, device, number, text):
        assert number < 10

    verdict = judge(case(small, number=st.integers(0, 1000), text=st.text()), SETTINGS)
    assert verdict.arguments == {"number": 10, "text": ""}


def test_what_is_only_observed_in_pytorch_is_no_failure_of_others():
    def fails(implementation, device):
        raise ValueError

    assert outcome(case(fails, severity=OBSERVED)) == (DIFFERS, UNDOCUMENTED)
    claiming = type("Claiming", (Reference,), {"contract_version": "2.13"})()
    assert outcome(case(fails, claiming, severity=OBSERVED))[0] is FAILED


# --- recorded deviations ------------------------------------------------------------------------------------------


def departs(implementation, device, number):
    """Of 0 and of 1 in different ways: 2 and more are as they should be."""
    assert number != 0
    if number == 1:
        raise ValueError("one")


def test_a_deviation_is_shown_by_its_witness_and_excuses_its_own_failure_and_no_other():
    asked = case(departs, SUBJECT, number=st.sampled_from([2, 0, 1]))
    zero, one = (dataclasses.replace(known({"number": n}), reason=f"It is {n}.") for n in (0, 1))
    verdict = judge(asked, SETTINGS, [zero])
    assert (verdict.record.outcome, verdict.record.reason, dict(verdict.arguments)) == (
        FAILED,
        "ValueError: one",
        {"number": 1},
    )
    verdict = judge(asked, SETTINGS, [one])
    assert (verdict.record.outcome, dict(verdict.arguments)) == (FAILED, {"number": 0})
    verdict = judge(asked, SETTINGS, [zero, one])
    assert (verdict.record.outcome, verdict.record.reason, verdict.record.link) == (DEVIATION, "It is 0.", "a link")
    assert dict(verdict.arguments) == {"number": 0} and type(verdict.error) is AssertionError


def test_a_witness_that_shows_nothing_any_more_fails_unless_it_is_anothers():
    asked = case(departs, number=st.just(5))
    failed, reason = outcome(asked, SETTINGS, [known({"number": 5})])
    assert failed is FAILED and reason.startswith("no longer deviates: remove the entry [area/of-a-test]")
    assert outcome(asked, SETTINGS, [known({"number": 5}, inherited=True)]) == (PASSED, "")
    elsewhere = dataclasses.replace(known({"number": 5}), devices=("cuda",))
    assert outcome(asked, SETTINGS, [elsewhere]) == (PASSED, "")


def test_what_a_witness_shows_stays_shown_where_the_rest_cannot_be_asked():
    def partly(implementation, device, number):
        if number:
            raise Absent("a.capability", "there is none")
        raise AssertionError("zero")

    asked = case(partly, number=st.just(5))
    assert outcome(asked, SETTINGS) == (SKIPPED, "capability a.capability: there is none")
    assert outcome(asked, SETTINGS, [known({"number": 0})]) == (DEVIATION, "It is known.")


def test_a_witness_on_which_the_reference_fails_too_shows_nothing():
    other = type("Other", (Reference,), {"name": "other"})()
    failed, reason = outcome(case(departs, other, number=st.just(5)), SETTINGS, [known({"number": 0})])
    assert failed is FAILED and "the reference implementation fails on it too" in reason


def test_an_excuse_without_witness_covers_whatever_fails_and_is_stale_where_nothing_does():
    asked = case(departs, number=st.sampled_from([0, 1]))
    assert outcome(asked, SETTINGS, [known(None)]) == (DEVIATION, "It is known.")
    holding = case(departs, number=st.just(5))
    assert outcome(holding, SETTINGS, [known(None)])[1].startswith("no longer deviates: remove 'area/of-a-test'")
    assert outcome(holding, SETTINGS, [known(None, inherited=True)]) == (PASSED, "")


def test_a_python_without_assertions_is_refused_in_every_front_end(tmp_path):
    calls = {
        "judge": "from conformance.run.judge import Case, judge; from conformance.contract import load; "
        "from conformance.implementations.reference import Reference; "
        "judge(Case(load()['traversal/modules-each-once'], Reference()))",
        "call": "import conformance; conformance.check_implementation('reference', clauses='printing/*')",
        "pytest": "import sys, pytest; sys.exit(pytest.main(['-p', 'conformance.plugin', '--implementation', 'reference', "
        "'--pyargs', 'conformance', '--clause', 'printing/*']))",
    }
    for name, code in calls.items():
        done = subprocess.run([sys.executable, "-O", "-c", code], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode, name
        assert "rests on assertions, which -O and PYTHONOPTIMIZE remove: run Python without them" in done.stderr, name


def test_a_person_s_ctrl_c_ends_the_run_and_an_implementation_s_own_is_its_failure():
    def interrupted(implementation, device):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)

    def raises(implementation, device):
        raise KeyboardInterrupt("not you")

    with pytest.raises(KeyboardInterrupt):
        judge(case(interrupted))
    assert outcome(case(raises)) == (FAILED, "KeyboardInterrupt: not you")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_case_ends_in_its_time_or_is_a_failure_that_says_where_it_was():
    def sleeps(implementation, device, number):
        time.sleep(60)

    def loops(implementation, device):
        while True:
            try:
                while True:
                    pass
            except BaseException:
                if time.perf_counter() > started + 3:
                    raise

    started = time.perf_counter()
    failed, reason = outcome(case(sleeps, number=st.integers()), SETTINGS, limit=0.5)
    assert failed is FAILED and reason.startswith("OutOfTime: did not end within 0.5 s, in ") and "sleeps" in reason
    assert outcome(case(loops), limit=0.5)[0] is FAILED
    assert time.perf_counter() - started < 20
    assert outcome(case(holds), limit=0.5) == (PASSED, "") and signal.getitimer(signal.ITIMER_REAL)[0] == 0
