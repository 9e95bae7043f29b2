"""The iterators over children and modules, and apply: what they visit, in which order and how often."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import strategies as st

from conformance.contract import clause, for_any_module, given
from conformance.language import blueprint as bp
from strategies import blueprints, parameters, prefixes


@clause(
    "traversal/named_children-immediate-in-order",
    "torch.nn.Module.named_children",
    "Return an iterator over immediate children modules, yielding both the name of the module as well as the module itself.",
)
@for_any_module(blueprint=blueprints())
def test_named_children_yields_the_immediate_children_in_registration_order(implementation, device, blueprint):
    """named_children() and children() yield the immediate children of every module in registration order, None skipped and
    a child under two names once."""
    subject = implementation.build(blueprint, device)
    for module in subject.model.modules():
        here = subject[module.path]
        assert subject.named(here.named_children()) == module.named_children()
        assert subject.paths(here.children()) == [path for _, path in module.named_children()]
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "traversal/named_modules-self-first-depth-first",
    "torch.nn.Module.named_modules",
    "Return an iterator over all modules in the network, yielding both the name of the module as well as the module itself.",
)
@for_any_module(blueprint=blueprints(), prefix=prefixes())
def test_named_modules_yields_the_module_itself_first_then_depth_first(implementation, device, blueprint, prefix):
    """named_modules(prefix) yields the module itself under the prefix, then every descendant depth first, each once under
    its first name."""
    subject = implementation.build(blueprint, device)
    assert subject.named(subject.module.named_modules(prefix=prefix)) == subject.model.named_modules(prefix)
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "traversal/empty-containers-are-visited",
    "torch.nn.Module.named_modules",
    "Return an iterator over all modules in the network, yielding both the name of the module as well as the module itself.",
    needs=("ModuleList", "ModuleDict", "Sequential"),
)
@given(kind=st.sampled_from(("ModuleList", "ModuleDict", "Sequential")), parameter=parameters(("float32",)))
def test_a_container_without_modules_is_visited_like_any_module(implementation, device, kind, parameter):
    """A ModuleList, ModuleDict or Sequential that holds no module yet is among the modules of its parent, and what is
    registered on it is among the parent's parameters and buffers."""
    module, container = implementation.Module(), getattr(implementation, kind)()
    container.own = implementation.parameter(implementation.make(parameter, device), parameter.differentiable)
    implementation.register_buffer(container, "kept", implementation.make(bp.Tensor((1,)), device), True)
    module.child = container
    assert [name for name, _ in module.named_modules()] == ["", "child"]
    assert [name for name, _ in module.named_parameters()] == ["child.own"]
    assert [name for name, _ in module.named_buffers()] == ["child.kept"]


@clause(
    "traversal/named_modules-every-path-with-duplicates",
    "torch.nn.Module.named_modules",
    "whether to remove the duplicated module instances in the result or not",
    since="1.9",
    needs="Module.named_modules(remove_duplicate)",
)
@for_any_module(blueprint=blueprints())
def test_remove_duplicate_false_yields_every_path_of_every_module(implementation, device, blueprint):
    """named_modules(remove_duplicate=False) yields a shared module once per path, and its descendants with it."""
    subject = implementation.build(blueprint, device)
    observed = subject.named(subject.module.named_modules(remove_duplicate=False))
    assert observed == subject.model.named_modules(remove_duplicate=False)
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "traversal/named_modules-skips-what-memo-holds",
    "torch.nn.Module.named_modules",
    "a memo to store the set of modules already added to the result",
    needs="Module.named_modules(memo)",
)
@for_any_module(blueprint=blueprints(), places=st.lists(st.integers(0, 23), min_size=1, max_size=3))
def test_named_modules_skips_and_extends_memo(implementation, device, blueprint, places):
    """named_modules(memo=seen) skips the modules already in the set, itself included, with all below them, and adds those
    it yields."""
    subject = implementation.build(blueprint, device)
    modules = subject.model.modules()
    known = [modules[place % len(modules)] for place in places]
    seen = {subject[module.path] for module in known}
    observed = subject.named(subject.module.named_modules(memo=seen))
    expected = [(name, module.path) for name, module in subject.model.visits(seen=set(known))]
    assert observed == expected
    assert set(subject.paths(seen)) == {module.path for module in known} | {path for _, path in expected}
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "traversal/modules-each-once",
    "torch.nn.Module.modules",
    "Return an iterator over all modules in the network.",
)
@for_any_module(blueprint=blueprints())
def test_modules_yields_every_module_once(implementation, device, blueprint):
    """modules() yields the modules of named_modules() without names: a shared module once."""
    subject = implementation.build(blueprint, device)
    assert subject.paths(subject.module.modules()) == [path for _, path in subject.model.named_modules()]
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "traversal/modules-every-path-with-duplicates",
    "torch.nn.Module.modules",
    "whether to remove the duplicated module instances in the result",
    since="2.11",
    needs="Module.modules(remove_duplicate)",
)
@for_any_module(blueprint=blueprints())
def test_modules_with_duplicates_yields_a_shared_module_once_per_path(implementation, device, blueprint):
    """modules(remove_duplicate=False) yields a shared module once per path."""
    subject = implementation.build(blueprint, device)
    observed = subject.paths(subject.module.modules(remove_duplicate=False))
    assert observed == [path for _, path in subject.model.named_modules(remove_duplicate=False)]
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "traversal/lazy-iterators",
    "torch.nn.Module.parameters",
    "Return an iterator over module parameters.",
)
@for_any_module(blueprint=blueprints())
def test_every_collection_is_an_iterator_and_each_call_a_fresh_one(implementation, device, blueprint):
    """parameters(), buffers(), children(), modules() and their named_ forms return iterators, each call a fresh one."""
    subject = implementation.build(blueprint, device)
    for name in ("parameters", "buffers", "children", "modules"):
        for method in (name, f"named_{name}"):
            first, second = getattr(subject.module, method)(), getattr(subject.module, method)()
            assert isinstance(first, Iterator), f"{method}() returned a {type(first).__name__}"
            look = subject.named if method.startswith("named_") else subject.paths
            consumed = look(first)
            assert look(second) == consumed, f"{method}(): the second call continued the first"
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "traversal/apply-children-first",
    "torch.nn.Module.apply",
    "Apply ``fn`` recursively to every submodule (as returned by ``.children()``) as well as self.",
)
@for_any_module(blueprint=blueprints())
def test_apply_visits_children_before_the_module_itself_and_returns_it(implementation, device, blueprint):
    """apply(fn) calls fn on every submodule as returned by children(), recursively, then on the module itself, which it
    returns."""
    subject = implementation.build(blueprint, device)
    visited = []
    result = subject.module.apply(lambda module: visited.append(subject.path(module)))
    assert visited == subject.model.apply_order()
    assert result is subject.module
    assert subject.portrait() == subject.expected_portrait()
