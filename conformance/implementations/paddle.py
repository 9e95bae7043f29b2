"""PaddlePaddle: ``paddle.nn.Layer`` offers torch's names on code of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import paddle
from paddle import nn
from paddle.nn import functional

from conformance import model
from conformance.adapter import chain
from conformance.adapter.port import Implementation
from conformance.model import Reading

Chain = chain.define(nn.Layer, nn.LayerList, nn.LayerDict, __name__)


class BatchNorm1d(nn.Layer):
    """What trees hold in place of paddle's own BatchNorm1D: a user's layer with torch's variables (see ``lacking``)."""

    def __init__(self, num_features: int):
        super().__init__()
        self.weight = nn.Parameter(paddle.ones([num_features]))
        self.bias = nn.Parameter(paddle.zeros([num_features]))
        self.register_buffer("running_mean", paddle.zeros([num_features]))
        self.register_buffer("running_var", paddle.ones([num_features]))
        self.register_buffer("num_batches_tracked", paddle.zeros([], "int64"))

    def forward(self, x: Any) -> Any:
        if self.training:
            self.num_batches_tracked.add_(paddle.ones([], "int64"))
        own = (self.running_mean, self.running_var, self.weight, self.bias)
        return functional.batch_norm(x, *own, training=self.training)


class SGD(paddle.optimizer.SGD):
    """Paddle's, with torch's names and order of arguments."""

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, weight_decay: float = 0.0):
        super().__init__(lr, list(params), weight_decay or None)


class Adam(paddle.optimizer.Adam):
    """Paddle's, with torch's names and order of arguments."""

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, betas: Any = (0.9, 0.999), eps: float = 1e-8):
        super().__init__(lr, *betas, epsilon=eps, parameters=list(params))


#: Arguments that paddle takes under torch's name, though its decorators and ``**kwargs`` hide them from introspection.
_HIDDEN_ARGUMENTS = frozenset(
    {
        *(f"Module.{name}(recurse)" for name in ("parameters", "named_parameters", "buffers", "named_buffers")),
        *(f"Module.state_dict({argument})" for argument in ("destination", "prefix", "keep_vars")),
        "Module.register_buffer(persistent)",
        "Module.set_submodule(module)",
    }
)


class Paddle(Implementation):
    """The installed PaddlePaddle."""

    name = "paddle"
    lacking = {
        "BatchNorm1d": "paddle's BatchNorm1D holds its statistics as parameters _mean and _variance and counts no "
        "batches; trees hold a layer of the adapter's in its place",
        "save.zip": "paddle.save writes a pickle, not a zip archive",
        "save.legacy": "paddle.save has one format",
        "save.device_tag": "files written by paddle.save hold no device",
        "load(map_location)": "paddle.load takes any keyword, and refuses map_location",
        "load(weights_only)": "paddle.load takes any keyword, and refuses weights_only",
        "DataParallel": "paddle.DataParallel is one process a device, as torch's DistributedDataParallel",
    }
    hidden = _HIDDEN_ARGUMENTS
    class_names = {
        "Module": "Layer",
        "ModuleList": "LayerList",
        "ModuleDict": "LayerDict",
        "Conv2d": "Conv2D",
        "MaxPool2d": "MaxPool2D",
    }

    Chain = Chain
    BatchNorm1d = BatchNorm1d
    Linear = paddle.compat.nn.Linear  # paddle's Linear in torch's layout: weight of shape (out, in), bias=True
    MaxPool2d = nn.MaxPool2D
    SGD = SGD
    Adam = Adam

    def __getattr__(self, name: str) -> Any:
        # paddle.nn has Module, ModuleList, ModuleDict, Conv2d and Parameter itself; paddle has save, load, no_grad, ...
        for namespace in (nn, paddle):
            if not name.startswith("_") and hasattr(namespace, name):
                return getattr(namespace, name)
        return super().__getattr__(name)

    @property
    def version(self) -> str:
        return str(paddle.__version__)

    def tensor(self, values: Any, dtype: str = "float32", device: str = "cpu", shape: Any = None) -> paddle.Tensor:
        place = "gpu" if device == "cuda" else device
        if shape is not None and 0 in shape:
            # reshape() gives a tensor without elements odd strides, and set_value() then refuses it.
            return paddle.zeros(list(shape), dtype, device=place)
        made = paddle.to_tensor(values, dtype=dtype, place=place)
        return made if shape is None or tuple(made.shape) == tuple(shape) else made.reshape(shape)

    def tensor_code(self, values: str, dtype: str, device: str, shape: Any) -> str:
        place = "" if device == "cpu" else ", place='gpu'"
        arranged = f".reshape({list(shape)!r})" if shape and (0 in shape or not values.startswith("[")) else ""
        return f"paddle.to_tensor({values}, dtype={dtype!r}{place}){arranged}"

    def read(self, tensor: paddle.Tensor) -> Reading:
        dtype = str(tensor.dtype).removeprefix("paddle.")
        # NumPy has no bfloat16: paddle hands its bits out as uint16.
        readable = tensor.detach().astype("float32") if dtype == "bfloat16" else tensor.detach()
        return Reading(tuple(tensor.shape), dtype, tuple(readable.numpy().reshape(-1).tolist()))

    def device(self, tensor: paddle.Tensor) -> str:
        return "cuda" if tensor.place.is_gpu_place() else "cpu"

    def is_tensor(self, value: Any) -> bool:
        return isinstance(value, paddle.Tensor)

    def same_storage(self, one: paddle.Tensor, other: paddle.Tensor) -> bool:
        return one.data_ptr() == other.data_ptr()

    def write(self, tensor: paddle.Tensor, values: Any) -> None:
        with paddle.no_grad():
            tensor.copy_(paddle.to_tensor(values, dtype=tensor.dtype).reshape(tensor.shape))

    def place(self, module: nn.Layer, name: str, value: Any, kind: str) -> None:
        # An assigned tensor becomes a buffer, which registration/plain-tensor-is-not-registered records; the trees of all
        # other clauses hold it as a plain attribute.
        if kind == "attribute":
            object.__setattr__(module, name, value)
        else:
            super().place(module, name, value, kind)

    def extra_repr(self, module: model.ModuleModel) -> str:
        if module.kind == "Dropout":
            return f"p={(*module.arguments, 0.5)[0]}, axis=None, mode=upscale_in_train, inplace=False"
        return super().extra_repr(module)

    def unavailable(self, device: str) -> str | None:
        if device == "cuda" and not (paddle.is_compiled_with_cuda() and paddle.device.cuda.device_count()):
            return "this paddle, or this machine, has no CUDA"
        return None if device in ("cpu", "cuda") else f"paddle has no device {device!r}"


implementation = Paddle()
