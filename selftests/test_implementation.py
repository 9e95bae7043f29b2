"""Adapters: what they lack is kept out of what is built, and what they do their own way is done so."""

from __future__ import annotations

import ast
import warnings
from pathlib import Path

import pytest

from conformance import model
from conformance.adapter import finding
from conformance.adapter.absence import AdapterError
from conformance.adapter.former import FORMER
from conformance.adapter.lens import Lens, seen
from conformance.adapter.port import Implementation
from conformance.contract import ContractError, clause, load
from conformance.contract.capabilities import DECLARED, FAMILIES, undeclared
from conformance.implementations.reference import Reference
from conformance.language import blueprint as bp


def _property(implementation, device):
    """A promise."""


ROOT = Path(__file__).parent.parent

TREE = bp.Module(
    {
        "thin": bp.Parameter((2,), "bfloat16", 3, requires_grad=False),
        "inner": bp.Module({"count": bp.Buffer((), "bfloat16", persistent=False)}),
        "note": bp.Attribute("text"),
    }
)


class Lacking(Reference):
    """The reference without what a test names, and with attributes, and layers' texts, of its own."""

    def __init__(self, **lacking):
        super().__init__()
        self.lacking = lacking
        self.attributes = []

    def place(self, module, name, value, kind):
        if kind == "attribute":
            self.attributes.append((name, value))
        else:
            super().place(module, name, value, kind)

    def extra_repr(self, module):
        return "of its own"


@pytest.mark.parametrize("capability", ["dtype.bfloat16", "tree.bfloat16"])
def test_a_dtype_that_is_lacking_is_kept_out_of_trees(capability):
    tree = Lacking(**{capability: "not here"}).restrict(TREE)
    assert tree.at("thin") == bp.Parameter((2,), "float32", 3, requires_grad=False)
    assert tree.at("inner.count") == bp.Buffer((), "float32", persistent=False)
    assert Lacking().restrict(TREE) == TREE


def test_a_dtype_that_only_trees_lack_is_asked_about_alone():
    alone = bp.Tensor((2,), "bfloat16", 3)
    assert Lacking(**{"tree.bfloat16": "not here"}).restrict(alone) == alone
    assert Lacking(**{"dtype.bfloat16": "not here"}).restrict(alone) == bp.Tensor((2,), "float32", 3)


def test_a_dtype_that_is_lacking_is_kept_out_of_plain_attributes():
    tree = bp.Module({"kept": bp.Attribute(bp.Tensor((2,), "bfloat16", 3)), "note": bp.Attribute("text")})
    restricted = Lacking(**{"dtype.bfloat16": "not here"}).restrict(tree)
    assert restricted.at("kept") == bp.Attribute(bp.Tensor((2,), "float32", 3))
    assert restricted.at("note") == bp.Attribute("text")


def test_plain_attributes_of_a_tree_are_given_as_the_adapter_says():
    implementation = Lacking()
    implementation.build(TREE)
    assert implementation.attributes == [("note", "text")]


def test_the_text_of_a_layer_is_the_adapters():
    tree = model.of(bp.Sequential([bp.Dropout(0.5)]))
    assert model.representation(tree, None, Lacking().extra_repr) == "Sequential(\n  (0): Dropout(of its own)\n)"


# --- capabilities -----------------------------------------------------------------------------------------------------


def test_every_capability_that_a_clause_needs_is_there_somewhere():
    """A misspelt one would be lacking everywhere, and its clause be skipped without a word."""
    pytest.importorskip("torch")
    somewhere = [finding.find(name) for name in ("reference", "torch")]
    needed = {capability for clause in load().values() for capability in (*clause.needs, *clause.about)}
    assert [each for each in needed if each not in DECLARED and all(one.lacks(each) for one in somewhere)] == []


@pytest.mark.parametrize(
    "capability, hint", [("saev.zip", "did you mean 'save.zip'?"), ("tree.1d", "did you mean"), ("?", "expected Name")]
)
def test_a_capability_that_is_not_declared_is_refused_in_one_sentence(capability, hint, monkeypatch):
    assert hint in undeclared(capability) and "\n" not in undeclared(capability)
    with pytest.raises(ContractError, match="area/few-words: .*is no capability"):
        clause("area/few-words", "torch.nn.Module", "", needs=capability)(_property)
    told = Lacking(**{capability: "not here"})
    monkeypatch.setattr("conformance.implementations.reference.implementation", told)
    with pytest.raises(AdapterError, match="implementation 'reference': .*is no capability"):
        finding.find("reference")


@pytest.mark.parametrize(
    "capability", ["deepcopy", "tree.bfloat16", "drawn.empty", "dtype.float8", "device.tpu", "Module.f(x)", "F", "f(x)"]
)
def test_a_capability_that_is_declared_or_of_a_family_is_none_the_less_one(capability):
    assert undeclared(capability) is None


def test_the_dtypes_of_trees_are_those_of_blueprints():
    assert {f"tree.{dtype}" for dtype in bp.DTYPES} <= DECLARED.keys()


def test_the_page_lists_every_capability():
    page = (ROOT / "docs/capabilities.md").read_text(encoding="utf-8")
    for name in (*DECLARED, *(family.form for family in FAMILIES)):
        assert f"| `{name}` |" in page, f"{name}: python docs/generate.py lists it"


# --- what is drawn ----------------------------------------------------------------------------------------------------


def test_what_is_drawn_is_narrowed_and_a_witness_is_not():
    built = []

    class Watched(Lens):
        def narrowed(self, clause, name, value):
            return bp.Module() if name == "blueprint" else value

        def build(self, blueprint, device="cpu"):
            built.append(blueprint)
            return super().build(blueprint, device)

    clause, watched = load()["traversal/named_parameters-own-then-children"], Watched(Reference())
    clause.test()(implementation=watched, device="cpu")
    assert set(built) == {bp.Module()}
    clause.function(implementation=watched, device="cpu", blueprint=TREE)
    assert built[-1] == TREE


def test_tensors_without_elements_are_drawn_for_the_clause_that_is_about_them_alone():
    lens = seen(Lacking(**{"drawn.empty": "not here"}))
    clauses, tree = load(), bp.Module({"a": bp.Parameter((2, 0, 3))})
    about = [clause for clause in clauses.values() if clause.about]
    other = clauses["traversal/modules-each-once"]
    assert about and all(lens.narrowed(clause, "blueprint", tree) == tree for clause in about)
    assert lens.narrowed(other, "blueprint", tree) == bp.Module({"a": bp.Parameter((2, 1, 3))})
    assert lens.narrowed(other, "parameter", bp.Parameter((0,))) == bp.Parameter((1,))
    assert lens.narrowed(other, "shape", (0, 2)) == (1, 2) and lens.narrowed(other, "fill", 0) == 0
    assert tuple(lens.build(tree)["a"].shape) == (2, 0, 3)


# --- the interface ---------------------------------------------------------------------------------------------------


def test_what_an_author_may_touch_fits_on_a_screen():
    required = {"name", *finding.REQUIRED}
    optional = {"contract_version", "inherits", "lacking", "hidden", "class_names", "in_trees"}
    optional |= {"unavailable", "requires_grad", "place", "adapted", "extra_repr", "tensor_code"}
    optional |= {
        "unusual"
    }  # what no name of the framework's gives: a portrait sees what an operation leaves on tensors
    touched = {name for name in vars(Implementation) if not name.startswith("_")} - {"lens"}
    assert touched == required | optional


@pytest.mark.parametrize(
    "file", sorted((ROOT / "conformance/implementations").glob("*.py")), ids=lambda file: file.stem
)
def test_no_adapter_of_ours_names_a_clause_or_says_what_is_the_suites(file):
    ids = load().keys()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        assert not (isinstance(node, ast.Constant) and node.value in ids), node.value
        if isinstance(node, ast.ClassDef):
            methods = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
            wraps = any(getattr(base, "id", "") in ("Wrapper", "TorchWrapper") for base in node.bases)
            registers = any(getattr(base, "id", "") in ("Implementation", "Torch", "OnTorch") for base in node.bases)
            assert not (methods & FORMER.keys() and (wraps or registers)), (node.name, methods & FORMER.keys())


def test_a_lens_over_a_lens_says_what_both_say():
    class Renamed(Lens):
        name = "renamed"
        lacking = {"deepcopy": "not through this lens"}

    inner = seen(Lacking(**{"tree.0d": "not here"}))
    outer = Renamed(inner)
    assert outer.lacks("deepcopy") == "renamed 1: not through this lens" and inner.lacks("deepcopy") is None
    assert outer.lacks("Nothing") == "reference 1 has no Nothing"
    assert outer.lacking.keys() == {"tree.0d", "deepcopy"} and seen(outer) is outer and outer.adapter is inner.adapter
    assert outer.build(bp.Module({"a": bp.Parameter(())})).blueprint.at("a").shape == (1,)


# --- adapters that were written before 0.3 ----------------------------------------------------------------------------


def old(**methods):
    """An adapter with these methods, and the sentences that it is told."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        made = type("Old", (Reference,), methods)()
    assert len(told) == len(methods.keys() & FORMER.keys())
    assert all("is the suite's now" in str(each.message) for each in told)
    return made


def test_what_an_adapter_could_say_before_counts_still():
    told = []

    def lacks(self, capability):
        return "nobody has it" if capability == "Dropout" else super(type(self), self).lacks(capability)

    def restrict(self, blueprint):
        told.append("restrict")
        return super(type(self), self).restrict(blueprint)

    def narrowed(self, clause, name, value):
        told.append(clause)
        return value

    def module_for(self, node, children):
        told.append(node.kind)
        return super(type(self), self).module_for(node, children)

    def set_attribute(self, module, name, value):
        told.append(name)

    def place_buffer(self, module, name, tensor, persistent):
        told.append(persistent)
        super(type(self), self).place_buffer(module, name, tensor, persistent)

    def build(self, blueprint, device="cpu"):
        told.append("build")
        return super(type(self), self).build(blueprint, device)

    def is_parameter(self, value):
        return "perhaps"

    adapter = old(
        lacks=lacks,
        restrict=restrict,
        narrowed=narrowed,
        module_for=module_for,
        set_attribute=set_attribute,
        place_buffer=place_buffer,
        build=build,
        is_parameter=is_parameter,
        held_to_observed=True,
    )
    lens = seen(adapter)
    assert lens.lacks("Dropout") == "nobody has it" and lens.lacks("Linear") is None
    assert lens.is_parameter(3) == "perhaps" and lens.held_to_observed is True
    clause = load()["traversal/modules-each-once"]
    assert lens.narrowed(clause, "blueprint", TREE) == TREE and told.pop() == clause.id
    subject = lens.build(bp.Sequential([bp.Linear(1, 1), bp.Dropout(0.5), TREE, bp.ModuleList([bp.ReLU()])]))
    kinds = ["Linear", "Chain", "Module", False, "Module", "note", "ReLU", "ModuleList", "Sequential"]
    assert told == ["build", "restrict", *kinds]
    assert subject.readings() == subject.expected_readings()
    assert adapter.build(TREE).readings() == subject.implementation.build(TREE).readings()


def test_what_changed_a_finished_tree_before_counts_still():
    def finish(self, module):
        module.marked = True
        return module

    def presented(self, blueprint):
        return blueprint.replace(training=False)

    subject = seen(old(finish=finish, presented=presented)).build(bp.Module({"a": bp.Linear(1, 1)}))
    assert subject.module.marked and not subject.module.training and subject["a.weight"] is subject.module.a.weight
