"""Printing: repr shows the tree, its names, and what extra_repr adds."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.contract import RECOMMENDED, clause, for_any_module, given
from conformance.language import blueprint as bp
from strategies import blueprints, names

REPR = "Module.__repr__"


def documented(member):
    """Layers whose text the documentation does not show give way to one whose text it does."""
    return bp.Identity() if getattr(member, "kind", "") == "BatchNorm1d" else member


#: Trees whose repr the documentation's examples determine.
TREES = blueprints(kinds=("Module", "Sequential", "ModuleDict"), shared=False, attributes=False).map(
    lambda tree: tree.map(documented)
)


@clause(
    "printing/one-indented-line-per-child",
    "torch.nn.Module.modules",
    "0 -> Sequential( (0): Linear(in_features=2, out_features=2, bias=True) "
    "(1): Linear(in_features=2, out_features=2, bias=True) )",
    severity=RECOMMENDED,
    needs=REPR,
)
@for_any_module(blueprint=TREES)
def test_repr_shows_one_indented_line_per_child(implementation, device, blueprint):
    """repr(module) is the class name and, in parentheses, "(name): repr of the child" for each child in registration order,
    one level indented by two blanks; a module without children prints its extra text on the same line."""
    subject = implementation.build(blueprint, device)
    expected = implementation.representation(subject.model)
    assert repr(subject.module) == expected
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "printing/module_list-compresses-equal-items",
    "torch.nn.ModuleList.__repr__",
    "Return a custom repr for ModuleList that compresses repeated module representations.",
    since="2.0",
    needs=(REPR, "ModuleList"),
)
@given(
    runs=st.lists(
        st.tuples(st.sampled_from((bp.Identity(), bp.Linear(2, 2), bp.ReLU())), st.integers(1, 4)), max_size=4
    )
)
def test_repr_of_a_module_list_compresses_runs_of_equal_items(implementation, device, runs):
    """repr of a ModuleList writes a run of n items with equal repr as one line "(i-j): n x repr"."""
    blueprint = bp.ModuleList([layer for layer, count in runs for _ in range(count)])
    subject = implementation.build(blueprint, device)
    expected = implementation.representation(subject.model)
    assert repr(subject.module) == expected
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "printing/extra_repr-is-shown",
    "torch.nn.Module.extra_repr",
    "To print customized extra information, you should re-implement this method in your own modules.",
    needs=(REPR, "Module.extra_repr"),
)
@given(name=names(), text=st.text("abc=,() ", min_size=1, max_size=12), depth=st.integers(0, 2))
def test_repr_shows_what_extra_repr_returns(implementation, device, name, text, depth):
    """A class's extra_repr() is shown between the parentheses of its modules, at any depth of the tree."""

    class Net(implementation.Module):
        def extra_repr(self):
            return text

    module, expected = Net(), f"Net({text})"
    for _ in range(depth):
        outer = implementation.Module()
        outer.add_module(name, module)
        module, expected = (
            outer,
            "{}(\n  ({}): {}\n)".format(
                implementation.class_names.get("Module", "Module"), name, expected.replace("\n", "\n  ")
            ),
        )
    assert repr(module) == expected


@clause(
    "printing/extra_repr-several-lines",
    "torch.nn.Module.extra_repr",
    "Both single-line and multi-line strings are acceptable.",
    needs=(REPR, "Module.extra_repr"),
)
@given(lines=st.lists(st.text("ab=1", min_size=1, max_size=6), min_size=2, max_size=4), child=st.booleans())
def test_repr_puts_a_multi_line_extra_repr_before_the_children(implementation, device, lines, child):
    """A multi-line extra_repr() is printed one line each, indented, before the children."""

    class Net(implementation.Module):
        def extra_repr(self):
            return "\n".join(lines)

    module = Net()
    if child:
        module.add_module("child", implementation.Identity())
    body = [*lines, *(["(child): Identity()"] if child else [])]
    assert repr(module) == "Net(\n  " + "\n  ".join(body) + "\n)"


@clause(
    "printing/repr-changes-nothing",
    "torch.nn.Module.extra_repr",
    "Return the extra representation of the module.",
    needs=REPR,
)
@for_any_module(blueprint=blueprints())
def test_repr_never_raises_and_changes_nothing(implementation, device, blueprint):
    """repr of any module tree is text, the same each time, and leaves names and values as they were."""
    subject = implementation.build(blueprint, device)
    first = repr(subject.module)
    assert isinstance(first, str) and first == repr(subject.module)
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "printing/every-child-name-appears",
    "torch.nn.Module.named_children",
    "yielding both the name of the module as well as the module itself",
    severity=RECOMMENDED,
    needs=REPR,
)
@for_any_module(blueprint=blueprints(kinds=("Module", "Sequential", "ModuleDict"), shared=True))
def test_repr_names_every_child(implementation, device, blueprint):
    """repr(module) contains "(name): " for every child that a module of the tree has."""
    subject = implementation.build(blueprint, device)
    for module in subject.model.modules():
        text = repr(subject[module.path])
        missing = [name for name, child in module.modules_.items() if child is not None and f"({name}): " not in text]
        assert missing == [], f"{text} does not show {missing}"
    assert subject.portrait() == subject.expected_portrait()
