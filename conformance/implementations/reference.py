"""Our own reference implementation, and the worked example of an adapter."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from conformance import reference
from conformance.adapter import chain
from conformance.adapter.port import Implementation
from conformance.model import Reading
from conformance.reference import serialization
from conformance.reference.storage import simulate_accelerator

Chain = chain.define(reference.Module, reference.ModuleList, reference.ModuleDict, __name__)


class Reference(Implementation):
    """The reference implementation, with or without its simulated accelerator "cuda"."""

    name = "reference"
    lacking = {"load(mmap)": "load() maps no file into memory"}
    version = reference.__version__
    Chain = Chain

    def __init__(self, accelerator: bool = False):
        self.accelerator = accelerator

    def __getattr__(self, name: str) -> Any:
        # The machine is the process: whoever was used last says whether there is an accelerator in it.
        simulate_accelerator(self.accelerator)
        if name in reference.__all__:
            return getattr(reference, name)
        return super().__getattr__(name)

    def tensor(self, values: Any, dtype: str = "float32", device: str = "cpu", shape: Any = None) -> reference.Tensor:
        simulate_accelerator(self.accelerator)
        made = reference.Tensor(values, dtype, device)
        return made if shape is None else made.reshape(shape)

    def tensor_code(self, values: str, dtype: str, device: str, shape: Any) -> str:
        place = "" if device == "cpu" else f", {device!r}"
        arranged = f".reshape({shape!r})" if shape and (0 in shape or not values.startswith("[")) else ""
        return f"reference.Tensor({values}, {dtype!r}{place}){arranged}"

    def read(self, tensor: reference.Tensor) -> Reading:
        return Reading(tensor.shape, tensor.dtype.name, tuple(tensor.flat))

    def device(self, tensor: reference.Tensor) -> str:
        return tensor.device.type

    def is_tensor(self, value: Any) -> bool:
        return isinstance(value, reference.Tensor)

    def same_storage(self, one: reference.Tensor, other: reference.Tensor) -> bool:
        # An empty tensor owns no memory: there is nothing that could be seen in the other.
        return one.data_ptr() == other.data_ptr() and one.device == other.device

    def write(self, tensor: reference.Tensor, values: Any) -> None:
        with reference.no_grad():
            tensor.copy_(reference.Tensor(values, tensor.dtype).reshape(tensor.shape))

    def unusual(self, tensor: reference.Tensor) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if not tensor.is_leaf:
            found["leaf"] = False
        if tensor.grad is not None:
            found["gradient"] = self.read(tensor.grad)
        if attributes := vars(tensor).keys() - {"_is_param"}:
            found["attributes"] = sorted(attributes)
        return found

    def unavailable(self, device: str) -> str | None:
        if device == "cuda" and not self.accelerator:
            return (
                "the simulated accelerator is switched off: use conformance.implementations.reference:with_accelerator"
            )
        return None if device in ("cpu", "cuda", "meta") else f"the suite does not know the device {device!r}"

    @contextlib.contextmanager
    def tagging(self, tag: str) -> Iterator[None]:
        """While it is open, ``save`` tags CPU storages as if they lived on the device ``tag`` ("cuda:0")."""
        serialization.tags.append(tag)
        try:
            yield
        finally:
            serialization.tags.pop()


implementation = Reference()
with_accelerator = Reference(accelerator=True)
