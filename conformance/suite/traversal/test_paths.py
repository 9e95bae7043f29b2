"""Paths: what stands under a dotted path, and what set_submodule puts there."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from conformance.contract import clause, for_any_module
from conformance.language import blueprint as bp
from conformance.language.transform import extended
from strategies import blueprints


@clause(
    "traversal/submodule-by-path",
    "torch.nn.Module.get_submodule",
    "Return the submodule given by ``target`` if it exists, otherwise throw an error.",
    since="1.9",
    needs="Module.get_submodule",
)
@for_any_module(blueprint=blueprints())
def test_get_submodule_finds_the_module_under_every_path(implementation, device, blueprint):
    """get_submodule(path) returns the module that named_modules(remove_duplicate=False) lists under that path."""
    subject = implementation.build(blueprint, device)
    for name, path in subject.model.named_modules(remove_duplicate=False):
        assert subject.path(subject.module.get_submodule(name)) == path
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "traversal/parameter-and-buffer-by-path",
    "torch.nn.Module.get_parameter",
    "Return the parameter given by ``target`` if it exists, otherwise throw an error.",
    since="1.9",
    needs=("Module.get_parameter", "Module.get_buffer"),
)
@for_any_module(blueprint=blueprints())
def test_get_parameter_and_get_buffer_find_what_is_registered_under_every_path(implementation, device, blueprint):
    """get_parameter(path) and get_buffer(path) return the parameter and the buffer of that name, also a second name."""
    subject = implementation.build(blueprint, device)
    for name, path in subject.model.named_parameters(remove_duplicate=False):
        assert subject.path(subject.module.get_parameter(name)) == path
    for name, path in subject.model.named_buffers(remove_duplicate=False):
        assert subject.path(subject.module.get_buffer(name)) == path
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "traversal/wrong-path-raises-attribute_error",
    "torch.nn.Module.get_submodule",
    "If at any point along the path resulting from the target string the (sub)path resolves to a non-existent attribute name "
    "or an object that is not an instance of ``nn.Module``.",
    since="1.9",
    needs=("Module.get_submodule", "Module.get_parameter", "Module.get_buffer"),
)
@for_any_module(blueprint=blueprints())
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
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "traversal/set_submodule-replaces-by-path",
    "torch.nn.Module.set_submodule",
    "Set the submodule given by ``target`` if it exists, otherwise throw an error.",
    since="2.5",
    needs="Module.set_submodule",
)
@for_any_module(blueprint=blueprints(shared=False), place=st.integers(0, 15))
def test_set_submodule_puts_a_module_in_the_place_of_the_one_under_a_path(implementation, device, blueprint, place):
    """set_submodule(path, new) puts new in the place of the submodule under that path, and leaves the rest of the tree, in
    its order."""
    subject = implementation.build(extended(blueprint, child=bp.Module({"inner": bp.Module()})), device)
    before = subject.model.named_modules()
    target, new = before[1 + place % (len(before) - 1)][0], implementation.Module()
    subject.module.set_submodule(target, new)
    found = list(subject.module.named_modules())
    assert dict(found)[target] is new
    left = [(name, path) for name, path in before if not name.startswith(f"{target}.")]
    assert [name for name, _ in found] == [name for name, _ in left]
    assert subject.named((name, module) for name, module in found if name != target) == [
        (name, path) for name, path in left if name != target
    ]


@clause(
    "traversal/set_submodule-refuses-wrong-targets",
    "torch.nn.Module.set_submodule",
    "ValueError: If the ``target`` string is empty",
    since="2.7",
    needs="Module.set_submodule",
)
@for_any_module(blueprint=blueprints())
def test_set_submodule_refuses_no_target_and_a_parent_that_is_not_there(implementation, device, blueprint):
    """set_submodule raises ValueError for an empty target and AttributeError where the path leads through what is not
    there; it then changes nothing."""
    subject = implementation.build(blueprint, device)
    new = implementation.Module()
    with pytest.raises(ValueError):
        subject.module.set_submodule("", new)
    with pytest.raises(AttributeError):
        subject.module.set_submodule("absent.deeper", new)
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "traversal/set_submodule-strict-adds-nothing",
    "torch.nn.Module.set_submodule",
    "the method will only attempt to replace an existing submodule and throw an error if the submodule does not exist",
    since="2.7",
    needs="Module.set_submodule(strict)",
)
@for_any_module(blueprint=blueprints())
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
