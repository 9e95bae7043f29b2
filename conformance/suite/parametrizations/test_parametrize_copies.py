"""Parametrized modules: what is asked of them, how they are cached, copied and transferred."""

from __future__ import annotations

import copy

from hypothesis import strategies as st

from conformance.contract import OBSERVED, clause, given
from conformance.suite.parametrizations.test_parametrize import FACTORS, NAMES, NEEDS, REGISTER, REMOVE, TREES, before
from conformance.suite.support.parametrizing import affine, numbers, one_way, with_members

CACHED = "torch.nn.utils.parametrize.cached"
TRANSFER = "torch.nn.utils.parametrize.transfer_parametrizations_and_params"


@clause(
    "parametrize/is_parametrized-tells",
    "torch.nn.utils.parametrize.is_parametrized",
    "``True`` if :attr:`module` has a parametrization for the parameter named :attr:`tensor_name`, or if it has any "
    "parametrization when :attr:`tensor_name` is ``None``; otherwise ``False``",
    since="1.9",
    needs=NEEDS,
)
@given(blueprint=TREES, name=NAMES)
def test_is_parametrized_tells_which_names_are(implementation, device, blueprint, name):
    """is_parametrized() is True exactly for names with a parametrization, and for modules that have one."""
    module = implementation.build(with_members(blueprint), device).module
    other = implementation.build(with_members(blueprint), device).module
    tells = implementation.parametrize.is_parametrized
    assert [tells(module), tells(module, name), tells(module, "more")] == [False, False, False]
    implementation.parametrize.register_parametrization(module, name, one_way(implementation, 2.0))
    assert [tells(module), tells(module, name), tells(module, "more")] == [True, True, False]
    assert [tells(other), tells(other, name)] == [False, False]
    implementation.parametrize.remove_parametrizations(module, name)
    assert [tells(module), tells(module, name), tells(module, "more")] == [False, False, False]


@clause(
    "parametrize/type_before_parametrizations-tells",
    "torch.nn.utils.parametrize.type_before_parametrizations",
    "Return the module type before parametrizations were applied and if not, then it returns the module type.",
    since="1.12",
    needs=NEEDS,
)
@given(blueprint=TREES, name=NAMES)
def test_type_before_parametrizations_is_the_class_that_the_module_had(implementation, device, blueprint, name):
    """type_before_parametrizations() is the class that the module had, of which it is still an instance."""

    class Own(implementation.Module):
        pass

    module = Own()
    module.weight = implementation.parameter(implementation.tensor([1.0, 2.0], device=device))
    module.rest = implementation.build(blueprint, device).module
    assert implementation.parametrize.type_before_parametrizations(module) is Own
    implementation.parametrize.register_parametrization(module, "weight", one_way(implementation, 2.0))
    assert implementation.parametrize.type_before_parametrizations(module) is Own
    assert isinstance(module, Own)


@clause(
    "parametrize/mode-of-the-module",
    REGISTER,
    "The training mode of a registered parametrization is updated on registration to match the training mode of the "
    "host module",
    since="1.9",
    needs=NEEDS,
)
@given(blueprint=TREES, own=st.booleans(), other=st.booleans())
def test_a_parametrization_takes_the_mode_of_the_module(implementation, device, blueprint, own, other):
    """A parametrization is in the mode of the module from its registration on, and follows train() and eval()."""
    module = implementation.build(with_members(blueprint), device).module.train(own)
    for name in ("own", "mean", "own"):
        each = one_way(implementation, 2.0).train(other)
        implementation.parametrize.register_parametrization(module, name, each)
        assert each.training is own
    module.train(not own)
    assert each.training is not own


@clause(
    "parametrize/cached-once",
    CACHED,
    "The value of the parametrized objects is computed and cached the first time they are required when this context "
    "manager is active. The cached values are discarded when leaving the context manager.",
    since="1.9",
    needs=NEEDS,
)
@given(blueprint=TREES, name=NAMES, nested=st.booleans(), raises=st.booleans())
def test_inside_cached_a_parametrized_tensor_is_computed_once(implementation, device, blueprint, name, nested, raises):
    """Inside cached() a parametrized tensor is computed when it is first read, and then the same object; after it, also
    where it was left by an exception, it is computed each time that it is read."""
    module = implementation.build(with_members(blueprint), device).module
    each = affine(implementation, 2.0)
    implementation.parametrize.register_parametrization(module, name, each)
    start = each.calls
    try:
        with implementation.parametrize.cached():
            first = getattr(module, name)
            if nested:
                with implementation.parametrize.cached():
                    assert getattr(module, name) is first
            assert getattr(module, name) is first
            assert each.calls == start + 1
            if raises:
                raise ArithmeticError("inside cached")
    except ArithmeticError:
        pass
    setattr(module, name, implementation.tensor([7.0, 9.0], device=device))
    after = each.calls
    assert numbers(implementation, getattr(module, name)) == (7.0, 9.0)
    assert numbers(implementation, getattr(module, name)) == (7.0, 9.0)
    assert each.calls == after + 2


@clause(
    "parametrize/cached-values-of-a-copy-are-its-own",
    CACHED,
    "The value of the parametrized objects is computed and cached the first time they are required",
    since="1.12",
    needs=(*NEEDS, "deepcopy"),
)
@given(blueprint=TREES, name=NAMES)
def test_inside_cached_a_copy_has_values_of_its_own(implementation, device, blueprint, name):
    """Inside cached() the parametrized tensor of a deep copy is computed from the copy's original."""
    module = implementation.build(with_members(blueprint), device).module
    implementation.parametrize.register_parametrization(module, name, affine(implementation, 2.0))
    copied = copy.deepcopy(module)
    setattr(copied, name, implementation.tensor([7.0, 9.0], device=device))
    with implementation.parametrize.cached():
        found = numbers(implementation, getattr(module, name)), numbers(implementation, getattr(copied, name))
    assert found == (before(name), (7.0, 9.0))


@clause(
    "parametrize/deep-copy-is-independent",
    "source:torch.nn.utils.parametrize._inject_new_class",
    "Just emulate a standard deepcopy procedure when __deepcopy__ doesn't exist in the current class.",
    severity=OBSERVED,
    since="1.13",
    needs=(*NEEDS, "deepcopy"),
)
@given(blueprint=TREES, name=NAMES, factor=FACTORS)
def test_a_deep_copy_of_a_parametrized_module_is_independent(implementation, device, blueprint, name, factor):
    """A deep copy of a parametrized module is parametrized alike, with the same names and values; what is assigned to one
    is not seen in the other."""
    module = implementation.build(with_members(blueprint), device).module
    implementation.parametrize.register_parametrization(module, name, affine(implementation, factor))
    copied = copy.deepcopy(module)
    assert list(copied.state_dict()) == list(module.state_dict())
    assert numbers(implementation, getattr(copied, name)) == before(name)
    setattr(copied, name, implementation.tensor([7.0, 9.0], device=device))
    assert numbers(implementation, getattr(copied, name)) == (7.0, 9.0)
    assert numbers(implementation, getattr(module, name)) == before(name)


@clause(
    "parametrize/removal-from-a-copy",
    REMOVE,
    "Remove the parametrizations on a tensor in a module.",
    since="1.13",
    needs=(*NEEDS, "deepcopy"),
)
@given(blueprint=TREES, name=NAMES, factor=FACTORS, from_the_copy=st.booleans())
def test_removing_parametrizations_from_a_copy_leaves_the_other(
    implementation, device, blueprint, name, factor, from_the_copy
):
    """Removing the parametrizations of a tensor in a module leaves those of a module that it was copied from, or to, as
    they are."""
    module = implementation.build(with_members(blueprint), device).module
    implementation.parametrize.register_parametrization(module, name, affine(implementation, factor))
    copied = copy.deepcopy(module)
    one, other = (copied, module) if from_the_copy else (module, copied)
    implementation.parametrize.remove_parametrizations(one, name)
    assert numbers(implementation, getattr(one, name)) == before(name)
    assert implementation.parametrize.is_parametrized(other, name)
    assert numbers(implementation, getattr(other, name)) == before(name)


@clause(
    "parametrize/registration-on-a-copy",
    REGISTER,
    "Register a parametrization to a tensor in a module.",
    since="1.13",
    needs=(*NEEDS, "deepcopy"),
)
@given(blueprint=TREES, factor=FACTORS)
def test_registering_a_parametrization_on_a_copy_leaves_the_other(implementation, device, blueprint, factor):
    """Registering a parametrization of a further tensor in a deep copy leaves that tensor of the other as it is."""
    subject = implementation.build(with_members(blueprint), device)
    implementation.parametrize.register_parametrization(subject.module, "own", affine(implementation, 2.0))
    copied = copy.deepcopy(subject.module)
    implementation.parametrize.register_parametrization(copied, "mean", one_way(implementation, factor))
    assert numbers(implementation, copied.mean) == tuple(factor * x for x in before("mean"))
    assert subject.module.mean is subject["mean"]


@clause(
    "parametrize/transferred-to-another-module",
    TRANSFER,
    "Transfer parametrizations and the parameters they parametrize from :attr:`from_module` to :attr:`to_module`.",
    since="1.12",
    needs=NEEDS,
)
@given(blueprint=TREES, factor=FACTORS, named=st.booleans(), there=st.booleans())
def test_transferring_gives_the_other_module_parametrization_and_parameter(
    implementation, device, blueprint, factor, named, there
):
    """transfer_parametrizations_and_params, which returns the second module, gives it the first one's parametrizations and
    the parameters that they parametrize, also where it has no parameter of that name; the first keeps them."""
    source = implementation.build(with_members(blueprint), device).module
    target = implementation.build(with_members(blueprint) if there else blueprint, device).module
    implementation.parametrize.register_parametrization(source, "own", affine(implementation, factor))
    source.own = implementation.tensor([7.0, 9.0], device=device)
    arguments = ("own",) if named else ()
    assert implementation.parametrize.transfer_parametrizations_and_params(source, target, *arguments) is target
    assert implementation.parametrize.is_parametrized(target, "own")
    for module in (source, target):
        assert numbers(implementation, module.own) == (7.0, 9.0)
        assert "parametrizations.own.original" in dict(module.named_parameters())


@clause(
    "parametrize/nothing-to-transfer",
    TRANSFER,
    "Does nothing if from_module is not parametrized.",
    since="1.12",
    needs=NEEDS,
)
@given(blueprint=TREES)
def test_transferring_from_a_module_without_parametrizations_does_nothing(implementation, device, blueprint):
    """transfer_parametrizations_and_params does nothing where the first module is not parametrized."""
    source, target = (implementation.build(with_members(blueprint), device) for _ in range(2))
    assert (
        implementation.parametrize.transfer_parametrizations_and_params(source.module, target.module) is target.module
    )
    for subject in (source, target):
        assert subject.named(subject.module.named_parameters()) == subject.model.named_parameters()
        assert subject.readings() == subject.expected_readings()
        assert not implementation.parametrize.is_parametrized(subject.module)
