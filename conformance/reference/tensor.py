"""Tensors: just enough of them to hold a module's state, to compute with it and to differentiate.

A tensor is a window on a :class:`Storage`: an offset and a shape, its elements lying in row-major order. Every
operation is an elementwise map, a matrix product, or one of two movements that are each other's derivative:
``_gather`` (copy elements to new places) and ``_scatter`` (add elements up at new places).
"""

from __future__ import annotations

import copy
import operator
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from conformance.language.blueprint import nest, size
from conformance.reference.autograd import Node, grad_enabled, no_grad, run_backward
from conformance.reference.storage import (
    CPU,
    Device,
    DType,
    Storage,
    bfloat16,
    bool_,
    complex64,
    dtype,
    float16,
    float32,
    float64,
    int64,
    promote,
)

Shape = tuple[int, ...]


class Tensor:
    """A multi-dimensional array. Attributes set from outside are kept, copied and pickled with it."""

    # Slots, so that __dict__ holds exactly the attributes that a user has set.
    __slots__ = ("_storage", "_offset", "_shape", "_requires_grad", "grad", "grad_fn", "output_number", "_frozen",
                 "__dict__", "__weakref__")  # fmt: skip

    def __init__(
        self,
        values: Any = (),
        dtype: DType | str | None = None,
        device: Device | str = CPU,
        requires_grad: bool = False,
    ):
        flat: list[Any] = []
        shape = _flatten(values, flat)
        chosen = _infer(flat) if dtype is None else _dtype(dtype)
        self._become(Storage(chosen, Device.of(device), len(flat), flat), 0, shape)
        self.requires_grad = requires_grad

    def _become(self, storage: Storage, offset: int, shape: Shape) -> None:
        """Be a leaf that looks at that storage."""
        self._storage = storage
        self._offset = offset
        self._shape = shape
        self._requires_grad = False
        self.grad: Tensor | None = None
        self.grad_fn: Node | None = None
        self.output_number = 0
        self._frozen = False

    @classmethod
    def _over(cls, storage: Storage, offset: int, shape: Shape) -> Any:
        """A new tensor of this very class that looks at that storage."""
        tensor = object.__new__(cls)
        tensor._become(storage, offset, shape)
        return tensor

    @property
    def _result_class(self) -> type[Tensor]:
        """The class of what operations on this tensor give: its own, except that a Parameter gives a plain Tensor."""
        return type(self)

    # --- what it is -----------------------------------------------------------------------------------------------

    @property
    def shape(self) -> Shape:
        """The extent of each dimension."""
        return self._shape

    @property
    def dtype(self) -> DType:
        """The type of the elements."""
        return self._storage.dtype

    @property
    def device(self) -> Device:
        """Where the elements lie."""
        return self._storage.device

    @property
    def is_meta(self) -> bool:
        """Whether there are no elements, only a shape."""
        return self.device.type == "meta"

    @property
    def _version(self) -> int:
        return self._storage.version

    @property
    def flat(self) -> list[Any]:
        """The elements in row-major order."""
        return self._storage.read(self._offset, self.numel())

    def size(self) -> Shape:
        """The shape."""
        return self._shape

    def dim(self) -> int:
        """The number of dimensions."""
        return len(self._shape)

    def numel(self) -> int:
        """The number of elements."""
        return size(self._shape)

    def data_ptr(self) -> int:
        """A number that two tensors share exactly if they begin at the same element of one storage; 0 if empty."""
        return id(self._storage) + self._offset if self.numel() else 0

    def is_floating_point(self) -> bool:
        """Whether the elements are real floating-point numbers."""
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        """Whether the elements are complex numbers."""
        return self.dtype.is_complex

    def tolist(self) -> Any:
        """The elements as nested lists."""
        return nest(self.flat, self._shape)

    def item(self) -> Any:
        """The only element."""
        if self.numel() != 1:
            raise RuntimeError(f"a Tensor with {self.numel()} elements cannot be converted to Scalar")
        return self.flat[0]

    def __len__(self) -> int:
        if not self._shape:
            raise TypeError("len() of a 0-d tensor")
        return self._shape[0]

    def __bool__(self) -> bool:
        return bool(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __index__(self) -> int:
        if self.dtype.kind is not int or self.numel() != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def __repr__(self) -> str:
        parts = ["..." if self.is_meta else repr(self.tolist())]
        parts += [f"device='{self.device}'"] if self.device != CPU else []
        parts += [f"size={self._shape}"] if self.is_meta else []
        parts += [f"dtype={self.dtype}"] if self.dtype is not _infer([] if self.is_meta else self.flat) else []
        parts += ["requires_grad=True"] if self._requires_grad else []
        return f"tensor({', '.join(parts)})"

    # --- autograd -------------------------------------------------------------------------------------------------

    @property
    def is_leaf(self) -> bool:
        """Whether it was made by hand, not computed from tensors that require gradients."""
        return self.grad_fn is None

    @property
    def requires_grad(self) -> bool:
        """Whether operations on it are recorded."""
        return self._requires_grad or self.grad_fn is not None

    @requires_grad.setter
    def requires_grad(self, flag: bool) -> None:
        if self.grad_fn is not None and not flag:
            raise RuntimeError("you can only change requires_grad flags of leaf variables.")
        if flag and not self.dtype.is_differentiable:
            raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
        self._requires_grad = bool(flag) and self.grad_fn is None

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Set requires_grad in place."""
        self.requires_grad = requires_grad
        return self

    def backward(self, gradient: Tensor | None = None) -> None:
        """Add to ``grad`` of every leaf the derivative of this tensor with respect to it."""
        if not self.requires_grad:
            raise RuntimeError("element 0 of tensors does not require grad and does not have a grad_fn")
        if gradient is None:
            if self.numel() != 1:
                raise RuntimeError("grad can be implicitly created only for scalar outputs")
            gradient = full(self._shape, 1, self.dtype, self.device)
        run_backward(self, gradient)

    def detach(self) -> Any:
        """A view of the same elements that is computed from nothing."""
        return self._result_class._over(self._storage, self._offset, self._shape)

    def detach_(self) -> Any:
        """Forget in place what it was computed from."""
        self.grad_fn = None
        self._requires_grad = False
        return self

    @property
    def data(self) -> Any:
        """The same elements, unseen by autograd. Assigning another tensor makes this one look at its elements."""
        return self.detach()

    @data.setter
    def data(self, source: Tensor) -> None:
        if self.requires_grad and not source.dtype.is_differentiable:
            raise RuntimeError("data set to a tensor that requires gradients must be floating point or complex dtype")
        self._storage, self._offset, self._shape = source._storage, source._offset, source._shape

    # --- copies ---------------------------------------------------------------------------------------------------

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """The tensor on another device, in another dtype; the tensor itself if it is so already."""
        device, dtype = parse_to(*args, **kwargs)
        device, dtype = device or self.device, dtype or self.dtype
        if (device, dtype) == (self.device, self.dtype):
            return self
        if self.is_meta and device.type != "meta":
            raise NotImplementedError("Cannot copy out of meta tensor; no data!")
        if self.is_complex() and not dtype.is_complex:
            warnings.warn("Casting complex values to real discards the imaginary part", UserWarning, stacklevel=2)
        here, was = self.device, self.dtype
        return _computed([self], lambda: self.flat, self._shape, dtype, lambda g: [g.to(here, was)], device)

    def float(self) -> Any:
        """The tensor as float32."""
        return self.to(float32)

    def double(self) -> Any:
        """The tensor as float64."""
        return self.to(float64)

    def half(self) -> Any:
        """The tensor as float16."""
        return self.to(float16)

    def bfloat16(self) -> Any:
        """The tensor as bfloat16."""
        return self.to(bfloat16)

    def cpu(self) -> Any:
        """The tensor on the CPU."""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Any:
        """The tensor on the simulated accelerator."""
        return self.to(Device.of("cuda" if device is None else device))

    def clone(self) -> Any:
        """A copy with elements of its own."""
        return _computed([self], lambda: self.flat, self._shape, self.dtype, lambda g: [g])

    def empty_like(self, device: Any = None) -> Any:
        """A tensor of this shape and dtype, with unspecified elements."""
        device = self.device if device is None else Device.of(device)
        return self._result_class._over(Storage(self.dtype, device, self.numel()), 0, self._shape)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) in memo:
            return memo[id(self)]
        if not self.is_leaf:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment"
            )
        made = memo[id(self)] = type(self)._over(copy.deepcopy(self._storage, memo), self._offset, self._shape)
        made._requires_grad = self._requires_grad
        made.grad = copy.deepcopy(self.grad, memo)
        made.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        state = (type(self), self._storage, self._offset, self._shape, self.requires_grad, dict(self.__dict__))
        return rebuild_tensor, state

    # --- in place -------------------------------------------------------------------------------------------------

    def _replace(self, result: Tensor) -> Any:
        """Take over the elements, and the history, of an out-of-place result."""
        if grad_enabled():
            self._check_in_place()
            self.grad_fn, self.output_number = result.grad_fn, result.output_number
        if not self.is_meta:
            self._storage.write(self._offset, result.flat)
        return self

    def _check_in_place(self) -> None:
        if self._frozen:
            raise RuntimeError(
                "Output of BackwardHookFunction is a view and is being modified inplace: "
                "the inputs and outputs of a module with backward hooks must not be modified in place."
            )
        if self._requires_grad:
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")

    def copy_(self, source: Tensor) -> Any:
        """Overwrite the elements with those of another tensor, converted to this dtype and device."""
        return self._replace(_broadcast(source.to(self.device, self.dtype), self._shape))

    def zero_(self) -> Any:
        """Overwrite the elements with zeros."""
        return self.fill_(0)

    def fill_(self, value: Any) -> Any:
        """Overwrite the elements with one number."""
        return self._replace(full(self._shape, value, self.dtype, self.device))

    def add_(self, other: Any, alpha: Any = 1) -> Any:
        """Add in place ``alpha`` times a number or tensor."""
        return self._replace(self + (other if alpha == 1 else other * alpha))

    def mul_(self, other: Any) -> Any:
        """Multiply in place by a number or tensor."""
        return self._replace(self * other)

    # --- arithmetic -----------------------------------------------------------------------------------------------

    def __add__(self, other: Any) -> Any:
        return _binary(self, other, operator.add, lambda g, a, b: g, lambda g, a, b: g)

    __radd__ = __add__

    def __mul__(self, other: Any) -> Any:
        return _binary(self, other, operator.mul, lambda g, a, b: g * b, lambda g, a, b: g * a)

    __rmul__ = __mul__

    def __sub__(self, other: Any) -> Any:
        return _binary(self, other, operator.sub, lambda g, a, b: g, lambda g, a, b: -g)

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __truediv__(self, other: Any) -> Any:
        return self * (1 / other if isinstance(other, (int, float, complex)) else other**-1)

    def __neg__(self) -> Any:
        return _unary(self, operator.neg, lambda x: -1)

    def __pow__(self, exponent: float) -> Any:
        return _unary(self, lambda x: x**exponent, lambda x: exponent * x ** (exponent - 1))

    def relu(self) -> Any:
        """The elements, negative ones replaced by zero."""
        return _unary(self, lambda x: x if x > 0 else type(x)(0), lambda x: int(x > 0))

    def __matmul__(self, other: Tensor) -> Any:
        rows, inner = self._shape
        columns = other._shape[1]
        if other._shape[0] != inner:
            raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({rows}x{inner} and {other._shape})")

        def product() -> list[Any]:
            a, b = nest(self.flat, (rows, inner)), nest(other.t().flat, (columns, inner))
            return [sum((x * y for x, y in zip(row, column)), 0) for row in a for column in b]

        a, b = self.detach().clone(), other.detach().clone()
        return _computed([self, other], product, (rows, columns), promote(self.dtype, other.dtype),
                         lambda g: [g @ b.t(), a.t() @ g])  # fmt: skip

    # --- moving elements ------------------------------------------------------------------------------------------

    def _gather(self, places: Sequence[int], shape: Shape) -> Any:
        """A tensor whose k-th element is element ``places[k]`` of this one."""

        def gathered() -> list[Any]:
            flat = self.flat
            return [flat[place] for place in places]

        mine = self._shape
        return _computed([self], gathered, shape, self.dtype, lambda g: [g._scatter(places, mine)])

    def _scatter(self, places: Sequence[int], shape: Shape) -> Any:
        """A tensor of that shape: element ``p`` is the sum of the elements k of this one with ``places[k] == p``."""

        def scattered() -> list[Any]:
            sums = [0] * size(shape)
            for place, value in zip(places, self.flat):
                sums[place] += value
            return sums

        mine = self._shape
        dtype = int64 if self.dtype is bool_ else self.dtype
        return _computed([self], scattered, shape, dtype, lambda g: [g._gather(places, mine)])

    def sum(self, dim: int | None = None) -> Any:
        """The sum of all elements, or along the first dimension."""
        if dim is None:
            return self._scatter([0] * self.numel(), ())
        if dim != 0:
            raise NotImplementedError("sum along another dimension than the first")
        rest = self._shape[1:]
        return self._scatter([k % size(rest) for k in range(self.numel())], rest)

    def mean(self, dim: int | None = None) -> Any:
        """The mean of all elements, or along the first dimension."""
        return self.sum(dim) / (self.numel() if dim is None else self._shape[0])

    def t(self) -> Any:
        """A copy of a matrix with rows and columns exchanged."""
        rows, columns = self._shape
        return self._gather([i * columns + j for j in range(columns) for i in range(rows)], (columns, rows))

    def reshape(self, *shape: Any) -> Any:
        """A view of the same elements in another shape; -1 stands for what is left."""
        wanted = tuple(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else shape
        if -1 in wanted:
            known = -size(wanted)
            wanted = tuple(self.numel() // known if extent == -1 else extent for extent in wanted)
        if size(wanted) != self.numel():
            raise RuntimeError(f"shape '{list(wanted)}' is invalid for input of size {self.numel()}")
        mine = self._shape
        return _view(self, 0, wanted, lambda g: [g.reshape(mine)])

    view = reshape

    def __getitem__(self, index: int | slice) -> Any:
        """A view of one item, or of neighbouring items, along the first dimension."""
        rest = self._shape[1:]
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                raise NotImplementedError("slices with a step")
            shape = (max(stop - start, 0), *rest)
        else:
            start, shape = range(len(self))[index], rest
        first, mine = start * size(rest), self._shape
        return _view(self, first, shape, lambda g: [g._scatter(range(first, first + size(shape)), mine)])

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))


# --- making tensors ----------------------------------------------------------------------------------------------


def full(shape: Shape, value: Any, dtype: DType, device: Device = CPU) -> Tensor:
    """A tensor filled with one number."""
    return Tensor._over(Storage(dtype, device, size(shape), [value] * size(shape)), 0, shape)


def rebuild_tensor(
    kind: type[Tensor], storage: Storage, offset: int, shape: Shape, requires_grad: bool, attributes: dict[str, Any]
) -> Tensor:
    """What a pickled tensor is rebuilt by."""
    tensor = kind._over(storage, offset, shape)
    tensor.requires_grad = requires_grad
    tensor.__dict__.update(attributes)
    return tensor


def identity_views(tensors: Sequence[Tensor], backward: Callable[..., Sequence[Tensor | None]]) -> list[Tensor]:
    """Views of some tensors through one common node, whose gradients pass ``backward``; not writable in place."""
    node = Node(tensors, backward, len(tensors))
    views = []
    for number, tensor in enumerate(tensors):
        view = tensor.detach()
        view._frozen = True
        if grad_enabled() and tensor.requires_grad:
            view.grad_fn, view.output_number = node, number
        views.append(view)
    return views


def parse_to(*args: Any, **kwargs: Any) -> tuple[Device | None, DType | None]:
    """The device and dtype meant by the arguments of ``to``: (device, dtype), (dtype) or (tensor)."""
    given = {name: kwargs.pop(name) for name in ("device", "dtype") if name in kwargs}
    for argument in args:
        if isinstance(argument, Tensor):
            meant = {"device": argument.device, "dtype": argument.dtype}
        elif isinstance(argument, DType):
            meant = {"dtype": argument}
        elif argument is None or isinstance(argument, bool):  # no device; non_blocking
            meant = {}
        else:
            meant = {"device": argument}
        if meant.keys() & given.keys():
            raise _bad_to(argument)
        given.update(meant)
    device, dtype = given.get("device"), given.get("dtype")
    if not isinstance(device, (Device, str, int, type(None))) or not isinstance(dtype, (DType, type(None))):
        raise _bad_to(device if isinstance(dtype, (DType, type(None))) else dtype)
    if kwargs.keys() - {"non_blocking", "copy"}:
        raise _bad_to(*kwargs.values())
    return None if device is None else Device.of(device), dtype


def _bad_to(*arguments: Any) -> TypeError:
    kinds = ", ".join(type(argument).__name__ for argument in arguments)
    return TypeError(f"to() received an invalid combination of arguments - got ({kinds})")


def _dtype(name: DType | str) -> DType:
    return dtype(name)


def _flatten(values: Any, flat: list[Any]) -> Shape:
    """Append the leaves of nested lists to ``flat``; return the shape."""
    if not isinstance(values, (list, tuple)):
        flat.append(values.item() if isinstance(values, Tensor) else values)
        return ()
    shapes = [_flatten(value, flat) for value in values]
    if any(shape != shapes[0] for shape in shapes):
        raise ValueError("nested lists of unequal length make no tensor")
    return (len(shapes), *(shapes[0] if shapes else ()))


def _infer(flat: list[Any]) -> DType:
    """The dtype of a tensor made from these Python numbers."""
    kinds = {bool: bool_, int: int64, float: float32, complex: complex64}
    return max((kinds[type(value)] for value in flat), key=lambda found: found.rank, default=float32)


# --- computing ---------------------------------------------------------------------------------------------------


def _computed(
    inputs: Sequence[Tensor],
    compute: Callable[[], list[Any]],
    shape: Shape,
    dtype: DType,
    backward: Callable[[Tensor], Sequence[Tensor | None]],
    device: Device | None = None,
) -> Any:
    """The result of an operation: its elements (left out on the meta device), its class and its history."""
    device = device or _common_device(inputs)
    values = None if device.type == "meta" else compute()
    result = inputs[0]._result_class._over(Storage(dtype, device, size(shape), values), 0, shape)
    return _record(result, inputs, backward)


def _view(tensor: Tensor, first: int, shape: Shape, backward: Callable[[Tensor], Sequence[Tensor | None]]) -> Any:
    result = tensor._result_class._over(tensor._storage, tensor._offset + first, shape)
    return _record(result, [tensor], backward)


def _record(result: Tensor, inputs: Sequence[Tensor], backward: Callable[..., Sequence[Tensor | None]]) -> Tensor:
    if grad_enabled() and result.dtype.is_differentiable and any(tensor.requires_grad for tensor in inputs):
        result.grad_fn = Node(inputs, backward)
    return result


def _common_device(inputs: Sequence[Tensor]) -> Device:
    first = inputs[0].device
    for tensor in inputs:
        if tensor.device != first:
            raise RuntimeError(f"Tensor on device {tensor.device} is not on the expected device {first}!")
    return first


def _unary(tensor: Tensor, function: Callable[[Any], Any], derivative: Callable[[Any], Any]) -> Any:
    x = tensor.detach().clone()

    def backward(g: Tensor) -> list[Tensor]:
        slopes = Storage(x.dtype, x.device, x.numel(), None if x.is_meta else map(derivative, x.flat))
        return [g * Tensor._over(slopes, 0, x.shape)]

    return _computed([tensor], lambda: list(map(function, tensor.flat)), tensor.shape, tensor.dtype, backward)


def _binary(one: Tensor, other: Any, function: Callable[[Any, Any], Any], slope_one: Any, slope_other: Any) -> Any:
    """An elementwise operation with a tensor or a number; the slopes turn (gradient, one, other) into gradients."""
    if isinstance(other, (bool, int, float, complex)):
        dtype = promote(one.dtype, type(other))
        other = full((), other, dtype, one.device)
    elif isinstance(other, Tensor):
        dtype = promote(one.dtype, other.dtype)
    else:
        return NotImplemented
    _common_device([one, other])
    shape = _common_shape(one.shape, other.shape)
    a, b = _broadcast(one.to(dtype), shape), _broadcast(other.to(dtype), shape)
    x, y = a.detach().clone(), b.detach().clone()
    return _computed([a, b], lambda: list(map(function, a.flat, b.flat)), shape, dtype,
                     lambda g: [slope_one(g, x, y), slope_other(g, x, y)])  # fmt: skip


def _common_shape(one: Shape, other: Shape) -> Shape:
    """The shape to which both broadcast."""
    rank = max(len(one), len(other))
    pairs = zip((1,) * (rank - len(one)) + one, (1,) * (rank - len(other)) + other)
    shape = []
    for place, (a, b) in enumerate(pairs):
        if a != b and 1 not in (a, b):
            raise RuntimeError(
                f"The size of tensor a ({a}) must match the size of tensor b ({b}) at non-singleton dimension {place}"
            )
        shape.append(b if a == 1 else a)
    return tuple(shape)


def _broadcast(tensor: Tensor, shape: Shape) -> Any:
    """The tensor repeated along missing dimensions and dimensions of extent 1."""
    if tensor.shape == shape:
        return tensor
    if _common_shape(shape, tensor.shape) != shape:
        raise RuntimeError(f"The shape {tensor.shape} cannot be broadcast to {shape}")
    places = [0]
    stride = tensor.numel()
    mine = (1,) * (len(shape) - tensor.dim()) + tensor.shape
    for extent, own in zip(shape, mine):
        stride //= max(own, 1)
        places = [place + (i * stride if own != 1 else 0) for place in places for i in range(extent)]
    return tensor._gather(places, shape)


__all__ = ["Tensor", "full", "identity_views", "no_grad", "parse_to", "rebuild_tensor"]
