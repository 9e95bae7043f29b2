"""MindSpore: ``mindspore.nn.Cell`` under torch's names. What is here renames and reorders arguments, and does no more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("GLOG_v", "3")  # MindSpore's own way to log errors only; read when it is imported

import mindspore
from mindspore import mint, nn, ops

from conformance import model
from conformance.adapter import chain
from conformance.adapter.port import Implementation
from conformance.language import blueprint as bp
from conformance.language.transform import chained, respelled
from conformance.model import Reading

_DTYPES = {name: getattr(mindspore, name) for name in bp.DTYPES if name != "bool"}
_DTYPES["bool"] = mindspore.bool_
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


class Module(nn.Cell):
    """A Cell with torch's vocabulary; first base of every layer and container here, so that all of them have it."""

    def construct(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return super().construct(*args, **kwargs)

    def extend_repr(self) -> str:
        return self.extra_repr()

    def extra_repr(self) -> str:
        return super().extend_repr()

    def register_parameter(self, name: str, param: Any) -> None:
        self.insert_param_to_cell(name, param)

    def add_module(self, name: str, module: Any) -> None:
        self.insert_child_to_cell(name, module)

    register_module = add_module

    def parameters(self, recurse: bool = True) -> Iterator[Any]:
        return self.get_parameters(expand=recurse)

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Any]]:
        return self.parameters_and_names(name_prefix=prefix, expand=recurse)

    def modules(self) -> Iterator[nn.Cell]:
        return (cell for _, cell in self.cells_and_names())

    def named_modules(self, memo: Any = None, prefix: str = "") -> Iterator[tuple[str, nn.Cell]]:
        return self.cells_and_names(cells=memo, name_prefix=prefix)

    def children(self) -> Iterator[nn.Cell]:
        return iter(self.cells())

    def named_children(self) -> Iterator[tuple[str, nn.Cell]]:
        return iter(self.name_cells().items())

    def get_submodule(self, target: str) -> nn.Cell:
        return self.get_sub_cell(target)

    def train(self, mode: bool = True) -> nn.Cell:
        return self.set_train(mode)

    def eval(self) -> nn.Cell:
        return self.set_train(False)

    def register_full_backward_hook(self, hook: Any) -> Any:
        return self.register_backward_hook(hook)

    def register_full_backward_pre_hook(self, hook: Any) -> Any:
        return self.register_backward_pre_hook(hook)


class Sequential(Module, nn.SequentialCell):
    """MindSpore's SequentialCell."""


class ModuleList(Module, nn.CellList):
    """MindSpore's CellList."""

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        # A slice is a CellList, without torch's names.
        return type(self)(list(found)) if isinstance(index, slice) else found


class ModuleDict(Module, nn.CellDict):
    """MindSpore's CellDict."""


class Identity(Module, mint.nn.Identity):
    """MindSpore's Identity."""


class ReLU(Module, mint.nn.ReLU):
    """MindSpore's ReLU."""


class Linear(Module, mint.nn.Linear):
    """MindSpore's Linear, that of ``mint``, which has torch's arguments."""


class Dropout(Module, nn.Dropout):
    """MindSpore's Dropout; ``mint`` has none for the CPU."""

    def __init__(self, p: float = 0.5):
        super().__init__(p=p)


class MaxPool2d(Module, nn.MaxPool2d):
    """MindSpore's MaxPool2d; ``mint`` has none for the CPU."""


class Conv2d(Module, nn.Conv2d):
    """MindSpore's Conv2d with torch's defaults; ``mint`` has none for the CPU."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any):
        super().__init__(in_channels, out_channels, kernel_size, pad_mode="valid", has_bias=True)


class BatchNorm1d(Module):
    """What trees hold in place of MindSpore's own BatchNorm1d: a user's layer with torch's variables (see ``lacking``)."""

    def __init__(self, num_features: int):
        super().__init__()
        self.weight = mindspore.Parameter(mint.ones(num_features))
        self.bias = mindspore.Parameter(mint.zeros(num_features))
        self.register_buffer("running_mean", mint.zeros(num_features))
        self.register_buffer("running_var", mint.ones(num_features))
        self.register_buffer("num_batches_tracked", mindspore.Tensor(0, mindspore.int64))

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__.get("_buffers", ()):
            self.register_buffer(name, value)  # a Cell lets no tensor be assigned where a buffer is
        else:
            super().__setattr__(name, value)

    def forward(self, x: Any) -> Any:
        if self.training:
            self.num_batches_tracked.add_(1)
        own = (self.running_mean, self.running_var, self.weight, self.bias)
        return ops.batch_norm(x, *own, training=self.training)


Chain = chain.define(Module, ModuleList, ModuleDict, __name__)

#: Names of modules that a Cell refuses, and what trees have in their place.
_SPELLINGS = {"名前": "namae", "é": "accent", "with space": "with_space"}


def _refuses(kind: str, held: list[str]) -> bool:
    """Whether a container holds no such children. An empty list is refused too: traversals pass it over, of which
    traversal/empty-containers-are-visited tells, and no other property of a tree would see anything else."""
    if kind == "ModuleDict":
        return not {"ModuleDict", "ModuleList", "Sequential", "module"}.isdisjoint(held)
    return (kind == "ModuleList" and "ModuleDict" in held) or (kind in ("ModuleList", "Sequential") and not held)


def _refuses_where_tied(kind: str, held: list[str]) -> bool:
    """The same in a tree in which something has two names: an assignment to a CellDict works out a prefix from the names
    of the parameters, of which the second name has changed some, and may raise IndexError."""
    return kind == "ModuleDict" or _refuses(kind, held)


class MindSpore(Implementation):
    """The installed MindSpore."""

    name = "mindspore"
    lacking = {
        "autograd": "tensors have no backward(): gradients come from mindspore.grad of a function",
        "BatchNorm1d": "nn.BatchNorm1d names its variables gamma, beta, moving_mean and moving_variance, and mint's has no "
        "CPU kernel; trees hold a layer of the adapter's in its place",
        "pickle.module": "a Cell cannot be pickled (TypeError)",
        "Module.register_backward_hook": "Cell's method of that name is torch's register_full_backward_hook",
    }

    Module, Sequential, ModuleList, ModuleDict, Chain = Module, Sequential, ModuleList, ModuleDict, Chain
    Identity, ReLU, Linear, Dropout = Identity, ReLU, Linear, Dropout
    MaxPool2d, Conv2d, BatchNorm1d = MaxPool2d, Conv2d, BatchNorm1d
    Parameter = mindspore.Parameter
    register_module_buffer_registration_hook = staticmethod(nn.cell.register_cell_buffer_registration_hook)

    def __getattr__(self, name: str) -> Any:
        return _DTYPES[name] if name in _DTYPES else super().__getattr__(name)

    def adapted(self, blueprint: bp.Blueprint) -> bp.Blueprint:
        # Or else hardly a tree could be built. The properties that ask for names and containers do not come by here.
        tied = any(isinstance(member, bp.Shared) for node in blueprint.nodes() for _, member in node.members)
        return chained(respelled(blueprint, _SPELLINGS), _refuses_where_tied if tied else _refuses)

    @property
    def version(self) -> str:
        return str(mindspore.__version__)

    def tensor(self, values: Any, dtype: str = "float32", device: str = "cpu", shape: Any = None) -> mindspore.Tensor:
        made = mindspore.Tensor(values, _DTYPES[dtype])
        return made if shape is None or tuple(made.shape) == tuple(shape) else made.reshape(tuple(shape))

    def read(self, tensor: mindspore.Tensor) -> Reading:
        dtype = _NAMES.get(tensor.dtype, str(tensor.dtype))
        readable = tensor.astype(mindspore.float32) if dtype == "bfloat16" else tensor  # NumPy has no bfloat16
        return Reading(tuple(tensor.shape), dtype, tuple(readable.asnumpy().reshape(-1).tolist()))

    def device(self, tensor: mindspore.Tensor) -> str:
        return str(tensor.device).partition(":")[0].lower()

    def is_tensor(self, value: Any) -> bool:
        return isinstance(value, mindspore.Tensor)

    def same_storage(self, one: mindspore.Tensor, other: mindspore.Tensor) -> bool:
        return one.data_ptr() == other.data_ptr()

    def write(self, tensor: mindspore.Tensor, values: Any) -> None:
        tensor.copy_(self.tensor(values, _NAMES[tensor.dtype], shape=tensor.shape))

    def requires_grad(self, tensor: mindspore.Tensor) -> bool:
        return bool(getattr(tensor, "requires_grad", False))  # only a parameter has the attribute

    def extra_repr(self, module: model.ModuleModel) -> str:
        if module.kind == "Linear":
            i, o, bias = (*module.arguments, True)[:3]
            return f"input_features={i}, output_features={o}" + (", has_bias=True" if bias else "")
        return f"p={(*module.arguments, 0.5)[0]}" if module.kind == "Dropout" else ""

    def unavailable(self, device: str) -> str | None:
        if device == "cuda" and not mindspore.device_context.gpu.is_available():
            return "this mindspore, or this machine, has no CUDA"
        return None if device in ("cpu", "cuda") else f"mindspore has no device {device!r}"


implementation = MindSpore()
