"""PyTorch: the implementation whose documentation is the contract."""

from __future__ import annotations

import contextlib
import importlib.metadata
from collections.abc import Iterator
from typing import Any

import torch
from packaging.version import Version
from torch import nn
from torch.nn.modules import module as _module

from conformance.adapter import chain
from conformance.adapter.port import Implementation
from conformance.model import Reading

# The tensors have a handful of elements, and pytest-xdist already uses every core: more threads would only wait.
torch.set_num_threads(1)

Chain = chain.define(nn.Module, nn.ModuleList, nn.ModuleDict, __name__)


class Torch(Implementation):
    """The installed PyTorch."""

    name = "torch"

    def __getattr__(self, name: str) -> Any:
        # torch.nn first (Module, Linear, Parameter, ...), then global hooks and utilities, then torch itself (save, load, ...)
        for namespace in (nn, _module, nn.modules.utils, torch, nn.utils, nn.parameter, getattr(torch, "func", None)):
            if not name.startswith("_") and hasattr(namespace, name):
                return getattr(namespace, name)
        return super().__getattr__(name)

    @property
    def version(self) -> str:
        return str(torch.__version__)

    @property
    def contract_version(self) -> str:  # type: ignore[override]
        # Debian calls its 1.13.1 "1.13.0a0+git...": the release is what counts.
        return Version(self.version).base_version

    Chain = Chain
    SGD = torch.optim.SGD
    Adam = torch.optim.Adam

    def tensor(self, values: Any, dtype: str = "float32", device: str = "cpu", shape: Any = None) -> torch.Tensor:
        made = torch.tensor(values, dtype=getattr(torch, dtype), device=device)
        return made if shape is None or made.shape == shape else made.reshape(shape)

    def tensor_code(self, values: str, dtype: str, device: str, shape: Any) -> str:
        place = "" if device == "cpu" else f", device={device!r}"
        kind = (
            "" if dtype == "float32" and ("." in values or values.startswith("numbers")) else f", dtype=torch.{dtype}"
        )
        arranged = "" if shape is None or (0 not in shape and values.startswith("[")) else f".reshape({shape!r})"
        return f"torch.tensor({values}{kind}{place}){arranged if shape != () else ''}"

    def read(self, tensor: torch.Tensor) -> Reading:
        dtype = str(tensor.dtype).removeprefix("torch.")
        return Reading(tuple(tensor.shape), dtype, tuple(tensor.detach().cpu().reshape(-1).tolist()))

    def device(self, tensor: torch.Tensor) -> str:
        return str(tensor.device.type)

    def is_tensor(self, value: Any) -> bool:
        return isinstance(value, torch.Tensor)

    def same_storage(self, one: torch.Tensor, other: torch.Tensor) -> bool:
        # An empty tensor owns no memory: there is nothing that could be seen in the other.
        return one.data_ptr() == other.data_ptr() and one.device == other.device

    def write(self, tensor: torch.Tensor, values: Any) -> None:
        with torch.no_grad():
            tensor.copy_(torch.tensor(values, dtype=tensor.dtype).reshape(tensor.shape))

    def unusual(self, tensor: torch.Tensor) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if not tensor.is_leaf:
            found["leaf"] = False
        elif tensor.grad is not None:
            found["gradient"] = self.read(tensor.grad)
        if not tensor.is_contiguous():
            found["strides"] = tensor.stride()
        if tensor._backward_hooks:
            found["hooks"] = len(tensor._backward_hooks)
        # nn.Parameter marks tensors of other classes.
        if attributes := vars(tensor).keys() - {"_is_param"}:
            found["attributes"] = sorted(attributes)
        return found

    def unavailable(self, device: str) -> str | None:
        if device == "cuda" and not torch.cuda.is_available():
            return "torch.cuda.is_available() is False on this machine"
        return None if device in ("cpu", "cuda", "meta") else f"the suite does not know the device {device!r}"

    @contextlib.contextmanager
    def tagging(self, tag: str) -> Iterator[None]:
        """While it is open, ``torch.save`` tags CPU storages as if they lived on the device ``tag`` ("cuda:0")."""
        _tags.append(tag)
        try:
            yield
        finally:
            _tags.pop()


class OnTorch(Torch):
    """PyTorch with a base class of the installed package ``package`` in the place of Module: it is a Module, so that
    what is documented of Module binds it, and only PyTorch's accidents do not."""

    package: str
    inherits = "torch"

    @property
    def version(self) -> str:
        return importlib.metadata.version(self.package)

    @property
    def contract_version(self) -> str:  # type: ignore[override]
        return implementation.contract_version


# torch.serialization.register_package is the documented way to tag storages: 0 is asked before torch's own taggers. Like
# theirs, the tag is a new string each time, so that pickle writes the very bytes that a file from that device has.
_tags: list[str] = []
torch.serialization.register_package(
    0,
    lambda storage: str(torch.device(_tags[-1])) if _tags and storage.device.type == "cpu" else None,
    lambda storage, location: None,
)

implementation = Torch()
