"""What an implementation has no name for becomes a skip that says so; what it does wrong stays a failure."""

from __future__ import annotations

import inspect

import pytest

from conformance import contract, reference
from conformance.adapter.lens import seen
from conformance.adapter.port import Implementation
from conformance.contract.promised import PROMISED
from conformance.front.calls import check
from conformance.implementations.reference import Reference
from conformance.language import blueprint as bp

contract.load()


class Bare(Implementation):
    """A framework with two classes and hardly a method."""

    name = "bare"
    version = "1"

    class Module:
        def named_modules(self):
            return iter([("", self)])

    class ModuleList(Module):
        def __iter__(self):
            return iter(())


bare = Bare()


def absent_after(call):
    with pytest.raises((AttributeError, TypeError)) as caught:
        call()
    return bare.absent(caught.value)


def plus_assignment():
    modules = bare.ModuleList()
    modules += []


@pytest.mark.parametrize(
    "call, capability, reason",
    [
        (
            lambda: bare.Module().named_parameters(),
            "Module.named_parameters",
            "bare 1 has no Module.named_parameters",
        ),
        (lambda: bare.ModuleList().train(), "Module.train", "bare 1 has no Module.train"),
        (lambda: bare.ModuleList().append(None), "ModuleList.append", "bare 1 has no ModuleList.append"),
        (
            lambda: bare.Module().named_modules(prefix="a"),
            "Module.named_modules(prefix)",
            "bare 1: Module.named_modules takes no argument 'prefix'",
        ),
        (lambda: bare.ModuleList()[0], "ModuleList.__getitem__", "bare 1 has no ModuleList.__getitem__"),
        (plus_assignment, "ModuleList.__iadd__", "bare 1 has no ModuleList.__iadd__"),
        (lambda: bare.ParameterList(), "ParameterList", "bare 1 has no ParameterList"),
    ],
)
def test_a_missing_name_of_the_contract_is_a_missing_capability(call, capability, reason):
    absent = absent_after(call)
    assert (absent.capability, absent.reason) == (capability, reason)


@pytest.mark.parametrize(
    "call",
    [
        lambda: bare.Module().weight,  # a parameter that was not registered
        lambda: bare.Module().append,  # a method of another class
        lambda: bare.Module().named_modules(nonsense=1),
        lambda: object().named_parameters,
        lambda: len(3),
    ],
)
def test_anything_else_that_is_missing_is_a_failure(call):
    assert absent_after(call) is None


def test_a_property_that_asks_for_a_missing_method_is_skipped():
    record = check(contract.CLAUSES["traversal/modules-each-once"], NoTraversal())
    assert (record.outcome, record.reason.endswith("has no Module.modules")) == ("skipped", True)


def test_what_every_object_has_is_no_method_of_a_class():
    assert bare.lacks("Module.__repr__") == "bare 1 has no Module.__repr__"
    assert bare.lacks("Module.named_modules") is None


class NoTraversal(Reference):
    """The reference without parameters, layers that compute, and ``modules``."""

    name = "no traversal"

    class Module(Reference().Module):
        @property
        def modules(self):
            raise AttributeError(name="modules", obj=self)

    def lacks(self, capability):
        missing = {"Module.modules", "Parameter", "BatchNorm1d", "Sequential"}
        return f"{self.name} has no {capability}" if capability in missing else super().lacks(capability)


def test_a_tree_does_without_the_kinds_that_are_missing():
    tree = bp.Module({"a": bp.Parameter((2,)), "b": bp.BatchNorm1d(1), "c": bp.Sequential([bp.Identity()])})
    left = NoTraversal().restrict(tree)
    assert left.at("a") == bp.Buffer((2,))
    assert [left.at(name).kind for name in "bc"] == ["Chain", "Chain"]
    assert [name for name, _ in left.at("b").members] == [name for name, _ in tree.at("b").members]


def test_who_claims_a_version_of_the_contract_is_held_to_its_names():
    class Claiming(Bare):
        contract_version = "2.0"

    with pytest.raises(AttributeError) as caught:
        bare.Module().named_parameters()
    assert Claiming().absent(caught.value) is None


def test_the_table_of_what_is_promised_is_that_of_the_reference():
    operators = ("__init__", "__setitem__", "__delitem__", "__getitem__", "__add__", "__iadd__", "__or__", "__ior__")
    for kind, methods in PROMISED.items():
        base = object if kind in ("Module", "Tensor") else reference.Module
        found = {}
        for name in dir(getattr(reference, kind)):
            method = getattr(getattr(reference, kind), name)
            own = method is not getattr(base, name, None) and (name in operators or not name.startswith("_"))
            if own and not (name == "__init__" and base is object):
                signature = inspect.signature(method).parameters if callable(method) else ()
                found[name] = " ".join(each for each in signature if each != "self")
        assert methods == found, kind


def test_an_argument_of_a_constructor_is_promised_too():
    class Values(reference.Module):
        def __init__(self, parameters=None):
            super().__init__()

    other = seen(type("Other", (Reference,), {"name": "other", "ParameterDict": Values})())
    with pytest.raises(TypeError) as caught:
        other.ParameterDict(values=None)
    assert other.absent(caught.value).capability == "ParameterDict.__init__(values)"
