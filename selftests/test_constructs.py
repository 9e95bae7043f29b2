"""What a property may be written with, construct by construct: its script shows what it found, or there is none."""

from __future__ import annotations

import ast
import contextlib
import io
import sys
import traceback
import types
from pathlib import Path

import pytest

from conformance.adapter import finding
from conformance.contract import REQUIRED, Clause
from conformance.explain import guard, script
from conformance.explain.script import sides
from conformance.explain.specialise import Specialiser
from conformance.implementations.reference import Reference
from conformance.language import blueprint as bp
from conformance.reference import Module
from selftests import constructs

TREE = bp.Module(
    {"first": bp.Parameter((2,)), "inner": bp.Module({"weight": bp.Parameter((2, 2))}), "last": bp.Parameter(())}
)


@pytest.fixture
def fault(monkeypatch):
    """named_parameters() leaves the last one out."""
    right = Module.named_parameters

    def wrong(self, *args, **kwargs):
        return iter(list(right(self, *args, **kwargs))[:-1])

    monkeypatch.setattr(Module, "named_parameters", wrong)


def clause_of(function):
    return Clause(
        f"constructs/{function.__name__.replace('_', '-')}", function.__doc__, REQUIRED, "torch.nn.Module", "", "1.0",
        None, (), function, {"blueprint": None}, (),
    )  # fmt: skip


def found(function, subject):
    """What the property raises, and the variables of the function that did."""
    error = guard.raised(function, {"implementation": subject, "device": "cpu", "blueprint": TREE})
    frames = traceback.walk_tb(error.__traceback__) if error else ()
    return error, next((frame.f_locals for frame, _ in frames if frame.f_code is function.__code__), {})


def alone(text, monkeypatch):
    """The exception and the output of a script that has nothing of ours but the reference."""
    output, module = io.StringIO(), types.ModuleType("__main__")
    with monkeypatch.context() as patch, contextlib.redirect_stdout(output):
        for package in ("strategies", "pytest", "hypothesis", "selftests"):
            patch.setitem(sys.modules, package, None)
        patch.setitem(sys.modules, "__main__", module)
        try:
            exec(compile(text, "script.py", "exec"), vars(module))
        except Exception as error:
            return error, output.getvalue()
    return None, output.getvalue()


def shown_rightly(function, subject, monkeypatch):
    """Write its script; see that it shows what the property found, or says why there is none; that reason."""
    error, variables = found(function, subject)
    assert error is not None, "the fault is not seen"
    made = script.write(clause_of(function), subject, "cpu", {"blueprint": TREE}, error)
    if made.obstacle:
        assert made.text.startswith("# This script needs module-conformance")
        assert made.observed == f"{type(error).__name__}: {error}" and "\n" not in made.obstacle
        return made.obstacle
    raised, printed = alone(made.text, monkeypatch)
    assert isinstance(raised, AssertionError), (raised, made.text)
    assert sides(printed) == (made.observed, made.expected)
    if type(error) is AssertionError and "expected" in variables:
        sides_ = (
            repr(variables[side]).replace(f"{function.__name__}.<locals>.", "") for side in ("observed", "expected")
        )
        assert (made.observed, made.expected) == tuple(sides_)
    elif type(error) is AssertionError:
        assert "False" in made.observed
    elif type(error) is pytest.fail.Exception:
        assert made.observed == "no exception"
    else:
        assert type(error).__name__ in made.observed
    return ""


@pytest.mark.parametrize("name", constructs.EXAMPLES)
def test_a_construct_is_written_out_rightly_or_refused(name, fault, monkeypatch):
    obstacle = shown_rightly(constructs.EXAMPLES[name], finding.find("reference"), monkeypatch)
    assert bool(obstacle) == (name in constructs.REFUSED), obstacle
    assert constructs.REFUSED.get(name, "") in obstacle


@pytest.mark.parametrize("name", [name for name in constructs.EXAMPLES if name not in constructs.REFUSED])
def test_nothing_is_invented_where_the_property_holds(name, monkeypatch):
    function, subject = constructs.EXAMPLES[name], finding.find("reference")
    if name.startswith(("expected_exception_that", "another_exception")):
        pytest.skip("it needs the fault")
    assert found(function, subject)[0] is None
    made = script.written_out(clause_of(function), subject, "cpu", {"blueprint": TREE})
    assert not made.observed and alone(made.text, monkeypatch)[0] is None, made.text


# --- the guard ------------------------------------------------------------------------------------------------------


class Chain(Module):
    """A class of the adapter's own, which drops a step."""

    steps: tuple = ()

    def forward(self, x):
        for name in list(self.steps)[:-1]:
            x = getattr(self, name)(x)
        return x


class WithOwnChain(Reference):
    """An adapter with its own ``Chain``."""

    Chain = Chain


def called(implementation, device, blueprint):
    """calls a chain"""
    chained = bp.Chain({"a": bp.Linear(2, 2), "b": bp.Linear(2, 2, fill=3)})
    subject = implementation.build(chained, device)
    rows = implementation.tensor([[1.0, 2.0]], device=device)
    observed = implementation.read(subject.module(rows)).flat
    expected = implementation.read(subject["b"](subject["a"](rows))).flat
    assert observed == expected


def test_an_adapters_own_chain_is_written_and_not_the_suites(monkeypatch):
    assert shown_rightly(called, WithOwnChain(), monkeypatch) == ""


def wrongly(kind):
    """A translation that goes wrong in its own way at the assertion."""

    def wrong(self, node, scope):
        if kind == "another place":
            self.here = (*self.here[:-1], (self.here[-1][0], 1, 1))
        self.emit(
            ast.parse(
                {
                    "another type": "[][0]",
                    "another place": "assert 1 == 2",
                    "other sides": "assert 1 == 2",
                    "no failure": "pass",
                }[kind]
            ).body[0]
        )

    return wrong


@pytest.mark.parametrize("kind", ["another type", "another place", "other sides", "no failure"])
def test_a_wrong_translation_costs_the_script_and_says_nothing_untrue(kind, fault, monkeypatch):
    monkeypatch.setattr(Specialiser, "statement_Assert", wrongly(kind))
    obstacle = shown_rightly(constructs.list_comprehension, finding.find("reference"), monkeypatch)
    assert obstacle.startswith("written out, it ")


def test_what_the_property_raised_is_asked_again_where_nobody_says_it(fault):
    function, subject = constructs.list_comprehension, finding.find("reference")
    given = {"blueprint": TREE}
    error, _ = found(function, subject)
    told = script.write(clause_of(function), subject, "cpu", given, error)
    assert not told.obstacle and told == script.write(clause_of(function), subject, "cpu", given)
    assert told == script.write(clause_of(function), subject, "cpu", given, ValueError("of something else"))


def test_the_page_on_writing_properties_lists_what_is_tried_here():
    page = (Path(__file__).parent.parent / "docs/writing-properties.md").read_text(encoding="utf-8")
    text = page.partition("## ")[0]
    listed = [line.removeprefix("- ") for line in text.splitlines() if line.startswith("- ")]
    may = [each.__doc__ for name, each in constructs.EXAMPLES.items() if name not in constructs.REFUSED]
    refused = [f"{constructs.EXAMPLES[name].__doc__}: {reason}" for name, reason in constructs.REFUSED.items()]
    assert listed == may + refused
