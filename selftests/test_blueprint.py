"""Blueprints: data that reads back, compares by structure, and turns into code."""

from __future__ import annotations

import dataclasses
import inspect
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance import model
from conformance.adapter.source import to_source
from conformance.language import blueprint as bp
from conformance.language.text import VOCABULARY, parse, parse_arguments
from strategies import blueprints, callables

TREE = bp.Module(
    {
        "weight": bp.Parameter((2,)),
        "body": bp.Sequential([bp.Linear(2, 2, fill=3), bp.Shared("body.0")], training=False),
        "空": bp.Empty("module"),
        "cache": bp.Buffer((0, 2), "int64", persistent=False),
        "note": bp.Attribute("text"),
    },
    hooks=[bp.Hook("forward", "seen", prepend=True, adds=1.0)],
)


def test_repr_is_python_that_rebuilds_it():
    assert eval(repr(TREE), dict(VOCABULARY)) == TREE
    assert parse(repr(TREE)) == TREE


def test_equality_and_hash_are_structural():
    again = parse(repr(TREE))
    assert again == TREE and hash(again) == hash(TREE) and again is not TREE
    assert TREE.replace(training=False) != TREE
    assert bp.Linear(2, 2) != bp.Linear(2, 2, fill=1)


def test_a_blueprint_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TREE.kind = "Sequential"


def test_nodes_yields_every_module_once():
    assert [node.kind for node in TREE.nodes()] == ["Module", "Sequential", "Linear"]


@pytest.mark.parametrize(
    "text, message",
    [
        ("__import__('os')", "unknown name"),
        ("Module(", "not a blueprint"),
        ("Module(a)", "not a blueprint"),
        ("Tensor((2,), 'float8')", "unknown dtype"),
        ("Empty('tensor')", "expected 'parameter', 'buffer' or 'module'"),
        ("Module({'a': 3})", "cannot be registered"),
        ("Linear(1, 2).__class__", "not a blueprint"),
    ],
)
def test_text_that_is_no_blueprint_is_refused(text, message):
    with pytest.raises(bp.BlueprintError, match=message):
        parse(text)


def test_a_shared_name_must_point_backwards():
    with pytest.raises(bp.BlueprintError, match="'a' shares 'b', which is not registered before it"):
        model.of(bp.Module({"a": bp.Shared("b"), "b": bp.Linear(2, 2)}))


def test_values_differ_between_neighbours_and_are_exact_in_every_floating_dtype():
    flat = bp.Tensor((7,), "float32", 3).flat
    assert len(set(flat)) == 7
    assert all(abs(x) < 2 and x * 8 == int(x * 8) for x in flat)


@settings(max_examples=150)
@given(blueprint=blueprints())
def test_the_source_builds_what_the_adapter_builds(blueprint):
    torch = pytest.importorskip("torch")
    from conformance.implementations.torch import implementation

    assert same(torch, run(blueprint), implementation.build(blueprint).module)


@settings(max_examples=60)
@given(blueprint=callables(hooks=True))
def test_the_source_of_a_callable_tree_computes_the_same(blueprint):
    torch = pytest.importorskip("torch")
    from conformance.implementations.torch import implementation

    one, other = run(blueprint).eval(), implementation.build(blueprint).module.eval()
    x = torch.tensor([[1.0, 2.0], [-3.0, 0.5]])
    assert torch.equal(one(x), other(x))


def test_the_source_of_a_large_tensor_is_short_and_right():
    torch = pytest.importorskip("torch")
    from conformance.implementations.torch import implementation

    blueprint = bp.Module({"conv": bp.Conv2d(6, 16, 5, fill=3)})
    assert len(to_source(blueprint)) < 1000
    assert same(torch, run(blueprint), implementation.build(blueprint).module)


def test_the_source_for_another_implementation_is_in_its_own_names_and_loads_no_torch():
    code = f"""
import sys
from conformance.adapter.finding import find
from conformance.adapter.source import to_source
from conformance.language.text import parse
tree = parse({repr(TREE)!r})
names = {{}}
exec(to_source(tree, "made", "reference"), names)
assert repr(names["made"]) == repr(find("reference").build(tree).module)
explains = [name for name in sys.modules if name.startswith("conformance.explain")]
assert "torch" not in sys.modules and not explains, explains
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0


def test_the_method_for_the_source_says_where_it_is_now():
    pytest.importorskip("torch")
    with pytest.warns(DeprecationWarning, match="conformance.adapter.source.to_source"):
        text = bp.Linear(1, 1).to_source("layer")
    assert text == to_source(bp.Linear(1, 1), "layer")


def run(blueprint):
    names = {}
    exec(to_source(blueprint), names)
    return names["module"]


def same(torch, one, other):
    def described(module):
        state = {key: (value.dtype, value.tolist()) for key, value in module.state_dict().items()}
        order = {id(thing): i for i, (_, thing) in enumerate(module.named_modules())}
        modules = [
            (n, order[id(m)], type(m).__name__, m.training) for n, m in module.named_modules(remove_duplicate=False)
        ]
        kept = list(module.parameters()) + list(module.buffers())
        tied = {id(thing): i for i, thing in reversed(list(enumerate(kept)))}
        names = [(n, tied[id(p)], p.requires_grad) for n, p in module.named_parameters(remove_duplicate=False)]
        return state, modules, names, [(n, tied[id(b)]) for n, b in module.named_buffers(remove_duplicate=False)]

    return described(one) == described(other)


@pytest.mark.parametrize("package", ["strategies", "conformance.model", "conformance.contract", "conformance.report"])
def test_it_imports_no_framework(package):
    code = f"import sys, {package}; sys.exit(any(m in sys.modules for m in ('torch', 'paddle', 'numpy')))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0


def test_public_functions_of_the_strategies_are_documented():
    import strategies

    for name in strategies.__all__:
        assert inspect.getdoc(getattr(strategies, name)), name


# --- text that strangers wrote ------------------------------------------------------------------------------------

HOSTILE = [
    "Parameter((1,), \"float32, device=__import__('os').system('touch pwned')\", held=(1.0,))",
    "Parameter((1,), 'float8', held=(1.0,))",
    "Parameter((1, -1))",
    "Parameter((1000000, 1000000))",
    "Parameter((True,))",
    "Parameter([1])",
    "Parameter((1.0,))",
    "Parameter((), fill='x')",
    "Parameter((), requires_grad='x')",
    "Buffer((), persistent=None)",
    "Tensor((), ['float32'])",
    "Linear(1000000, 1000000)",
    "Linear('a', 2)",
    "Linear(2, 2, fill=1.5)",
    "Module({1: Module()})",
    "Module(training='yes')",
    "Module(hooks=(1,))",
    "Module(hooks=(Hook('__init__', 'a'),))",
    "Module(hooks=(Hook('forward', 'a', adds='x'),))",
    "Module({'a': Shared(3)})",
    "Given({'a': Parameter(())})",
    "Wrapper({'a': Module()})",
    "__read_0",
    "9" * 5000,
    "-" * 100_000 + "1",
    "(" * 100_000,
    "[" * 300 + "]" * 300 + "x",
    "'a' 'b" * 1000,
    " " * 1_000_000,
    "f'{1}'",
    "(lambda: 1)()",
    "[x for x in ()]",
    "\0",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:40])
def test_what_nobody_draws_is_refused_in_a_sentence(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for read, wanted in ((parse, text), (parse_arguments, f"blueprint={text}"), (parse_arguments, text)):
        with pytest.raises(bp.BlueprintError):
            read(wanted)
    assert list(tmp_path.iterdir()) == []


PIECES = st.sampled_from(
    [
        *VOCABULARY,
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        "=",
        ":",
        "'",
        '"',
        "a",
        "dtype",
        "held",
        "0",
        "-1",
        "1e400",
        "None",
        "\\",
    ]
)


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(), st.binary().map(lambda b: b.decode("latin-1")), st.lists(PIECES).map("".join)))
def test_any_text_is_read_or_refused_in_a_sentence(text):
    for read in (parse, parse_arguments):
        try:
            read(text)
        except bp.BlueprintError:
            pass
