"""What lies under a tensor: element types, devices, and storages that several tensors may share."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# --- dtypes ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class DType:
    """An element type.

    Attributes:
        name: its name, as in torch.
        code: the ``struct`` code of one stored number.
        kind: the Python type of an element; the order bool, int, float, complex is the order of promotion.
        rank: the place among all dtypes in the order of promotion.
    """

    name: str
    code: str
    kind: type
    rank: int

    @property
    def is_floating_point(self) -> bool:
        """Whether the elements are real floating-point numbers."""
        return self.kind is float

    @property
    def is_complex(self) -> bool:
        """Whether the elements are complex numbers."""
        return self.kind is complex

    @property
    def is_differentiable(self) -> bool:
        """Whether a tensor of this dtype may require gradients."""
        return self.kind in (float, complex)

    def convert(self, value: Any) -> Any:
        """A number as an element of this dtype, before rounding."""
        if isinstance(value, complex) and self.kind in (int, float):
            value = value.real
        return self.kind(value)

    def round(self, values: Iterable[Any]) -> list[Any]:
        """The numbers as this dtype can hold them."""
        converted = [self.convert(value) for value in values]
        # A Python float is a float64, a Python int needs no rounding: only the narrow dtypes lose something.
        return converted if self.code in "dq?" else self.decode(self.encode(converted))

    def encode(self, values: list[Any]) -> bytes:
        """The elements as little-endian bytes."""
        if self.is_complex:
            return _pack("f", [part for value in values for part in (value.real, value.imag)])
        if self.name == "bfloat16":
            return _pack("H", [_upper_half(value) for value in values])
        return _pack(self.code, values)

    def decode(self, data: bytes) -> list[Any]:
        """The elements that ``encode`` wrote."""
        if self.is_complex:
            parts = _unpack("f", data)
            return [complex(*pair) for pair in zip(parts[::2], parts[1::2])]
        if self.name == "bfloat16":
            return _unpack("f", _pack("I", [half << 16 for half in _unpack("H", data)]))
        return _unpack(self.code, data)

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> Any:
        return dtype, (self.name,)


def _pack(code: str, values: list[Any]) -> bytes:
    try:
        return struct.pack(f"<{len(values)}{code}", *values)
    except OverflowError:  # too big for the narrower float: infinity, as the hardware says
        return b"".join(_pack_or_infinity(code, value) for value in values)


def _pack_or_infinity(code: str, value: float) -> bytes:
    try:
        return struct.pack(f"<{code}", value)
    except OverflowError:
        return struct.pack(f"<{code}", float("inf") if value > 0 else float("-inf"))


def _unpack(code: str, data: bytes) -> list[Any]:
    return list(struct.unpack(f"<{len(data) // struct.calcsize(code)}{code}", data))


def _upper_half(value: float) -> int:
    """A bfloat16 is the upper half of a float32, rounded to nearest, ties to even."""
    (bits,) = _unpack("I", _pack("f", [value]))
    if value != value:
        return 0x7FC0
    return (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16


_DTYPES = {
    name: DType(name, code, kind, rank)
    for rank, (name, code, kind) in enumerate(
        [
            ("bool", "?", bool),
            ("int64", "q", int),
            ("float16", "e", float),
            ("bfloat16", "H", float),
            ("float32", "f", float),
            ("float64", "d", float),
            ("complex64", "F", complex),
        ]
    )
}
float32, float64 = _DTYPES["float32"], _DTYPES["float64"]
float16, bfloat16 = _DTYPES["float16"], _DTYPES["bfloat16"]
int64, complex64 = _DTYPES["int64"], _DTYPES["complex64"]
bool_ = _DTYPES["bool"]


def dtype(name: str | DType) -> DType:
    """The dtype of that name."""
    if isinstance(name, DType):
        return name
    if name not in _DTYPES:
        raise ValueError(f"invalid type: {name!r}")
    return _DTYPES[name]


def promote(one: DType, other: DType | type) -> DType:
    """The dtype of an operation between two tensors, or between a tensor and a Python number of that type."""
    if isinstance(other, DType):
        return max(one, other, key=lambda candidate: candidate.rank)
    default = {bool: bool_, int: int64, float: float32, complex: complex64}[other]
    kinds = [bool, int, float, complex]
    return default if kinds.index(default.kind) > kinds.index(one.kind) else one


# --- devices -----------------------------------------------------------------------------------------------------

_accelerator_present = False


def simulate_accelerator(present: bool) -> None:
    """Say whether this machine has the device "cuda", a label without hardware behind it."""
    global _accelerator_present
    _accelerator_present = present


def accelerator_present() -> bool:
    """Whether tensors can be made on the device "cuda"."""
    return _accelerator_present


@dataclass(frozen=True)
class Device:
    """Where a tensor lives: "cpu", "cuda:0" (simulated), or "meta" (a shape without elements)."""

    type: str
    index: int | None = None

    @classmethod
    def of(cls, description: Device | str | int) -> Device:
        """The device meant by "cuda", "cuda:1", an index of a cuda device, or a Device."""
        if isinstance(description, Device):
            return description
        text = f"cuda:{description}" if isinstance(description, int) else description
        name, _, index = text.partition(":")
        return cls._named(name, index)

    @classmethod
    def _named(cls, name: str, index: str) -> Device:
        if name not in ("cpu", "cuda", "meta"):
            raise RuntimeError(f"Expected one of cpu, cuda, meta device type at start of device string: {name}")
        return cls(name, int(index or 0) if name == "cuda" else None)

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"


CPU = Device("cpu")

# --- storages ----------------------------------------------------------------------------------------------------


class Storage:
    """The elements of a tensor and of all its views: a write into one is seen in the others.

    Attributes:
        values: the elements; None on the meta device.
        version: how often the elements have been written.
    """

    def __init__(self, dtype: DType, device: Device, size: int, values: Iterable[Any] | None = None):
        if device.type == "cuda" and not accelerator_present():
            raise RuntimeError("cannot make a tensor on the device cuda: no accelerator is available")
        self.dtype = dtype
        self.device = device
        self.size = size
        self.version = 0
        self.values = None if device.type == "meta" else dtype.round([0] * size if values is None else values)

    def read(self, start: int, count: int) -> list[Any]:
        """Some of the elements."""
        if self.values is None:
            raise NotImplementedError("Cannot copy out of meta tensor; no data!")
        return self.values[start : start + count]

    def write(self, start: int, values: list[Any]) -> None:
        """Overwrite some of the elements."""
        self.version += 1
        if self.values is not None:
            self.values[start : start + len(values)] = self.dtype.round(values)

    def to(self, device: Device | str | int) -> Storage:
        """The same elements on that device; this very storage if they are there already."""
        device = Device.of(device)
        if device == self.device:
            return self
        values = None if device.type == "meta" else self.read(0, self.size)
        return Storage(self.dtype, device, self.size, values)

    def cpu(self) -> Storage:
        """The same elements on the CPU."""
        return self.to("cpu")

    def cuda(self, device: int = 0) -> Storage:
        """The same elements on the simulated accelerator."""
        return self.to(device)

    def tobytes(self) -> bytes:
        """The elements as bytes; none on the meta device."""
        return b"" if self.values is None else self.dtype.encode(self.values)
