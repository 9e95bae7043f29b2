"""Recursive collection: what the iterators over parameters, buffers and modules yield, in which order and how often."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import strategies as st

from conformance.contract import clause, given
from conformance.language import blueprint as bp
from conformance.language.transform import extended
from strategies import blueprints, parameters, prefixes


@clause(
    "traversal/named_parameters-own-then-children",
    "torch.nn.Module.named_parameters",
    "yielding both the name of the parameter as well as the parameter itself",
)
@given(blueprint=blueprints())
def test_named_parameters_yields_own_parameters_then_those_of_each_child(implementation, device, blueprint):
    """named_parameters() yields every parameter of the tree with its dotted name: a module's own in registration order,
    then those of each child in registration order, depth first."""
    subject = implementation.build(blueprint, device)
    assert subject.named(subject.module.named_parameters()) == subject.model.named_parameters()


@clause(
    "traversal/parameters-are-those-of-named_parameters",
    "torch.nn.Module.parameters",
    "Return an iterator over module parameters.",
)
@given(blueprint=blueprints())
def test_parameters_yields_the_same_objects_without_names(implementation, device, blueprint):
    """parameters() yields the parameters of named_parameters(), in the same order, without the names."""
    subject = implementation.build(blueprint, device)
    assert subject.paths(subject.module.parameters()) == [path for _, path in subject.model.named_parameters()]


@clause(
    "traversal/own-parameters-only-without-recurse",
    "torch.nn.Module.named_parameters",
    "Otherwise, yields only parameters that are direct members of this module.",
)
@given(blueprint=blueprints())
def test_recurse_false_yields_only_the_direct_parameters_of_each_module(implementation, device, blueprint):
    """named_parameters(recurse=False) yields only the direct members of the module, at every node of the tree."""
    subject = implementation.build(blueprint, device)
    for module in subject.model.modules():
        observed = subject.named(subject[module.path].named_parameters(recurse=False))
        assert observed == module.named_parameters(recurse=False)


@clause(
    "traversal/named_parameters-prefix",
    "torch.nn.Module.named_parameters",
    "prefix to prepend to all parameter names",
)
@given(blueprint=blueprints(), prefix=prefixes())
def test_prefix_is_prepended_to_every_parameter_name(implementation, device, blueprint, prefix):
    """named_parameters(prefix) puts the prefix and a dot in front of every name."""
    subject = implementation.build(blueprint, device)
    assert subject.named(subject.module.named_parameters(prefix=prefix)) == subject.model.named_parameters(prefix)


@clause(
    "traversal/shared-parameter-once-under-its-first-name",
    "torch.nn.Module.named_parameters",
    "whether to remove the duplicated parameters in the result. Defaults to True.",
)
@given(blueprint=blueprints())
def test_a_shared_parameter_is_yielded_once_under_its_first_name(implementation, device, blueprint):
    """A parameter reachable under several names is yielded once, under the first of them."""
    subject = implementation.build(blueprint, device)
    observed = subject.named(subject.module.named_parameters())
    assert len({path for _, path in observed}) == len(observed)
    assert observed == subject.model.named_parameters(remove_duplicate=True)


@clause(
    "traversal/named_parameters-every-name-with-duplicates",
    "torch.nn.Module.named_parameters",
    "whether to remove the duplicated parameters in the result.",
    since="2.0",
    needs="Module.named_parameters(remove_duplicate)",
)
@given(blueprint=blueprints())
def test_remove_duplicate_false_yields_every_name_of_every_parameter(implementation, device, blueprint):
    """named_parameters(remove_duplicate=False) yields a shared parameter once per name."""
    subject = implementation.build(blueprint, device)
    observed = subject.named(subject.module.named_parameters(remove_duplicate=False))
    assert observed == subject.model.named_parameters(remove_duplicate=False)


@clause(
    "traversal/named_buffers-own-then-children",
    "torch.nn.Module.named_buffers",
    "yielding both the name of the buffer as well as the buffer itself",
)
@given(blueprint=blueprints())
def test_named_buffers_yields_own_buffers_then_those_of_each_child(implementation, device, blueprint):
    """named_buffers() yields every buffer of the tree, persistent or not, in the order and under the names of a depth-first
    walk, each object once."""
    subject = implementation.build(blueprint, device)
    assert subject.named(subject.module.named_buffers()) == subject.model.named_buffers()
    assert subject.paths(subject.module.buffers()) == [path for _, path in subject.model.named_buffers()]


@clause(
    "traversal/named_buffers-prefix-and-recurse",
    "torch.nn.Module.named_buffers",
    "prefix to prepend to all buffer names",
)
@given(blueprint=blueprints(), prefix=prefixes())
def test_prefix_and_recurse_apply_to_buffers_as_to_parameters(implementation, device, blueprint, prefix):
    """named_buffers(prefix, recurse=False) yields the module's own buffers only, the prefix in front of each name."""
    subject = implementation.build(blueprint, device)
    observed = subject.named(subject.module.named_buffers(prefix=prefix, recurse=False))
    assert observed == subject.model.named_buffers(prefix, recurse=False)
    assert subject.named(subject.module.named_buffers(prefix=prefix)) == subject.model.named_buffers(prefix)


@clause(
    "traversal/named_buffers-every-name-with-duplicates",
    "torch.nn.Module.named_buffers",
    "whether to remove the duplicated buffers in the result. Defaults to True.",
    since="2.0",
    needs="Module.named_buffers(remove_duplicate)",
)
@given(blueprint=blueprints())
def test_remove_duplicate_false_yields_every_name_of_every_buffer(implementation, device, blueprint):
    """named_buffers(remove_duplicate=False) yields a shared buffer once per name."""
    subject = implementation.build(blueprint, device)
    observed = subject.named(subject.module.named_buffers(remove_duplicate=False))
    assert observed == subject.model.named_buffers(remove_duplicate=False)


@clause(
    "traversal/named_children-immediate-in-order",
    "torch.nn.Module.named_children",
    "Return an iterator over immediate children modules, yielding both the name of the module as well as the module itself.",
)
@given(blueprint=blueprints())
def test_named_children_yields_the_immediate_children_in_registration_order(implementation, device, blueprint):
    """named_children() and children() yield the immediate children of every module in registration order, None skipped and
    a child under two names once."""
    subject = implementation.build(blueprint, device)
    for module in subject.model.modules():
        here = subject[module.path]
        assert subject.named(here.named_children()) == module.named_children()
        assert subject.paths(here.children()) == [path for _, path in module.named_children()]


@clause(
    "traversal/named_modules-self-first-depth-first",
    "torch.nn.Module.named_modules",
    "Return an iterator over all modules in the network, yielding both the name of the module as well as the module itself.",
)
@given(blueprint=blueprints(), prefix=prefixes())
def test_named_modules_yields_the_module_itself_first_then_depth_first(implementation, device, blueprint, prefix):
    """named_modules(prefix) yields the module itself under the prefix, then every descendant depth first, each once under
    its first name."""
    subject = implementation.build(blueprint, device)
    assert subject.named(subject.module.named_modules(prefix=prefix)) == subject.model.named_modules(prefix)


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
@given(blueprint=blueprints())
def test_remove_duplicate_false_yields_every_path_of_every_module(implementation, device, blueprint):
    """named_modules(remove_duplicate=False) yields a shared module once per path, and its descendants with it."""
    subject = implementation.build(blueprint, device)
    observed = subject.named(subject.module.named_modules(remove_duplicate=False))
    assert observed == subject.model.named_modules(remove_duplicate=False)


@clause(
    "traversal/named_modules-skips-what-memo-holds",
    "torch.nn.Module.named_modules",
    "a memo to store the set of modules already added to the result",
    needs="Module.named_modules(memo)",
)
@given(blueprint=blueprints())
def test_named_modules_skips_and_extends_memo(implementation, device, blueprint):
    """named_modules(memo=seen) skips the modules already in the set, with all below them, and adds those it yields."""
    subject = implementation.build(blueprint, device)
    for name, known in subject.model.named_modules()[1:2]:
        seen = {subject[known]}
        observed = subject.named(subject.module.named_modules(memo=seen))
        modules = {module.path: module for module in subject.model.modules()}
        expected = [(name, module.path) for name, module in subject.model.visits(seen={modules[known]})]
        assert observed == expected
        assert set(subject.paths(seen)) == {known, *(path for _, path in expected)}


@clause(
    "traversal/modules-each-once",
    "torch.nn.Module.modules",
    "Return an iterator over all modules in the network.",
)
@given(blueprint=blueprints())
def test_modules_yields_every_module_once(implementation, device, blueprint):
    """modules() yields the modules of named_modules() without names: a shared module once."""
    subject = implementation.build(blueprint, device)
    assert subject.paths(subject.module.modules()) == [path for _, path in subject.model.named_modules()]


@clause(
    "traversal/modules-every-path-with-duplicates",
    "torch.nn.Module.modules",
    "whether to remove the duplicated module instances in the result",
    since="2.11",
    needs="Module.modules(remove_duplicate)",
)
@given(blueprint=blueprints())
def test_modules_with_duplicates_yields_a_shared_module_once_per_path(implementation, device, blueprint):
    """modules(remove_duplicate=False) yields a shared module once per path."""
    subject = implementation.build(blueprint, device)
    observed = subject.paths(subject.module.modules(remove_duplicate=False))
    assert observed == [path for _, path in subject.model.named_modules(remove_duplicate=False)]


@clause(
    "traversal/lazy-iterators",
    "torch.nn.Module.parameters",
    "Return an iterator over module parameters.",
)
@given(blueprint=blueprints())
def test_every_collection_is_an_iterator_and_each_call_a_fresh_one(implementation, device, blueprint):
    """parameters(), buffers(), children(), modules() and their named_ forms return iterators, each call a fresh one."""
    subject = implementation.build(blueprint, device)
    for name in ("parameters", "buffers", "children", "modules"):
        for method in (name, f"named_{name}"):
            first, second = getattr(subject.module, method)(), getattr(subject.module, method)()
            assert isinstance(first, Iterator), f"{method}() returned a {type(first).__name__}"
            consumed = len(list(first))
            assert len(list(second)) == consumed, f"{method}(): the second call continued the first"


@clause(
    "traversal/apply-children-first",
    "torch.nn.Module.apply",
    "Apply ``fn`` recursively to every submodule (as returned by ``.children()``) as well as self.",
)
@given(blueprint=blueprints())
def test_apply_visits_children_before_the_module_itself_and_returns_it(implementation, device, blueprint):
    """apply(fn) calls fn on every submodule as returned by children(), recursively, then on the module itself, which it
    returns."""
    subject = implementation.build(blueprint, device)
    visited = []
    result = subject.module.apply(lambda module: visited.append(subject.path(module)))
    assert visited == subject.model.apply_order()
    assert result is subject.module


@clause(
    "traversal/submodule-by-path",
    "torch.nn.Module.get_submodule",
    "Return the submodule given by ``target`` if it exists, otherwise throw an error.",
    since="1.9",
    needs="Module.get_submodule",
)
@given(blueprint=blueprints())
def test_get_submodule_finds_the_module_under_every_path(implementation, device, blueprint):
    """get_submodule(path) returns the module that named_modules(remove_duplicate=False) lists under that path."""
    subject = implementation.build(blueprint, device)
    for name, path in subject.model.named_modules(remove_duplicate=False):
        assert subject.path(subject.module.get_submodule(name)) == path


@clause(
    "traversal/parameter-and-buffer-by-path",
    "torch.nn.Module.get_parameter",
    "Return the parameter given by ``target`` if it exists, otherwise throw an error.",
    since="1.9",
    needs=("Module.get_parameter", "Module.get_buffer"),
)
@given(blueprint=blueprints())
def test_get_parameter_and_get_buffer_find_what_is_registered_under_every_path(implementation, device, blueprint):
    """get_parameter(path) and get_buffer(path) return the parameter and the buffer of that name, also a second name."""
    subject = implementation.build(blueprint, device)
    for name, path in subject.model.named_parameters(remove_duplicate=False):
        assert subject.path(subject.module.get_parameter(name)) == path
    for name, path in subject.model.named_buffers(remove_duplicate=False):
        assert subject.path(subject.module.get_buffer(name)) == path


@clause(
    "traversal/wrong-path-raises-attribute_error",
    "torch.nn.Module.get_submodule",
    "If at any point along the path resulting from the target string the (sub)path resolves to a non-existent attribute name "
    "or an object that is not an instance of ``nn.Module``.",
    since="1.9",
    needs=("Module.get_submodule", "Module.get_parameter", "Module.get_buffer"),
)
@given(blueprint=blueprints())
def test_a_path_to_nothing_or_to_another_kind_raises_attribute_error(implementation, device, blueprint):
    """get_submodule, get_parameter and get_buffer raise AttributeError where the path leads nowhere or to an object of
    another kind."""
    subject = implementation.build(blueprint, device)
    named = {
        "get_submodule": {name for name, _ in subject.model.named_modules(remove_duplicate=False)},
        "get_parameter": {name for name, _ in subject.model.named_parameters(remove_duplicate=False)},
        "get_buffer": {name for name, _ in subject.model.named_buffers(remove_duplicate=False)},
    }
    paths = {"absent", "absent.deeper"}.union(*named.values()) - {""}
    for method, known in named.items():
        for path in sorted(paths - known):
            try:
                found = getattr(subject.module, method)(path)
            except AttributeError:
                continue
            raise AssertionError(f"{method}({path!r}) returned a {type(found).__name__}, expected AttributeError")


@clause(
    "traversal/set_submodule-replaces-by-path",
    "torch.nn.Module.set_submodule",
    "Set the submodule given by ``target`` if it exists, otherwise throw an error.",
    since="2.5",
    needs="Module.set_submodule",
)
@given(blueprint=blueprints(shared=False), place=st.integers(0, 15))
def test_set_submodule_puts_a_module_in_the_place_of_the_one_under_a_path(implementation, device, blueprint, place):
    """set_submodule(path, new) puts new in the place of the submodule under that path, and leaves the rest of the tree."""
    subject = implementation.build(extended(blueprint, child=bp.Module({"inner": bp.Module()})), device)
    names = [name for name, _ in subject.model.named_modules()]
    target, new = names[1 + place % (len(names) - 1)], implementation.Module()
    subject.module.set_submodule(target, new)
    found = dict(subject.module.named_modules())
    assert found[target] is new
    assert sorted(found) == sorted(name for name in names if not name.startswith(f"{target}."))


@clause(
    "traversal/set_submodule-refuses-wrong-targets",
    "torch.nn.Module.set_submodule",
    "ValueError: If the ``target`` string is empty",
    since="2.7",
    needs="Module.set_submodule",
)
@given(blueprint=blueprints())
def test_set_submodule_refuses_no_target_and_a_parent_that_is_not_there(implementation, device, blueprint):
    """set_submodule raises ValueError for an empty target and AttributeError where the path leads through what is not
    there; it then changes nothing."""
    subject = implementation.build(blueprint, device)
    new = implementation.Module()
    with pytest.raises(ValueError):
        subject.module.set_submodule("", new)
    with pytest.raises(AttributeError):
        subject.module.set_submodule("absent.deeper", new)
    assert subject.named(subject.module.named_modules()) == subject.model.named_modules()


@clause(
    "traversal/set_submodule-strict-adds-nothing",
    "torch.nn.Module.set_submodule",
    "the method will only attempt to replace an existing submodule and throw an error if the submodule does not exist",
    since="2.7",
    needs="Module.set_submodule(strict)",
)
@given(blueprint=blueprints())
def test_set_submodule_adds_a_submodule_unless_it_is_strict(implementation, device, blueprint):
    """set_submodule(path, new, strict=True) raises AttributeError where there is no submodule yet, which without strict it
    adds."""
    subject = implementation.build(blueprint, device)
    new = implementation.Module()
    with pytest.raises(AttributeError):
        subject.module.set_submodule("absent", new, strict=True)
    assert subject.named(subject.module.named_modules()) == subject.model.named_modules()
    subject.module.set_submodule("absent", new)
    assert subject.module.get_submodule("absent") is new
