"""MindTorch, a part of MindNLP: torch's names on MindSpore's tensors."""

from __future__ import annotations

import importlib.metadata
import os
from typing import Any

os.environ.setdefault("GLOG_v", "3")  # MindSpore's own way to log errors only; read when it is imported

import mindtorch
from mindtorch import nn
from mindtorch.nn.modules import module as _module

from conformance.adapter import chain
from conformance.adapter.port import Implementation
from conformance.language import blueprint as bp
from conformance.model import Reading

_DTYPES = {name: getattr(mindtorch, name) for name in bp.DTYPES if name != "bool"}
_DTYPES["bool"] = mindtorch.bool
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}

Chain = chain.define(nn.Module, nn.ModuleList, nn.ModuleDict, __name__)


class BatchNorm1d(nn.BatchNorm1d):
    """What larger trees hold: MindTorch's own layer computes with its statistics and its weights interchanged on a CPU,
    and properties of calls and hooks would see nothing but that."""

    def forward(self, x: Any) -> Any:
        if self.training:
            self.num_batches_tracked.add_(1)
        # The order in which the CPU's kernel reads what functional.batch_norm passes on.
        return nn.functional.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var, self.training)


class MindTorch(Implementation):
    """The installed MindTorch."""

    name = "mindtorch"
    lacking = {
        "autograd": "backward() of a tensor does nothing: gradients come from mindtorch.autograd.value_and_grad",
        "tree.complex64": "save() knows no storage of complex64 and raises KeyError",
        "save.legacy": "save() takes _use_new_zipfile_serialization and always writes a zip archive",
        "save.device_tag": "save() tags every storage as one of the CPU",
        "LazyLinear": "every lazy layer raises AttributeError when it is made, for want of Tensor._make_subclass",
        "DataParallel": "nn.DataParallel is a class without a body, which takes no module",
    }

    in_trees = {"BatchNorm1d": "BatchNorm1dInTrees"}

    Chain = Chain
    BatchNorm1dInTrees = BatchNorm1d
    SGD = mindtorch.optim.SGD
    Adam = mindtorch.optim.Adam

    def __getattr__(self, name: str) -> Any:
        for namespace in (nn, _module, nn.modules.utils, mindtorch):
            if not name.startswith("_") and hasattr(namespace, name):
                return getattr(namespace, name)
        return super().__getattr__(name)

    @property
    def version(self) -> str:
        return importlib.metadata.version("mindnlp")

    def tensor(self, values: Any, dtype: str = "float32", device: str = "cpu", shape: Any = None) -> mindtorch.Tensor:
        made = mindtorch.tensor(values, dtype=_DTYPES[dtype], device=device)
        return made if shape is None else made.reshape(shape)

    def read(self, tensor: mindtorch.Tensor) -> Reading:
        flat = tensor.detach().reshape(-1).tolist()
        return Reading(tuple(tensor.shape), _NAMES.get(tensor.dtype, str(tensor.dtype)), tuple(flat))

    def device(self, tensor: mindtorch.Tensor) -> str:
        return str(tensor.device.type)

    def is_tensor(self, value: Any) -> bool:
        return isinstance(value, mindtorch.Tensor)

    def same_storage(self, one: mindtorch.Tensor, other: mindtorch.Tensor) -> bool:
        if one.data_ptr() != other.data_ptr():
            return False
        # Tensors that were loaded from one and the same byte have its address until one of them is written to.
        before, seen = self.read(one), self.read(other)
        self.write(one, [not value if before.dtype == "bool" else value + 1 for value in before.flat])
        shared = one is other or not before.flat or self.read(other) != seen
        self.write(one, list(before.flat))
        return shared

    def write(self, tensor: mindtorch.Tensor, values: Any) -> None:
        with mindtorch.no_grad():
            tensor.copy_(mindtorch.tensor(values, dtype=tensor.dtype).reshape(tensor.shape))

    def unavailable(self, device: str) -> str | None:
        if device == "cuda" and not mindtorch.cuda.is_available():
            return "this MindSpore, or this machine, has no CUDA"
        return None if device in ("cpu", "cuda", "meta") else f"mindtorch has no device {device!r}"


implementation = MindTorch()
