"""OneFlow: ``oneflow.nn.Module`` offers the API of an older torch."""

from __future__ import annotations

import tarfile
import tempfile
from typing import Any

import oneflow
from oneflow import nn

from conformance.adapter import chain
from conformance.adapter.port import Implementation
from conformance.model import Reading

_DTYPES = {name: getattr(oneflow, name) for name in ("float32", "float64", "float16", "bfloat16", "int64", "bool")}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}

Chain = chain.define(nn.Module, nn.ModuleList, nn.ModuleDict, __name__)


class OneFlow(Implementation):
    """The installed OneFlow."""

    name = "oneflow"
    lacking = {
        "tree.bfloat16": "oneflow.load reads no bfloat16 tensor, which serialization/tensor-of-any-dtype records",
        "lifecycle.copies": "a copy forgets requires_grad=False, which copying/pickle-keeps-names-and-values records",
        "hooks.handle": "registering a hook returns None: it cannot be removed",
        "save.file": "oneflow.save writes a folder; the adapter packs it into the one file that a property asks for",
        "save.zip": "oneflow.save writes a folder, not a zip archive",
    }

    Chain = Chain
    SGD = oneflow.optim.SGD
    Adam = oneflow.optim.Adam

    def __getattr__(self, name: str) -> Any:
        # oneflow.nn has Module, Linear, Parameter, ...; oneflow itself has no_grad, ...
        for namespace in (nn, oneflow):
            if not name.startswith("_") and hasattr(namespace, name):
                return getattr(namespace, name)
        return super().__getattr__(name)

    @property
    def version(self) -> str:
        return str(oneflow.__version__)

    def save(self, obj: Any, path: Any) -> None:
        """``oneflow.save``, and the folder that it writes packed into an open file."""
        with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=path, mode="w") as archive:
            oneflow.save(obj, folder)
            archive.add(folder, "")

    def load(self, path: Any, map_location: Any = None) -> Any:
        """``oneflow.load`` of a folder that ``save`` packed."""
        with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=path) as archive:
            archive.extractall(folder)
            return oneflow.load(folder, map_location=map_location)

    def tensor(self, values: Any, dtype: str = "float32", device: str = "cpu", shape: Any = None) -> oneflow.Tensor:
        if dtype not in _DTYPES:
            raise TypeError(f"oneflow has no dtype {dtype}")
        made = oneflow.tensor(values, dtype=_DTYPES[dtype], device=device)
        return made if shape is None else made.reshape(*shape)

    def read(self, tensor: oneflow.Tensor) -> Reading:
        flat = tensor.detach().cpu().numpy().reshape(-1).tolist()
        return Reading(tuple(tensor.shape), _NAMES.get(tensor.dtype, str(tensor.dtype)), tuple(flat))

    def device(self, tensor: oneflow.Tensor) -> str:
        return str(tensor.device.type)

    def is_tensor(self, value: Any) -> bool:
        return isinstance(value, oneflow.Tensor)

    def same_storage(self, one: oneflow.Tensor, other: oneflow.Tensor) -> bool:
        # There is no data_ptr(): write two values into one tensor, and see whether the other follows.
        if 0 in one.shape or 0 in other.shape:
            return 0 in one.shape and 0 in other.shape  # tensors without elements own no memory, which is the same
        view, kept = one.detach(), one.detach().clone()
        seen = []
        for value in (oneflow.zeros_like(kept), oneflow.ones_like(kept)):
            view.copy_(value)
            seen.append(self.read(other))
        view.copy_(kept)
        return seen[0] != seen[1]

    def write(self, tensor: oneflow.Tensor, values: Any) -> None:
        with oneflow.no_grad():
            tensor.copy_(oneflow.tensor(values, dtype=tensor.dtype).reshape(*tensor.shape))

    def unavailable(self, device: str) -> str | None:
        if device == "cuda" and not oneflow.cuda.is_available():
            return "oneflow.cuda.is_available() is False on this machine"
        return None if device in ("cpu", "cuda") else f"oneflow has no device {device!r}"


implementation = OneFlow()
