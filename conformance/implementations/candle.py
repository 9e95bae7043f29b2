"""candle-nn: Hugging Face's candle for Python. A small ``Module`` that has buffers only, and tensors that never change."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import candle
from candle import functional, nn
from candle.nn.linear import Identity
from candle.utils import cuda_is_available

from conformance.adapter import chain
from conformance.adapter.absence import Absent
from conformance.adapter.port import Implementation
from conformance.model import Reading

_DTYPES = {"float32": "f32", "float64": "f64", "float16": "f16", "bfloat16": "bf16", "int64": "i64"}
_NAMES = {candle_name.upper(): name for name, candle_name in _DTYPES.items()}

Chain = chain.define(nn.Module, nn.ModuleList, nn.ModuleDict, __name__)


class ReLU(nn.Module):
    """A user's layer: candle has only the function."""

    def forward(self, x: Any) -> Any:
        return functional.relu(x)


class Candle(Implementation):
    """The installed candle-nn."""

    name = "candle"
    lacking = {
        "Module.train": "a module has no mode",
        "autograd": "tensors have no backward()",
        "write": "tensors are immutable",
        "deepcopy": "a tensor can be neither copied by copy.deepcopy nor pickled",
        "pickle.module": "a tensor cannot be pickled",
        "tree.transient": "there is no register_buffer: an assigned tensor is a persistent buffer",
        "tree.empty_buffer": "there is no register_buffer: a name cannot be reserved",
        "tree.empty_parameter": "there is no register_parameter: a name cannot be reserved",
    }

    hidden = frozenset({"tree.buffer"})

    Chain = Chain
    ReLU = ReLU
    Identity = Identity
    Tensor = candle.Tensor

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and hasattr(nn, name):
            return getattr(nn, name)
        return super().__getattr__(name)

    @property
    def version(self) -> str:
        return version("candle-nn")

    def tensor(self, values: Any, dtype: str = "float32", device: str = "cpu", shape: Any = None) -> candle.Tensor:
        flat, shape = _flat(values), _shape(values) if shape is None else tuple(shape)
        made = candle.tensor(flat).reshape(shape) if flat else candle.zeros(shape)
        made = made.to_dtype(_DTYPES[dtype])
        return made if device == "cpu" else made.to_device(device)

    def read(self, tensor: candle.Tensor) -> Reading:
        return Reading(tuple(tensor.shape), _NAMES[str(tensor.dtype)], tuple(_flat(tensor.values())))

    def device(self, tensor: candle.Tensor) -> str:
        return str(tensor.device).partition(":")[0]

    def is_tensor(self, value: Any) -> bool:
        return isinstance(value, candle.Tensor)

    def same_storage(self, one: candle.Tensor, other: candle.Tensor) -> bool:
        raise Absent(
            "write", f"{self.name} {self.version}: {self.lacking['write']}, so no write can be seen in another"
        )

    def write(self, tensor: candle.Tensor, values: Any) -> None:
        raise Absent("write", f"{self.name} {self.version}: {self.lacking['write']}")

    def place(self, module: Any, name: str, value: Any, kind: str) -> None:
        if kind == "attribute":
            object.__setattr__(module, name, value)
        else:
            setattr(module, name, value)  # every tensor that is assigned becomes a buffer

    def unavailable(self, device: str) -> str | None:
        if device == "cuda" and not cuda_is_available():
            return "this candle, or this machine, has no CUDA"
        return None if device in ("cpu", "cuda") else f"candle has no device {device!r}"


def _flat(values: Any) -> list[Any]:
    """The numbers of nested lists, in order."""
    return [x for each in values for x in _flat(each)] if isinstance(values, (list, tuple)) else [values]


def _shape(values: Any) -> tuple[int, ...]:
    """The shape of nested lists."""
    return (len(values), *(_shape(values[0]) if values else ())) if isinstance(values, (list, tuple)) else ()


implementation = Candle()
