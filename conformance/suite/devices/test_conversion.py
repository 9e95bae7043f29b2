"""Conversion: casting and moving every parameter and buffer of a tree, in place."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, RECOMMENDED, clause, for_any_module
from conformance.language import blueprint as bp
from conformance.language.transform import extended
from conformance.model import join
from strategies import blueprints, buffers, parameters, tensors
from strategies.tensors import FLOATING

#: The methods named after a dtype, and the dtype they cast to.
CASTS = {"float": "float32", "double": "float64", "half": "float16", "bfloat16": "bfloat16"}
CASTING = (*(f"Module.{name}" for name in CASTS), *(f"dtype.{dtype}" for dtype in CASTS.values()))
REAL = ("float32", "float64", "float16", "bfloat16", "int64", "bool")


def casts():
    """The name of a method that casts."""
    return st.sampled_from(tuple(CASTS))


def dtype_of(implementation, name):
    """The dtype object of that name, which is what its tensors' ``dtype`` attribute holds."""
    return implementation.tensor([0], name).dtype


def with_each_kind(blueprint, parameter, buffer):
    """The tree with a floating-point parameter and buffer, an integer buffer and a tied parameter more."""
    return extended(blueprint, own=parameter, tied=bp.Shared("own"), mean=buffer, count=bp.Buffer((1,), "int64", 4))


def members(subject):
    """Every parameter and buffer under each of its names: what a buffer has several names for may be several objects
    afterwards, which nothing rules out."""
    return {
        join(module.path, name): getattr(subject[module.path], name)
        for module in subject.model.modules()
        for name, tensor in (*module.parameters_.items(), *module.buffers_.items())
        if tensor is not None
    }


def readings(implementation, subject):
    """What each parameter and buffer holds under each of its names."""
    return {name: implementation.read(tensor) for name, tensor in members(subject).items()}


def converted(model, dtype, among):
    """What they hold by the model after those of the dtypes ``among`` were cast to ``dtype``."""
    expected = {}
    for module in model.modules():
        for name, tensor in (*module.parameters_.items(), *module.buffers_.items()):
            if tensor is not None:
                new = dtype if tensor.dtype in among else tensor.dtype
                flat = tensor.flat if new == tensor.dtype else tuple(bp.convert(value, new) for value in tensor.flat)
                expected[join(module.path, name)] = (tensor.shape, new, flat)
    return expected


def places(implementation, subject):
    """Where parameters and buffers are."""
    return {implementation.device(tensor) for tensor in members(subject).values()}


@clause(
    "conversion/in-place-and-returns-self",
    "torch.nn.Module.to",
    "This method modifies the module in-place.",
    needs=("Module.to", "Module.cpu", *CASTING),
)
@for_any_module(blueprint=blueprints(), name=st.sampled_from((*CASTS, "to", "cpu")))
def test_every_conversion_changes_the_module_in_place_and_returns_it(implementation, device, blueprint, name):
    """float(), double(), half(), bfloat16(), to() and cpu() return the module itself; every node of the tree stays the
    same object, with its mode."""
    subject = implementation.build(blueprint, device)
    arguments = {"dtype": dtype_of(implementation, "float64")} if name == "to" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # complex members lose their imaginary part, which is announced
        assert getattr(subject.module, name)(**arguments) is subject.module
    assert subject.named(subject.module.named_modules()) == subject.model.named_modules()
    modes = {subject.path(module): module.training for module in subject.module.modules()}
    assert modes == subject.model.modes()


@clause(
    "conversion/casts-floating-point-only",
    "torch.nn.Module.double",
    "Casts all floating point parameters and buffers to ``double`` datatype.",
    needs=CASTING,
)
@for_any_module(blueprint=blueprints(), parameter=parameters(FLOATING), buffer=buffers(FLOATING), name=casts())
def test_casting_methods_cast_floating_point_members_and_no_others(
    implementation, device, blueprint, parameter, buffer, name
):
    """float(), double(), half() and bfloat16() cast every floating-point parameter and buffer of the tree and leave
    integer, bool and complex ones as they are."""
    subject = implementation.build(with_each_kind(blueprint, parameter, buffer), device)
    getattr(subject.module, name)()
    assert readings(implementation, subject) == converted(subject.model, CASTS[name], FLOATING)


@clause(
    "conversion/to-dtype-leaves-integers",
    "torch.nn.Module.to",
    "only cast the floating point or complex parameters and buffers to :attr:`dtype` (if given). The integral "
    "parameters and buffers will be moved :attr:`device`, if that is given, but with dtypes unchanged.",
    needs="Module.to",
)
@for_any_module(
    blueprint=blueprints(dtypes=REAL),
    parameter=parameters(FLOATING),
    buffer=buffers(FLOATING),
    dtype=st.sampled_from(FLOATING),
    by_keyword=st.booleans(),
)
def test_to_a_dtype_casts_floating_point_members_and_leaves_integers(
    implementation, device, blueprint, parameter, buffer, dtype, by_keyword
):
    """to(dtype) casts the floating-point parameters and buffers of the tree and leaves integer and bool ones as they
    are."""
    subject = implementation.build(with_each_kind(blueprint, parameter, buffer), device)
    target = dtype_of(implementation, dtype)
    subject.module.to(dtype=target) if by_keyword else subject.module.to(target)
    assert readings(implementation, subject) == converted(subject.model, dtype, FLOATING)


@clause(
    "conversion/to-complex-dtype",
    "torch.nn.Module.to",
    "only cast the floating point or complex parameters and buffers to :attr:`dtype`",
    since="1.8",
    needs=("Module.to", "dtype.complex64"),
)
@for_any_module(blueprint=blueprints(), parameter=parameters(FLOATING), buffer=buffers(FLOATING))
def test_to_a_complex_dtype_casts_real_members_and_leaves_integers(
    implementation, device, blueprint, parameter, buffer
):
    """to(complex dtype) makes floating-point parameters and buffers complex with imaginary part 0, keeps complex ones,
    and leaves integer and bool ones as they are."""
    subject = implementation.build(with_each_kind(blueprint, parameter, buffer), device)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "Complex modules are a new feature"
        subject.module.to(dtype=dtype_of(implementation, "complex64"))
    assert readings(implementation, subject) == converted(subject.model, "complex64", FLOATING)


@clause(
    "conversion/to-integer-dtype-refused",
    "torch.nn.Module.to",
    "but only accepts floating point or complex :attr:`dtype`\\ s.",
    needs="Module.to",
)
@for_any_module(
    blueprint=blueprints(), parameter=parameters(FLOATING), buffer=buffers(), dtype=st.sampled_from(("int64", "bool"))
)
def test_to_an_integer_or_bool_dtype_is_refused_and_changes_nothing(
    implementation, device, blueprint, parameter, buffer, dtype
):
    """to(dtype) raises an exception for an integer or bool dtype, also where a tensor gives it, and changes nothing."""
    subject = implementation.build(with_each_kind(blueprint, parameter, buffer), device)
    for argument in (dtype_of(implementation, dtype), implementation.tensor([0], dtype, device)):
        with pytest.raises((TypeError, ValueError, RuntimeError)):
            subject.module.to(argument)
        assert subject.named(subject.module.named_parameters()) == subject.model.named_parameters()
        assert subject.named(subject.module.named_buffers()) == subject.model.named_buffers()
        assert subject.readings() == subject.expected_readings()


@clause(
    "conversion/to-tensor-takes-its-dtype-and-device",
    "torch.nn.Module.to",
    "Tensor whose dtype and device are the desired dtype and device for all parameters and buffers in this module",
    needs="Module.to",
)
@for_any_module(blueprint=blueprints(dtypes=REAL), parameter=parameters(FLOATING), other=tensors(FLOATING))
def test_to_a_tensor_means_its_dtype_and_device(implementation, device, blueprint, parameter, other):
    """to(tensor) casts floating-point members to the dtype of the tensor and moves all members to its device."""
    subject = implementation.build(extended(blueprint, own=parameter))
    subject.module.to(implementation.make(other, device))
    assert readings(implementation, subject) == converted(subject.model, other.dtype, FLOATING)
    assert places(implementation, subject) == {device}


@clause(
    "conversion/to-device-and-back",
    "torch.nn.Module.to",
    "The integral parameters and buffers will be moved :attr:`device`, if that is given, but with dtypes unchanged.",
    needs=("Module.to", "Module.cpu"),
)
@for_any_module(blueprint=blueprints(), parameter=parameters(), buffer=buffers())
def test_to_a_device_moves_every_member_and_cpu_brings_it_back(implementation, device, blueprint, parameter, buffer):
    """to(device) moves every parameter and buffer of the tree there, integer ones too, cpu() moves them to the CPU, and
    both keep dtypes and values."""
    subject = implementation.build(with_each_kind(blueprint, parameter, buffer))
    for move, target in ((lambda: subject.module.to(device), device), (subject.module.cpu, "cpu")):
        move()
        assert places(implementation, subject) == {target}
        assert readings(implementation, subject) == converted(subject.model, "", ())


@clause(
    "conversion/to-meta-keeps-shapes-and-dtypes",
    "torch.nn.Module.to",
    "The integral parameters and buffers will be moved :attr:`device`, if that is given, but with dtypes unchanged.",
    since="1.10",
    needs=("Module.to", "device.meta"),
)
@for_any_module(blueprint=blueprints(), parameter=parameters(), buffer=buffers())
def test_to_meta_keeps_names_shapes_dtypes_and_requires_grad(implementation, device, blueprint, parameter, buffer):
    """to("meta") makes every parameter and buffer a meta tensor of the same name, shape, dtype and requires_grad."""
    subject = implementation.build(with_each_kind(blueprint, parameter, buffer), device)
    before = [(name, t.shape, t.dtype, implementation.requires_grad(t)) for name, t in members(subject).items()]
    subject.module.to("meta")
    after = [(name, t.shape, t.dtype, implementation.requires_grad(t)) for name, t in members(subject).items()]
    assert after == before
    assert places(implementation, subject) == {"meta"}


@clause(
    "conversion/to-leaves-meta-by-to_empty-only",
    "source:torch.nn.Module.to",
    "Please use torch.nn.Module.to_empty() instead of torch.nn.Module.to() when moving module from meta to a different device.",
    severity=OBSERVED,
    since="2.2",
    needs=("Module.to", "device.meta"),
)
@for_any_module(blueprint=blueprints(), parameter=parameters())
def test_to_cannot_take_a_module_off_the_meta_device(implementation, device, blueprint, parameter):
    """to(device) of a module on the meta device raises NotImplementedError, since there is nothing to copy."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    module = subject.module.to("meta")
    with pytest.raises(NotImplementedError, match="meta"):
        module.to(device)


@clause(
    "conversion/parameters-stay-the-same-objects",
    "torch.__future__.set_overwrite_module_params_on_conversion",
    "Sets whether to assign new tensors to the parameters instead of changing the existing parameters in-place when "
    "converting an ``nn.Module``.",
    needs=CASTING,
)
@for_any_module(blueprint=blueprints(), parameter=parameters(FLOATING), buffer=buffers(FLOATING), name=casts())
def test_a_cast_changes_the_existing_parameters_in_place(implementation, device, blueprint, parameter, buffer, name):
    """After float(), double(), half() or bfloat16() every parameter is the same object as before, under the same
    names."""
    subject = implementation.build(with_each_kind(blueprint, parameter, buffer), device)
    getattr(subject.module, name)()
    assert subject.named(subject.module.named_parameters()) == subject.model.named_parameters()
    assert implementation.read(subject["own"]).dtype == CASTS[name]


@clause(
    "conversion/nothing-to-do-changes-nothing",
    "torch.Tensor.to",
    "has the correct :class:`torch.dtype` and :class:`torch.device`, then ``self`` is returned.",
    severity=RECOMMENDED,
    needs=("Module.to", *CASTING),
)
@for_any_module(blueprint=blueprints(dtypes=("float32", "int64", "bool")), parameter=parameters(("float32",)))
def test_converting_to_what_a_module_is_already_replaces_nothing(implementation, device, blueprint, parameter):
    """A conversion to the dtype and device that all members have already keeps every parameter and buffer the same
    object over the same storage."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    before = subject.module.state_dict()
    subject.module.float().to(dtype=dtype_of(implementation, "float32")).to(device)
    assert subject.named(subject.module.named_parameters()) == subject.model.named_parameters()
    assert subject.named(subject.module.named_buffers()) == subject.model.named_buffers()
    for key, tensor in subject.module.state_dict().items():
        assert implementation.same_storage(tensor, before[key]), f"{key!r} has other storage"


@clause(
    "conversion/keeps-requires_grad-and-leaves",
    "torch.nn.Module.to",
    "This method modifies the module in-place.",
    severity=RECOMMENDED,
    needs=CASTING,
)
@for_any_module(
    blueprint=blueprints(),
    tracked=st.lists(st.booleans(), min_size=1, max_size=3),
    names=st.lists(casts(), min_size=1, max_size=2),
)
def test_a_cast_keeps_requires_grad_of_every_parameter(implementation, device, blueprint, tracked, names):
    """After float(), double(), half() and bfloat16() each parameter requires gradients exactly if it did before, and
    is a leaf still."""
    more = {f"own{i}": bp.Parameter((2,), requires_grad=flag) for i, flag in enumerate(tracked)}
    subject = implementation.build(extended(blueprint, **more), device)
    for name in names:
        getattr(subject.module, name)()
    model = subject.model.tensors()
    expected = [(name, model[path].requires_grad, True) for name, path in subject.model.named_parameters()]
    observed = [(name, implementation.requires_grad(p), p.is_leaf) for name, p in subject.module.named_parameters()]
    assert observed == expected


@clause(
    "conversion/leaves-plain-attributes",
    "torch.nn.Module.to",
    "Move and/or cast the parameters and buffers.",
    needs=("Module.to", *CASTING),
)
@for_any_module(blueprint=blueprints(), value=tensors(("float32", "float64")), name=casts())
def test_plain_tensor_attributes_are_neither_cast_nor_moved(implementation, device, blueprint, value, name):
    """A conversion leaves tensors that are plain attributes, or items of a plain list, what and where they were."""
    subject = implementation.build(extended(blueprint, plain=bp.Attribute(value)))
    listed = implementation.make(value)
    holder = subject[subject.below]
    holder.listed = [listed]
    getattr(subject.module.to(device), name)()
    assert holder.plain is subject["plain"]
    assert holder.listed[0] is listed
    for tensor in (holder.plain, listed):
        assert implementation.read(tensor) == (value.shape, value.dtype, value.flat)
        assert implementation.device(tensor) == "cpu"
