"""The front ends besides ``pytest --implementation``: plain calls that return records, and one's own pytest tests."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import hypothesis
import pytest
from packaging.specifiers import SpecifierSet

from conformance import contract
from conformance.adapter.finding import find
from conformance.adapter.given import Factory, given, name_of
from conformance.adapter.lens import seen
from conformance.adapter.port import Implementation
from conformance.contract import Clause, ContractError, selected
from conformance.explain import failure
from conformance.front.settle import settle
from conformance.run import judge as run
from conformance.run.deviations import Deviation
from conformance.run.deviations import devices as known_devices
from conformance.run.deviations import of as recorded
from conformance.run.profiles import profile
from conformance.run.record import FAILED, Record


class ClauseFailure(AssertionError):
    """A module departs from a clause; the message is what a failure shows, the cause is where it showed."""


@dataclass(frozen=True)
class Case:
    """A module to be checked.

    Attributes:
        factory: called without arguments, returns a new module; often the class itself.
        example: called without arguments, returns a tensor or a tuple of positional arguments for a call of the module.
        known: the clauses from which the module is known to depart, each with the reason.
        name: what reports and test ids call it; by default the factory's own name.
    """

    factory: Factory
    example: Callable[[], Any] | None = None
    known: Mapping[str, str] = field(default_factory=dict)
    name: str = ""


def check(
    clause: Clause,
    implementation: Implementation,
    device: str = "cpu",
    settings: hypothesis.settings | None = None,
    entries: Iterable[Deviation] = (),
    script: bool = False,
) -> Record:
    """Check one clause.

    Args:
        settings: of Hypothesis; by default those of the profile "ci", which draws the same examples every time.
        entries: the recorded deviations of this clause.
        script: whether a failure or deviation has its script, and what that observes and expects.
    """
    case = run.Case(clause, implementation, device)
    verdict = run.judge(case, settings or _settings("ci"), entries)
    return failure.recorded(case, verdict) if script else verdict.record


def check_implementation(
    implementation: str | Implementation,
    *,
    clauses: str | Iterable[str] = "*",
    devices: str | Iterable[str] = "cpu",
    profile: str = "ci",
    deviations: Mapping[str, Iterable[Deviation]] | None = None,
) -> list[Record]:
    """Check an implementation without a run of pytest: a record for each clause and device.

    Args:
        implementation: as ``--implementation`` takes it, or an adapter.
        clauses: shell patterns of ids.
        devices: of "cpu" and "cuda".
        deviations: what is recorded of it, as ``conformance.deviations.read`` returns it; by default what the file beside
            its adapter says, as with pytest.

    Raises:
        AdapterError: there is no such implementation.
        ContractError: no clause matches.
        DeviationError: the file cannot be used.
        ValueError: there is no such device or profile.
    """
    subject = find(implementation) if isinstance(implementation, str) else seen(implementation)
    chosen, settings = selected(clauses), _settings(profile)
    known = recorded(subject, contract.CLAUSES) if deviations is None else deviations
    checks = [
        _Check(run.Case(clause, subject, device), settings, tuple(known.get(clause.id, ())))
        for device in known_devices(devices)
        for clause in chosen
    ]
    return [check.judged()[0] for check in checks]


def check_module(
    factory: Factory | Case,
    *,
    example: Callable[[], Any] | None = None,
    implementation: str | Implementation = "torch",
    clauses: str | Iterable[str] = "*",
    devices: str | Iterable[str] = "cpu",
    profile: str = "quick",
) -> list[Record]:
    """Check a module of one's own against every clause that makes sense for it: a record for each clause and device.

        >>> records = check_module(lambda: torch.nn.Linear(2, 3), example=lambda: torch.ones(1, 2))
        >>> [record for record in records if record.outcome == "failed"]
        []

    Args:
        factory: returns a new module each time, or a ``Case``.
        example: returns a tensor or a tuple of positional arguments for a call of the module.
        implementation: the framework whose base class the module extends.
        clauses: shell patterns of ids.
        devices: of "cpu" and "cuda".

    Raises:
        AdapterError: the factory makes no module of that framework, or one that cannot be described or called.
        ContractError: no clause matches, or ``known`` names a clause that does not exist.
        ValueError: there is no such device or profile.
    """
    case = factory if isinstance(factory, Case) else Case(factory, example)
    checks = _checks(case, implementation, clauses, devices, profile)
    return [check.judged()[0] for check in checks]


def parametrize_with_clauses(
    factories: Iterable[Factory | Case],
    *,
    implementation: str | Implementation = "torch",
    clauses: str | Iterable[str] = "*",
    devices: str | Iterable[str] = "cpu",
    profile: str = "quick",
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a pytest test of every clause for every factory; clauses that make no sense for the module are left out.

    @parametrize_with_clauses([MyLayer, Case(lambda: MyNet(3), example=lambda: torch.ones(1, 3))])
    def test_contract(check):
        check()
    """
    parameters = []
    for each in factories:
        case = each if isinstance(each, Case) else Case(each)
        for check in _checks(case, implementation, clauses, devices, profile):
            asked = check.case
            if not {"construction", "computation"} & set(asked.clause.needs):
                name = f"{asked.implementation.name}-{asked.clause.id}-{asked.device}"
                parameters.append(pytest.param(check, id=name))
    return pytest.mark.parametrize("check", parameters)


def _checks(
    case: Case,
    implementation: str | Implementation,
    clauses: str | Iterable[str],
    devices: str | Iterable[str],
    profile: str,
) -> list[_Check]:
    base = find(implementation) if isinstance(implementation, str) else seen(implementation)
    chosen = selected(clauses)
    for id in case.known:
        if gone := contract.successor(id):
            raise ContractError(f"{case.name or name_of(case.factory)}: known names a clause that is gone: {gone}")
        if id not in contract.CLAUSES:
            raise ContractError(f"{case.name or name_of(case.factory)}: known names {id!r}, which is no clause")
    subject = given(base, case.factory, case.example, case.name)
    inherited = recorded(base, contract.CLAUSES)
    settings = _settings(profile)

    def excuses(id: str) -> tuple[Deviation, ...]:
        """What the author knows of, then where the framework itself departs: no witness of either fits this module."""
        known = [Deviation(id, case.known[id], "", SpecifierSet(), (), None)] if id in case.known else []
        return (*known, *(replace(each, witness=None, inherited=True) for each in inherited.get(id, ())))

    return [
        _Check(run.Case(clause, subject, device), settings, excuses(clause.id))
        for device in known_devices(devices)
        for clause in chosen
    ]


@dataclass(frozen=True)
class _Check:
    """What a parametrized test calls."""

    case: run.Case
    settings: hypothesis.settings
    deviations: tuple[Deviation, ...]

    def judged(self) -> tuple[Record, BaseException | None]:
        """The record with what shows it, and the property's exception."""
        verdict = run.judge(self.case, self.settings, self.deviations)
        return failure.recorded(self.case, verdict), verdict.error

    def __call__(self) -> None:
        __tracebackhide__ = True
        record, error = self.judged()
        if record.outcome is FAILED:
            text = f"{self.case.implementation.name}: {record.reason}"
            raise ClauseFailure(text if error is None else f"{text}\n\n{self.explained(record)}") from error
        settle(record, error)

    def explained(self, record: Record) -> str:
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
        again = f"python -m pytest {shlex.quote(test)}" if test else ""
        # What a Case is known for needs no witness.
        return failure.explain(self.case.clause, replace(record, witness=""), again)


def _settings(name: str) -> hypothesis.settings:
    """Of that profile, drawing the same examples every time: a call gives the same records twice."""
    return hypothesis.settings(profile(name), derandomize=True, database=None)
