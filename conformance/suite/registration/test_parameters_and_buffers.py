"""Parameter and Buffer themselves: their data, flags, text and copies."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, RECOMMENDED, clause, given
from conformance.language import blueprint as bp
from conformance.model import Reading
from strategies import names, parameters, tensors
from strategies.inputs import values
from strategies.pieces import pieces

MODULES_NOTE = "https://docs.pytorch.org/docs/stable/notes/modules.html"
FLOATING = ("float32", "float64")


@clause(
    "registration/parameter-is-a-tensor",
    "torch.nn.Parameter",
    "Parameters are :class:`~torch.Tensor` subclasses",
)
@given(tensor=tensors(FLOATING))
def test_a_parameter_is_a_tensor_with_the_data_it_was_made_from(implementation, device, tensor):
    """Parameter(data) is a tensor and a Parameter, of the shape, dtype and values of data, which stays a plain
    tensor."""
    data = implementation.make(tensor, device)
    parameter = implementation.Parameter(data)
    assert implementation.is_tensor(parameter) and isinstance(parameter, implementation.Parameter)
    assert not isinstance(data, implementation.Parameter)
    assert implementation.read(parameter) == Reading(tensor.shape, tensor.dtype, tensor.flat)
    assert implementation.device(parameter) == device


@clause(
    "registration/parameter-shares-memory-with-its-data",
    "source:torch.nn.parameter.Parameter.__new__",
    "torch.Tensor._make_subclass(cls, data, requires_grad)",
    severity=OBSERVED,
)
@given(
    shape=st.sampled_from(((2,), (), (2, 3))), fills=st.lists(st.integers(0, 30), min_size=2, max_size=2, unique=True)
)
def test_a_write_into_a_parameter_is_seen_in_its_data(implementation, device, shape, fills):
    """Parameter(data) shares its memory with data: a write into one is seen in the other."""
    old, new = (bp.Tensor(shape, "float32", fill) for fill in fills)
    data = implementation.make(old, device)
    parameter = implementation.Parameter(data)
    implementation.write(parameter, new.values())
    assert implementation.read(data).flat == new.flat


@clause(
    "registration/parameter-requires-grad-by-default",
    "torch.nn.Parameter",
    "requires_grad (bool, optional): if the parameter requires gradient.",
)
@given(parameter=parameters(FLOATING), asked=st.sampled_from((None, True, False)), name=names())
def test_a_parameter_requires_gradients_unless_told_not_to(implementation, device, parameter, asked, name):
    """Parameter(data) requires gradients unless requires_grad=False is given; it is registered either way."""
    options = {} if asked is None else {"requires_grad": asked}
    made = implementation.Parameter(implementation.make(parameter, device), **options)
    module = implementation.Module()
    setattr(module, name, made)
    assert implementation.requires_grad(made) is (asked is not False)
    assert [(known, thing is made) for known, thing in module.named_parameters()] == [(name, True)]


@clause(
    "registration/parameter-requires-grad-under-no_grad",
    "torch.nn.Parameter",
    "the Parameter will still have `requires_grad=True` in :class:`~no_grad` mode.",
    needs=("autograd", "no_grad"),
)
@given(tensor=tensors(FLOATING), asked=st.sampled_from((None, True, False)))
def test_a_parameter_made_under_no_grad_requires_gradients(implementation, device, tensor, asked):
    """no_grad() does not change whether a new Parameter requires gradients: it does unless requires_grad=False is
    given."""
    data = implementation.make(tensor, device)
    options = {} if asked is None else {"requires_grad": asked}
    with implementation.no_grad():
        parameter = implementation.Parameter(data, **options)
    assert implementation.requires_grad(parameter) is (asked is not False)


@clause(
    "registration/parameter-without-data-is-empty",
    "source:torch.nn.parameter.Parameter.__new__",
    "data = torch.empty(0)",
    severity=OBSERVED,
)
def test_a_parameter_without_data_is_an_empty_tensor(implementation, device):
    """Parameter() is a float32 parameter of shape (0,)."""
    parameter = implementation.Parameter()
    assert isinstance(parameter, implementation.Parameter)
    assert implementation.read(parameter) == Reading((0,), "float32", ())


@clause(
    "registration/buffer-is-a-tensor",
    "torch.nn.Buffer",
    "Buffers are :class:`~torch.Tensor` subclasses",
    since="2.5",
    needs="Buffer",
)
@given(pieces=pieces())
def test_a_buffer_is_a_tensor_and_no_parameter(implementation, device, pieces):
    """Buffer(data) is a tensor and a Buffer but no Parameter, of the shape, dtype and values of data, which stays a
    plain tensor."""
    subject = implementation.build(pieces, device)
    data = subject["tensor"]
    buffer = implementation.Buffer(data)
    assert implementation.is_tensor(buffer) and isinstance(buffer, implementation.Buffer)
    assert not implementation.is_parameter(buffer)
    assert not isinstance(data, implementation.Buffer) and not isinstance(subject["parameter"], implementation.Buffer)
    assert implementation.read(buffer) == implementation.read(data)


@clause(
    "registration/parameter-repr-says-so",
    MODULES_NOTE,
    "Parameter containing: tensor(",
    severity=RECOMMENDED,
    needs="Parameter",
)
@given(parameter=parameters())
def test_the_text_of_a_parameter_begins_with_parameter_containing(implementation, device, parameter):
    """repr of a Parameter is "Parameter containing:" on a line of its own, then the text of the tensor."""
    subject = implementation.build(bp.Module({"parameter": parameter}), device)
    first, *rest = repr(subject["parameter"]).splitlines()
    assert first == "Parameter containing:"
    assert "".join(rest).strip()


@clause(
    "registration/integer-parameter-cannot-require-grad",
    "torch.autograd",
    "As of now, we only support autograd for floating point",
    severity=RECOMMENDED,
    needs="autograd",
)
@given(tensor=tensors(("int64", "bool")))
def test_a_parameter_of_integers_needs_requires_grad_false(implementation, device, tensor):
    """Parameter(data) of an integer or bool tensor raises RuntimeError unless requires_grad=False is given."""
    data = implementation.make(tensor, device)
    with pytest.raises(RuntimeError):
        implementation.Parameter(data)
    parameter = implementation.Parameter(data, requires_grad=False)
    assert implementation.read(parameter) == Reading(tensor.shape, tensor.dtype, tensor.flat)
    assert implementation.requires_grad(parameter) is False


@clause(
    "registration/copied-parameter-is-independent",
    "source:torch.nn.Parameter.__deepcopy__",
    "self.data.clone(memory_format=torch.preserve_format), self.requires_grad",
    severity=OBSERVED,
)
@given(parameter=parameters(("float32", "float64", "int64")), fill=st.integers(0, 30))
def test_a_deep_copy_of_a_parameter_is_an_equal_and_independent_parameter(implementation, device, parameter, fill):
    """deepcopy of a Parameter is a Parameter of the same values, dtype and requires_grad; a write into one is not seen
    in the other."""
    subject = implementation.build(bp.Module({"p": parameter}), device)
    original, built = subject["p"], subject.blueprint.at("p")
    made = implementation.read(original)
    copied = copy.deepcopy(original)
    assert isinstance(copied, implementation.Parameter) and copied is not original
    assert implementation.read(copied) == made
    assert implementation.requires_grad(copied) is implementation.requires_grad(original)
    implementation.write(copied, bp.Tensor(built.shape, built.dtype, fill).values())
    assert implementation.read(original) == made


@clause(
    "registration/copied-parameter-keeps-attributes",
    "torch.nn.Parameter",
    "Parameters are :class:`~torch.Tensor` subclasses",
    severity=RECOMMENDED,
    needs=("Parameter", "deepcopy"),
)
@given(pieces=pieces(), kind=st.sampled_from(("tensor", "parameter")), value=values())
def test_a_deep_copy_of_a_parameter_keeps_its_attributes_as_that_of_a_tensor(
    implementation, device, pieces, kind, value
):
    """deepcopy of a Parameter keeps the Python attributes that were set on it, as deepcopy of a plain tensor does."""
    original = implementation.build(pieces, device)[kind]
    original.tag = value
    assert copy.deepcopy(original).tag == value


@clause(
    "registration/copied-parameter-keeps-its-gradient",
    "torch.nn.Parameter",
    "Parameters are :class:`~torch.Tensor` subclasses",
    severity=RECOMMENDED,
    since="1.13",
    needs=("autograd", "deepcopy"),
)
@given(parameter=parameters(FLOATING), fill=st.integers(0, 30))
def test_a_deep_copy_of_a_parameter_keeps_its_gradient_as_that_of_a_tensor(implementation, device, parameter, fill):
    """deepcopy of a Parameter keeps its gradient, as deepcopy of a plain tensor does."""
    original = implementation.build(bp.Module({"p": parameter}), device)["p"]
    gradient = bp.Tensor(parameter.shape, parameter.dtype, fill)
    original.grad = implementation.make(gradient, device)
    kept = implementation.grad(copy.deepcopy(original))
    assert kept is not None and kept is not original.grad
    assert implementation.read(kept) == Reading(gradient.shape, gradient.dtype, gradient.flat)


@clause(
    "registration/pickled-parameter-keeps-attributes",
    "source:torch.nn.Parameter.__reduce_ex__",
    "torch._utils._rebuild_parameter_with_state",
    severity=OBSERVED,
    since="2.0",
    needs="pickle.module",
)
@given(parameter=parameters(("float32", "float64", "int64")), value=values())
def test_a_pickled_parameter_keeps_values_flag_and_attributes(implementation, device, parameter, value):
    """Pickling a Parameter keeps its values, its requires_grad and the Python attributes that were set on it."""
    original = implementation.build(bp.Module({"p": parameter}), device)["p"]
    original.tag = value
    loaded = pickle.loads(pickle.dumps(original))
    assert isinstance(loaded, implementation.Parameter)
    assert implementation.read(loaded) == implementation.read(original)
    assert implementation.requires_grad(loaded) is implementation.requires_grad(original)
    assert loaded.tag == value


@clause(
    "registration/copied-buffer-stays-a-buffer",
    "torch.nn.Buffer",
    "Buffers are :class:`~torch.Tensor` subclasses",
    severity=OBSERVED,
    since="2.5",
    needs=("Buffer", "pickle.module"),
)
@given(pieces=pieces(), persistent=st.booleans(), way=st.sampled_from(("deepcopy", "pickle")))
def test_a_copied_buffer_is_a_buffer_as_persistent_as_before(implementation, device, pieces, persistent, way):
    """deepcopy and pickle of a Buffer give a Buffer of the same values, which registers itself as persistent or not as
    the original."""
    original = implementation.Buffer(implementation.build(pieces, device)["buffer"], persistent=persistent)
    copied = copy.deepcopy(original) if way == "deepcopy" else pickle.loads(pickle.dumps(original))
    module = implementation.Module()
    module.mean = copied
    assert isinstance(copied, implementation.Buffer) and copied is not original
    assert implementation.read(copied) == implementation.read(original)
    assert [name for name, _ in module.named_buffers()] == ["mean"]
    assert list(module.state_dict()) == ["mean"] * persistent


@clause(
    "registration/converted-buffer-stays-a-buffer",
    "torch.nn.Buffer",
    "Buffers are :class:`~torch.Tensor` subclasses",
    severity=RECOMMENDED,
    since="2.5",
    needs=("Buffer", "Module.double"),
)
@given(tensor=tensors(FLOATING), persistent=st.booleans())
def test_a_buffer_is_a_buffer_after_the_module_is_converted(implementation, device, tensor, persistent):
    """A Buffer is still a Buffer after double() of its module: assigned to another module, it is registered there."""
    module, other = implementation.Module(), implementation.Module()
    module.mean = implementation.Buffer(implementation.make(tensor, device), persistent=persistent)
    other.mean = module.double().mean
    assert isinstance(module.mean, implementation.Buffer)
    assert [name for name, _ in other.named_buffers()] == ["mean"]
