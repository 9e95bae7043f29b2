"""Wrappers and base classes as implementations: the names follow from the declared one, and wrong ones are caught."""

from __future__ import annotations

import io

import pytest

import conformance
from conformance import contract, model
from conformance.adapter import chain, finding
from conformance.adapter.lens import seen
from conformance.adapter.wrapping import Wrapping
from conformance.explain import script
from conformance.language import blueprint as bp
from conformance.run import deviations

torch = pytest.importorskip("torch")

from torch import fx, nn  # noqa: E402

from conformance.implementations.torch import OnTorch, Torch  # noqa: E402
from conformance.implementations.torch_wrappers import (  # noqa: E402
    AveragedModel,
    CompiledInPlace,
    DataParallel,
    FullyShard,
    GraphModule,
    TorchWrapper,
)

TREE = bp.Module(
    {"own": bp.Parameter((2,)), "body": bp.Sequential([bp.Linear(2, 2), bp.Shared("own")])}, training=False
)
CLAUSES = [
    "traversal/named_parameters-own-then-children",
    "traversal/named_modules-self-first-depth-first",
    "state_dict/parameters-and-persistent-buffers",
    "state_dict/destination-is-updated-and-returned",
    "load_state_dict/strict-refuses-unexpected-keys",
    "modes/train-reaches-every-descendant",
    "behaviour/pre_hook-before-and-hook-after-forward",
]


@pytest.mark.parametrize(
    "name, child", [("data_parallel", "module"), ("averaged_model", "module"), ("compiled", "_orig_mod")]
)
def test_what_is_wrapped_is_below_the_declared_name_with_its_values_and_modes(name, child):
    wrapper = finding.find(name)
    subject = wrapper.build(TREE)
    assert wrapper.child == subject.below == child
    expected = [f"{child}.{key}" for key, _ in model.of(TREE).state_dict()]
    assert list(subject.module.state_dict()) == [*wrapper.own, *expected]
    assert subject.readings() == subject.expected_readings()
    assert subject["own"] is subject[f"{child}.own"] and subject.key("own") == f"{child}.own"
    assert subject["body"].training and not subject[child].training


def test_the_address_of_a_wrapper_finds_it_and_not_what_it_wraps():
    names = [name for name, target in finding.OURS.items() if ".torch_wrappers:" in target]
    assert names and [finding.address(finding.find(name)) for name in names] == names


@pytest.mark.parametrize("name", ["compiled_in_place", "graph_module", "fully_shard"])
def test_what_is_changed_in_place_keeps_its_names_values_and_modes(name):
    wrapper = finding.find(name)
    subject = wrapper.build(TREE)
    assert wrapper.child is None and subject.below == ""
    assert list(subject.module.state_dict()) == [key for key, _ in model.of(TREE).state_dict()]
    assert subject.readings() == subject.expected_readings()
    assert subject["body"].training and not subject.module.training
    assert repr(subject.module) == wrapper.representation(subject.model)


@pytest.mark.parametrize("name", ["data_parallel", "averaged_model", "compiled_in_place"])
def test_pytorchs_wrappers_keep_the_contract_of_a_finished_module(name):
    records = conformance.check_implementation(name, clauses=CLAUSES, profile="quick")
    assert [record.outcome for record in records] == ["passed"] * len(CLAUSES)


def test_a_wrapper_is_asked_nothing_about_making_modules():
    records = conformance.check_implementation("data_parallel", clauses="module_list/*", profile="quick")
    assert {record.outcome for record in records} == {"skipped"}
    assert all("wraps finished modules and makes none" in record.reason for record in records)


class Forgetful(nn.DataParallel):
    """Leaves the first entry out of its state_dict."""

    def state_dict(self, *args, **kwargs):
        state = super().state_dict(*args, **kwargs)
        if state:
            state.pop(next(iter(state)))
        return state


class Awake(nn.DataParallel):
    """Keeps what it wraps in training mode."""

    def train(self, mode=True):
        super().train(mode)
        self.module.training = True
        return self


class Twice(nn.DataParallel):
    """Puts its prefix before every name once more."""

    def named_parameters(self, prefix="", *args, **kwargs):
        return super().named_parameters(f"{prefix}.module" if prefix else "module", *args, **kwargs)


class Deaf(nn.DataParallel):
    """Calls what it wraps past its own hooks."""

    def __call__(self, *args, **kwargs):
        return self.module(*args, **kwargs)


@pytest.mark.parametrize(
    "wrong, caught",
    [
        (Forgetful, "state_dict/parameters-and-persistent-buffers"),
        (Awake, "modes/train-reaches-every-descendant"),
        (Twice, "traversal/named_parameters-own-then-children"),
        (Deaf, "behaviour/pre_hook-before-and-hook-after-forward"),
    ],
)
def test_a_wrong_wrapper_is_caught_by_the_clause_that_it_breaks(wrong, caught):
    subject = type("Wrong", (DataParallel,), {"name": "wrong", "wrap": lambda self, module: wrong(module)})()
    (record,) = conformance.check_implementation(subject, clauses=caught, profile="ci")
    assert record.outcome == "failed", record


def test_a_wrapper_under_another_name_than_declared_cannot_be_built():
    subject = type("Wrong", (DataParallel,), {"child": "inner"})()
    with pytest.raises(AttributeError, match="inner"):
        subject.build(TREE)


@pytest.mark.parametrize("bases", [(TorchWrapper,), (Wrapping, Torch)], ids=["lens", "as before 0.3"])
def test_a_wrapper_that_changes_the_module_itself_keeps_its_names(bases):
    def wrap(self, module):
        module.marked = True
        return module

    marked = type("Marked", bases, {"name": "marked", "child": None, "wrap": wrap})()
    subject = marked.build(TREE)
    assert seen(marked).lacks("construction") == f"marked {torch.__version__} wraps finished modules and makes none"
    assert subject.module.marked and subject.below == ""
    assert list(subject.module.state_dict()) == [key for key, _ in model.of(TREE).state_dict()]


def test_a_wrong_change_in_place_is_caught():
    def untied(self, module):
        for name, parameter in list(module.named_parameters(recurse=False, remove_duplicate=False)):
            setattr(module, name, nn.Parameter(parameter.detach().clone()))
        return module

    subject = type("Wrong", (CompiledInPlace,), {"name": "wrong", "wrap": untied})()
    (record,) = conformance.check_implementation(
        subject, clauses="traversal/named_parameters-own-then-children", profile="ci"
    )
    assert record.outcome == "failed", record


@pytest.mark.parametrize("tree", [bp.Chain({"layer": bp.Linear(2, 2)}), bp.Sequential([bp.Linear(2, 2)])])
@pytest.mark.parametrize("name", ["compiled", "compiled_in_place"])
def test_what_is_compiled_is_called_compiled(name, tree):
    module = finding.find(name).build(tree).module
    counters = torch._dynamo.utils.counters
    counters.clear()
    module(torch.zeros(1, 2))
    assert counters["frames"]["ok"] == 1


def test_a_graph_module_makes_every_buffer_of_its_root_a_persistent_one():
    tree = bp.Module({"buffer": bp.Buffer((1,), persistent=False), "none": bp.Empty("parameter")})
    assert [name for name, _ in GraphModule().build(tree).blueprint.members] == ["buffer"]
    root, graph = Torch().build(tree).module, fx.Graph()
    graph.get_attr("buffer")
    assert list(root.state_dict()) == []
    assert list(fx.GraphModule(root, graph).state_dict()) == ["buffer"]  # mended: it need not be kept out of trees


def test_a_failed_load_of_a_sharded_module_leaves_nothing_behind():
    subject = FullyShard().build(bp.Module({"own": bp.Parameter((2,))}))
    new, old = io.BytesIO(), io.BytesIO()
    subject.implementation.save(subject.module.state_dict(), new)
    subject.implementation.save(subject.module.state_dict(), old, _use_new_zipfile_serialization=False)
    new.seek(0)
    with pytest.raises(RuntimeError, match="Callable map_location not supported"):
        subject.implementation.load(new, map_location=lambda storage, location: storage)
    old.seek(0)
    assert list(subject.implementation.load(old, map_location="cpu")) == ["own"]


def test_the_count_of_an_averaged_model_is_that_of_the_blueprint():
    subject = AveragedModel().build(bp.Module())
    assert subject.readings()["n_averaged"].flat == (0,)


# --- base classes ---------------------------------------------------------------------------------------------------

BASES = [None, "lightning", "transformers", "tensordict"]


def based(package, make):
    """An adapter for what ``make`` makes of a base class: Module itself, or that of the package if it is installed."""
    adapter, base = OnTorch, nn.Module
    if package:
        pytest.importorskip(package)
        found = finding.find(package)
        adapter, base = type(found), found.Module
    wrong = make(base)
    wrong.__module__, wrong.__qualname__ = __name__, "Wrong"
    made = chain.define(wrong, nn.ModuleList, nn.ModuleDict, __name__)
    return type("Wrong", (adapter,), {"name": "wrong", "package": "pytest", "Module": wrong, "Chain": made})()


def forgetful(base):
    class Wrong(base):
        def state_dict(self, *args, **kwargs):
            state = super().state_dict(*args, **kwargs)
            if state:
                state.pop(next(iter(state)))
            return state

    return Wrong


def awake(base):
    class Wrong(base):
        def train(self, mode=True):
            super().train(mode)
            self.training = True
            return self

    return Wrong


def deaf(base):
    class Wrong(base):
        def __call__(self, *args, **kwargs):
            return self.forward(*args, **kwargs)

    return Wrong


def private(base):
    class Wrong(base):
        def __setattr__(self, name, value):
            if isinstance(value, nn.Module):
                vars(self)[name] = value
            else:
                super().__setattr__(name, value)

    return Wrong


@pytest.mark.parametrize("package", BASES)
@pytest.mark.parametrize(
    "make, caught",
    [
        (forgetful, "state_dict/parameters-and-persistent-buffers"),
        (awake, "modes/train-reaches-every-descendant"),
        (deaf, "behaviour/pre_hook-before-and-hook-after-forward"),
        (private, "traversal/named_modules-self-first-depth-first"),
    ],
)
def test_a_wrong_base_class_is_caught_by_the_clause_that_it_breaks(package, make, caught):
    (record,) = conformance.check_implementation(based(package, make), clauses=caught, profile="ci")
    assert record.outcome == "failed", record


@pytest.mark.parametrize("package", BASES[1:])
def test_the_base_classes_of_other_packages_keep_the_contract(package):
    pytest.importorskip(package)
    records = conformance.check_implementation(package, clauses=CLAUSES, profile="quick")
    assert [record.outcome for record in records] == ["passed"] * len(CLAUSES)


def test_what_is_recorded_of_pytorch_is_inherited_for_its_version_and_not_for_that_of_the_base_class():
    subject, torch = based(None, forgetful), finding.find("torch")
    assert subject.version == pytest.__version__ and subject.contract_version == torch.contract_version
    inherited = deviations.of(subject, contract.load())
    own = deviations.of(torch, contract.load())
    assert any(entry.versions and not entry.covers(torch.version) for entries in own.values() for entry in entries)
    for id, entries in own.items():
        assert [each.reason for each in inherited.get(id, ())] == [e.reason for e in entries if e.covers(torch.version)]
        assert all(each.inherited and each.applies(subject.version, "cpu") for each in inherited.get(id, ()))


def test_accelerates_hooks_leave_names_values_and_results_as_they_are():
    pytest.importorskip("accelerate")
    dispatched = finding.find("accelerate")
    subject = dispatched.build(TREE)
    assert subject.module._hf_hook and list(subject.module.state_dict()) == [
        key for key, _ in model.of(TREE).state_dict()
    ]
    records = conformance.check_implementation(dispatched, clauses=CLAUSES, profile="quick")
    departs = {"traversal/named_parameters-own-then-children"}  # where there are no elements
    assert {record.clause for record in records if record.outcome == "deviation"} == departs
    assert {record.outcome for record in records} == {"passed", "deviation"}


def test_what_is_drawn_for_accelerate_has_elements():
    pytest.importorskip("accelerate")
    dispatched, tree = finding.find("accelerate"), bp.Module({"a": bp.Parameter((2, 0, 3))})
    clause = contract.load()["traversal/modules-each-once"]
    assert dispatched.narrowed(clause, "blueprint", tree) == bp.Module({"a": bp.Parameter((2, 1, 3))})


def test_without_its_entry_what_accelerate_does_to_tensors_without_elements_fails_one_clause():
    pytest.importorskip("accelerate")
    one = "traversal/named_parameters-own-then-children"  # which is about them
    other = "state_dict/parameters-and-persistent-buffers"
    records = conformance.check_implementation("accelerate", clauses=[one, other], deviations={})
    assert {record.clause: record.outcome for record in records} == {one: "failed", other: "passed"}


@pytest.mark.parametrize(
    "name, wraps",
    [("data_parallel", "nn.DataParallel("), ("averaged_model", ".AveragedModel("), ("compiled_in_place", "wrap(")],
)
def test_a_wrapped_tree_is_shown_as_it_is_built(name, wraps):
    """With the modes of what it holds, in a script that needs PyTorch alone and says what the property says."""
    subject, clause = finding.find(name), contract.load()["modes/train-changes-only-the-mode"]
    tree = bp.Module({"body": bp.Sequential([bp.Linear(1, 1)], training=False)})
    made = script.written_out(clause, subject, "cpu", {"blueprint": tree, "mode": True})
    assert not made.observed and wraps in made.text and "conformance" not in made.text
    assert made.text.count(".training = False") == 1
