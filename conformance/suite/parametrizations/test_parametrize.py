"""Parametrizations: a tensor that is computed from another each time that it is read."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from conformance.contract import RECOMMENDED, clause, given
from conformance.language import blueprint as bp
from conformance.suite.support.parametrizing import affine, longer, numbers, one_way, total, with_members
from strategies import blueprints, fills

REGISTER = "torch.nn.utils.parametrize.register_parametrization"
REMOVE = "torch.nn.utils.parametrize.remove_parametrizations"
NEEDS = ("parametrize", "construction")
TREES = blueprints(shared=False)
#: Of powers of two, which lose no digit.
FACTORS = st.sampled_from((2.0, 0.5, -1.0, 4.0))
#: A parameter and a buffer of the same shape.
NAMES = st.sampled_from(("own", "mean"))


def before(name):
    """What the tensor of that name holds at first."""
    return bp.Tensor((2,), "float32", {"own": 3, "mean": 5}[name]).flat


@clause(
    "parametrize/register-and-remove",
    REGISTER,
    "If this method is not implemented, the original tensor will be just the unparametrized tensor.",
    since="1.9",
    needs=NEEDS,
)
@given(blueprint=TREES, name=NAMES, factor=FACTORS)
def test_a_parametrized_tensor_is_computed_from_its_original(implementation, device, blueprint, name, factor):
    """After register_parametrization, which returns the module, the name reads as the parametrization of the tensor that
    it was, and that tensor is original; remove_parametrizations(leave_parametrized=False), which returns the module too,
    puts it back, under the class that the module had."""
    subject = implementation.build(with_members(blueprint), device)
    module, own = subject.module, subject[name]
    assert implementation.parametrize.register_parametrization(module, name, one_way(implementation, factor)) is module
    assert numbers(implementation, getattr(module, name)) == tuple(factor * x for x in before(name))
    assert getattr(module.parametrizations, name).original is own
    removed = implementation.parametrize.remove_parametrizations(module, name, leave_parametrized=False)
    assert removed is module
    assert getattr(module, name) is own
    assert type(module) is implementation.Module
    assert subject.readings() == subject.expected_readings()


@clause(
    "parametrize/chained-in-registration-order",
    REGISTER,
    "Parametrizations may be concatenated by registering several parametrizations on the same attribute.",
    since="1.9",
    needs=NEEDS,
)
@given(blueprint=TREES, name=NAMES, chain=st.lists(st.tuples(FACTORS, st.sampled_from((0.0, 1.0, -2.0))), max_size=3))
def test_several_parametrizations_are_applied_in_order(implementation, device, blueprint, name, chain):
    """Several parametrizations of one tensor are applied in the order in which they were registered, and each is found
    under its number in parametrizations."""
    module = implementation.build(with_members(blueprint), device).module
    implementation.parametrize.register_parametrization(module, name, one_way(implementation, 2.0))
    expected = [2.0 * x for x in before(name)]
    for i, (factor, offset) in enumerate(chain, start=1):
        each = affine(implementation, factor, offset)
        implementation.parametrize.register_parametrization(module, name, each)
        assert getattr(module.parametrizations, name)[i] is each
        expected = [factor * x + offset for x in expected]
        assert numbers(implementation, getattr(module, name)) == tuple(expected)


@clause(
    "parametrize/state_dict-holds-the-original",
    REGISTER,
    "The original tensor will be accessible under ``module.parametrizations.weight.original``.",
    since="1.9",
    needs=NEEDS,
)
@given(blueprint=TREES, name=NAMES, factor=FACTORS)
def test_the_state_dict_holds_the_original(implementation, device, blueprint, name, factor):
    """The state_dict has the original of a parametrized tensor under "parametrizations.NAME.original" in the place of
    the tensor, and loads into a module with the same parametrization."""
    source, target = (implementation.build(with_members(blueprint), device) for _ in range(2))
    for subject in (source, target):
        implementation.parametrize.register_parametrization(subject.module, name, affine(implementation, factor))
    setattr(source.module, name, implementation.tensor([7.0, 9.0], device=device))
    state = source.module.state_dict()
    original = f"parametrizations.{name}.original"
    assert sorted(state) == sorted([original, *(key for key, _ in source.model.state_dict() if key != name)])
    assert numbers(implementation, state[original]) == (7.0 / factor, 9.0 / factor)
    target.module.load_state_dict(state)
    assert numbers(implementation, getattr(target.module, name)) == (7.0, 9.0)


@clause(
    "parametrize/right-inverse",
    REGISTER,
    "If all the parametrizations registered on a tensor implement `right_inverse` it is possible to initialize a "
    "parametrized tensor by assigning to it",
    since="1.10",
    needs=NEEDS,
)
@given(blueprint=TREES, name=NAMES, chain=st.lists(FACTORS, min_size=1, max_size=3), values=st.tuples(fills(), fills()))
def test_assigning_to_a_parametrized_tensor_goes_through_the_right_inverses(
    implementation, device, blueprint, name, chain, values
):
    """A tensor assigned to a parametrized name goes through the right inverses, the last registered one first, into the
    original, so that the name reads as what was assigned; the original stays the same object."""
    module = implementation.build(with_members(blueprint), device).module
    for factor in chain:
        implementation.parametrize.register_parametrization(module, name, affine(implementation, factor, 1.0))
    original = getattr(module.parametrizations, name).original
    assigned = tuple(float(value) for value in values)
    setattr(module, name, implementation.tensor(list(assigned), device=device))
    assert numbers(implementation, getattr(module, name)) == assigned
    inverse = assigned
    for factor in reversed(chain):
        inverse = tuple((x - 1.0) / factor for x in inverse)
    assert getattr(module.parametrizations, name).original is original
    assert numbers(implementation, original) == inverse


@clause(
    "parametrize/first-right_inverse-gives-the-original",
    REGISTER,
    "This method is called on the unparametrized tensor when the first parametrization is registered to compute the "
    "initial value of the original tensor.",
    since="1.10",
    needs=NEEDS,
)
@given(blueprint=TREES, name=NAMES, factor=FACTORS, offset=st.sampled_from((0.0, 1.0)))
def test_the_first_right_inverse_gives_the_original(implementation, device, blueprint, name, factor, offset):
    """When the first parametrization is registered its right_inverse computes the original from the tensor, whose name
    then reads as before."""
    module = implementation.build(with_members(blueprint), device).module
    implementation.parametrize.register_parametrization(module, name, affine(implementation, factor, offset))
    original = getattr(module.parametrizations, name).original
    assert numbers(implementation, original) == tuple((x - offset) / factor for x in before(name))
    assert numbers(implementation, getattr(module, name)) == before(name)


@clause(
    "parametrize/several-originals",
    REGISTER,
    "In this case, the unconstrained tensors are also located under ``module.parametrizations.weight`` with names "
    "``original0``, ``original1``,...",
    since="1.10",
    needs=NEEDS,
)
@given(blueprint=TREES, name=NAMES)
def test_a_right_inverse_of_several_tensors_makes_several_originals(implementation, device, blueprint, name):
    """Where the first right_inverse returns several tensors, they are original0, original1 and so on, of the kind that
    the tensor was, and the name reads as computed from them."""
    subject = implementation.build(with_members(blueprint), device)
    module = subject.module
    implementation.parametrize.register_parametrization(module, name, total(implementation))
    held = dict(module.named_parameters() if name == "own" else module.named_buffers())
    found = [numbers(implementation, held[f"parametrizations.{name}.original{i}"]) for i in (0, 1)]
    assert found == [(1.0, 1.0), tuple(x - 1.0 for x in before(name))]
    assert numbers(implementation, getattr(module, name)) == before(name)
    with pytest.raises(ValueError):
        implementation.parametrize.remove_parametrizations(module, name, leave_parametrized=False)
    assert numbers(implementation, getattr(module, name)) == before(name)


@clause(
    "parametrize/removal-leaves-the-value",
    REMOVE,
    "If ``leave_parametrized=True``, ``module[tensor_name]`` will be set to its current output.",
    since="1.9",
    needs=NEEDS,
)
@given(blueprint=TREES, name=NAMES, factor=FACTORS, several=st.booleans())
def test_removing_leaves_the_value(implementation, device, blueprint, name, factor, several):
    """After remove_parametrizations the name reads as before it, is registered as what it was, a parameter or a buffer,
    and the module has its own class."""
    subject = implementation.build(with_members(blueprint), device)
    module = subject.module
    first = total(implementation) if several else one_way(implementation, factor)
    implementation.parametrize.register_parametrization(module, name, first)
    expected = before(name) if several else tuple(factor * x for x in before(name))
    implementation.parametrize.remove_parametrizations(module, name)
    assert numbers(implementation, getattr(module, name)) == expected
    assert sorted(key for key, _ in module.named_parameters()) == sorted(
        key for key, _ in subject.model.named_parameters()
    )
    assert sorted(key for key, _ in module.named_buffers()) == sorted(key for key, _ in subject.model.named_buffers())
    assert type(module) is implementation.Module


@clause(
    "parametrize/frozen-parameter-stays-a-parameter",
    REMOVE,
    "If ``leave_parametrized=True``, ``module[tensor_name]`` will be set to its current output.",
    severity=RECOMMENDED,
    since="1.10",
    needs=NEEDS,
)
@given(blueprint=TREES, several=st.booleans())
def test_a_frozen_parameter_is_one_again_after_removal(implementation, device, blueprint, several):
    """A parameter that requires no gradient is a parameter again, and requires none, after its parametrization was
    removed."""
    module = implementation.build(with_members(blueprint, requires_grad=False), device).module
    first = total(implementation) if several else one_way(implementation, 2.0)
    implementation.parametrize.register_parametrization(module, "own", first)
    implementation.parametrize.remove_parametrizations(module, "own")
    assert "own" in dict(module.named_parameters())
    assert not implementation.requires_grad(module.own)


@clause(
    "parametrize/removal-keeps-persistence",
    "torch.nn.Module.register_buffer",
    "whether the buffer is part of this module's :attr:`state_dict`.",
    since="1.9",
    needs=NEEDS,
)
@given(blueprint=TREES, parametrized=st.booleans())
def test_a_buffer_that_is_not_persistent_stays_so(implementation, device, blueprint, parametrized):
    """A buffer that is not persistent is not in the state_dict after its parametrization was removed."""
    members = with_members(blueprint)
    volatile = bp.Buffer((2,), "float32", 6, False)
    module = implementation.build(members.replace(members=(*members.members, ("volatile", volatile))), device).module
    implementation.parametrize.register_parametrization(module, "volatile", one_way(implementation, 2.0))
    implementation.parametrize.remove_parametrizations(module, "volatile", leave_parametrized=parametrized)
    assert "volatile" in dict(module.named_buffers())
    assert "volatile" not in module.state_dict()


@clause(
    "parametrize/unknown-names-are-refused",
    REGISTER,
    "ValueError: if the module does not have a parameter or a buffer named :attr:`tensor_name`",
    since="1.9",
    needs=NEEDS,
)
@given(blueprint=TREES)
def test_unknown_names_are_refused(implementation, device, blueprint):
    """Registering a parametrization for a name that is no parameter or buffer, and removing one where none is, raise
    ValueError and change nothing."""
    subject = implementation.build(with_members(blueprint), device)
    with pytest.raises(ValueError):
        implementation.parametrize.register_parametrization(subject.module, "stranger", one_way(implementation, 2.0))
    with pytest.raises(ValueError):
        implementation.parametrize.remove_parametrizations(subject.module, "own")
    assert type(subject.module) is implementation.Module
    assert subject.named(subject.module.named_parameters()) == subject.model.named_parameters()
    assert subject.readings() == subject.expected_readings()


@clause(
    "parametrize/other-shapes-are-refused",
    REGISTER,
    "a boolean flag that denotes whether the parametrization may change the dtype and shape of the tensor. Default: "
    "`False`",
    since="1.10",
    needs=NEEDS,
)
@given(blueprint=TREES)
def test_a_parametrization_that_changes_the_shape_is_refused_unless_unsafe(implementation, device, blueprint):
    """A parametrization that changes the shape is refused, and nothing changes; with unsafe=True it is registered."""
    subject = implementation.build(with_members(blueprint), device)
    module, change = subject.module, longer(implementation, inverse=False)
    with pytest.raises((ValueError, RuntimeError)):
        implementation.parametrize.register_parametrization(module, "own", change)
    assert subject.named(module.named_parameters()) == subject.model.named_parameters()
    assert subject.readings() == subject.expected_readings()
    implementation.parametrize.register_parametrization(module, "own", change, unsafe=True)
    assert numbers(implementation, module.own) == (*before("own"), *before("own"))


@clause(
    "parametrize/refused-registration-keeps-the-value",
    REGISTER,
    "a boolean flag that denotes whether the parametrization may change the dtype and shape of the tensor. Default: "
    "`False`",
    severity=RECOMMENDED,
    since="1.10",
    needs=NEEDS,
)
@given(blueprint=TREES, name=NAMES)
def test_a_refused_registration_keeps_the_value(implementation, device, blueprint, name):
    """A parametrization with a right_inverse that is refused leaves the tensor and its value as they were."""
    subject = implementation.build(with_members(blueprint), device)
    with pytest.raises((ValueError, RuntimeError)):
        implementation.parametrize.register_parametrization(subject.module, name, longer(implementation, inverse=True))
    assert getattr(subject.module, name) is subject[name]
    assert subject.readings() == subject.expected_readings()


@clause(
    "parametrize/gradients-reach-the-original",
    REGISTER,
    "If the original tensor requires a gradient, the backward pass will differentiate through :attr:`parametrization`",
    since="1.9",
    needs=(*NEEDS, "autograd"),
)
@given(blueprint=TREES, factor=FACTORS)
def test_the_backward_pass_goes_through_the_parametrization(implementation, device, blueprint, factor):
    """The backward pass from a parametrized tensor leaves the gradient on the original that the chain rule gives."""
    subject = implementation.build(with_members(blueprint), device)
    implementation.parametrize.register_parametrization(subject.module, "own", one_way(implementation, factor))
    implementation.backward(subject.module.own)
    assert numbers(implementation, implementation.grad(subject["own"])) == (factor, factor)
