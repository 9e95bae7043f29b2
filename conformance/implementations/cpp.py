"""The C++ frontend: ``torch::nn::Module``, PyTorch's second module system, through a shim that is built on first use.

The methods below only give torch's Python names to what the C++ object does. C++ has no assignment that registers, no
state_dict, no hooks and no ``forward`` of a Module: what is missing here is missing there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils import cpp_extension

from conformance.adapter import chain
from conformance.adapter.absence import Absent
from conformance.adapter.port import Implementation
from conformance.implementations.torch import Torch


def _built() -> Any:
    """The shim, compiled into torch's own cache of extensions unless it is there already."""
    source = str(Path(__file__).with_name("cpp_shim.cpp"))
    # ninja may stand beside this interpreter without being on the path.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    try:
        return cpp_extension.load("conformance_cpp_frontend", [source], extra_cflags=["-O0"])
    except (OSError, RuntimeError, ImportError) as error:
        first = str(error).strip().partition("\n")[0]
        raise ImportError(
            f"the shim of the C++ frontend could not be built, which needs a C++ compiler, ninja and setuptools: {first}"
        ) from error


_cpp = _built()


class CppError(RuntimeError, KeyError, TypeError, IndexError, ValueError):
    """A ``c10::Error``, which is the only error of C++ and stands for each of Python's."""

    __str__ = RuntimeError.__str__


def _passing(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call the C++ function, its errors as a CppError."""
    try:
        return function(*arguments)
    except TypeError as error:  # pybind11 could not convert an argument: such a program does not compile
        raise CppError(str(error).partition("\n")[0]) from error
    except (IndexError, RuntimeError) as error:
        raise CppError(str(error)) from error


class Module:
    """Torch's names for ``torch::nn::Module``."""

    def register_parameter(self, name: str, param: Any) -> None:
        _passing(self._register_parameter, name, param)

    def register_buffer(self, name: str, tensor: Any) -> None:
        _passing(self._register_buffer, name, tensor)

    def register_module(self, name: str, module: Any) -> None:
        _passing(self._register_module, name, module)

    add_module = register_module

    def parameters(self, recurse: bool = True) -> Iterator[Any]:
        return iter(self._parameters(recurse))

    def named_parameters(self, recurse: bool = True) -> Iterator[tuple[str, Any]]:
        return iter(_passing(self._named_parameters, recurse))

    def buffers(self, recurse: bool = True) -> Iterator[Any]:
        return iter(self._buffers(recurse))

    def named_buffers(self, recurse: bool = True) -> Iterator[tuple[str, Any]]:
        return iter(_passing(self._named_buffers, recurse))

    def modules(self) -> Iterator[Any]:
        return iter(self._modules())

    def named_modules(self, *, prefix: str = "") -> Iterator[tuple[str, Any]]:
        return iter(_passing(self._named_modules, prefix))

    def children(self) -> Iterator[Any]:
        return iter(self._children())

    def named_children(self) -> Iterator[tuple[str, Any]]:
        return iter(self._named_children())

    def train(self, mode: bool = True) -> Any:
        _passing(self._train, mode)
        return self

    def eval(self) -> Any:
        self._eval()
        return self

    @property
    def training(self) -> bool:
        return self._is_training()

    def to(self, *arguments: Any, **options: Any) -> Any:
        dtype, device = options.get("dtype"), options.get("device")
        for argument in arguments:
            if isinstance(argument, torch.dtype):
                dtype = argument
            elif isinstance(argument, (str, torch.device)):
                device = argument
            else:
                raise Absent("Module.to(tensor)", f"the C++ to() takes no {type(argument).__name__}")
        if device is None:
            _passing(self._to_dtype, dtype)
        elif dtype is None:
            _passing(self._to_device, torch.device(device))
        else:
            _passing(self._to_both, torch.device(device), dtype)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        self._zero_grad(set_to_none)

    def apply(self, fn: Callable[[Any], None]) -> Any:
        self._apply(fn)
        return self

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.forward(*arguments, **named)

    def __repr__(self) -> str:
        return self._print()

    def __getattr__(self, name: str) -> Any:
        # A C++ class keeps what it registers in members of its own: here they are looked up in the registries.
        for registered in (self._named_children(), self._named_parameters(False), self._named_buffers(False)):
            for key, member in registered:
                if key == name:
                    return member
        if self._undefined(name):
            return None
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "training" or isinstance(value, (torch.Tensor, _cpp.Module)):
            raise Absent("Module.__setattr__", "assignment to a C++ module registers nothing")
        object.__setattr__(self, name, value)


class ModuleList:
    """Torch's names for ``torch::nn::ModuleList``."""

    def append(self, module: Any) -> Any:
        _passing(self._push_back, module)
        return self

    def extend(self, modules: Iterable[Any]) -> Any:
        for module in modules:
            self.append(module)
        return self

    def insert(self, index: int, module: Any) -> None:
        _passing(self._insert, index, module)

    def __len__(self) -> int:
        return self._size()

    def __getitem__(self, index: int) -> Any:
        if isinstance(index, slice) or (isinstance(index, int) and index < 0):
            raise Absent(f"{type(self).__name__}.__getitem__(slice)", "C++ indices are numbers from 0")
        return _passing(self._ptr, index)

    def __iter__(self) -> Iterator[Any]:
        return (self._ptr(i) for i in range(self._size()))


class ModuleDict:
    """Torch's names for ``torch::nn::ModuleDict`` and ``torch::nn::ParameterDict``."""

    def __setitem__(self, key: str, value: Any) -> None:
        known = isinstance(self, _cpp.ParameterDict) and self._contains(key)
        _passing(self._assign if known else self._update, key, value)

    def __getitem__(self, key: str) -> Any:
        return _passing(self._at, key)

    def __delitem__(self, key: str) -> None:
        raise Absent(f"{type(self).__name__}.__delitem__", "a C++ dict has pop(), but nothing that only deletes")

    def __contains__(self, key: str) -> bool:
        return self._contains(key)

    def __len__(self) -> int:
        return len(self._items())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def update(self, items: Any) -> None:
        for key, value in items.items() if hasattr(items, "items") else items:
            self[key] = value

    def pop(self, key: str) -> Any:
        return _passing(self._pop, key)

    def clear(self) -> None:
        self._clear()

    def keys(self) -> list[str]:
        return [key for key, _ in self._items()]

    def values(self) -> list[Any]:
        return [value for _, value in self._items()]

    def items(self) -> list[tuple[str, Any]]:
        return self._items()


def _named(target: type, names: type, *left_out: str) -> None:
    """Give the C++ class these methods."""
    for name, method in vars(names).items():
        if name not in ("__dict__", "__weakref__", "__module__", "__doc__", *left_out):
            setattr(target, name, method)


def _filled(target: type, fill: Callable[[Any, Any], None]) -> None:
    """Let the constructor of a container take what it holds."""
    make = target.__init__

    def __init__(self: Any, items: Any = None, **named: Any) -> None:
        if named:
            raise Absent("arguments by name", "C++ has no arguments by name")
        make(self)
        if items is not None:
            fill(self, items)

    target.__init__ = __init__


def _put_all(target: Any, items: Any) -> None:
    """Put every pair of these into the dict."""
    for key, value in items.items() if hasattr(items, "items") else items:
        target[key] = value


_named(_cpp.Module, Module)
_named(_cpp.ModuleList, ModuleList)
_named(_cpp.ParameterList, ModuleList, "insert")
_named(_cpp.ModuleDict, ModuleDict)
_named(_cpp.ParameterDict, ModuleDict, "update")
for _target in (_cpp.ModuleList, _cpp.ParameterList):
    _filled(_target, ModuleList.extend)
for _target in (_cpp.ModuleDict, _cpp.ParameterDict):
    _filled(_target, _put_all)

_KINDS = ("Module", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict")
_LAYERS = ("Identity", "ReLU", "Dropout", "MaxPool2d", "Linear", "Conv2d")


class Cpp(Torch):
    """The C++ frontend of the installed PyTorch."""

    name = "cpp"
    contract_version = None  # type: ignore[assignment]
    lacking = {
        "Module.__init__": "in C++ the constructor of the base class has run before anything else can",
        "Module.__setattr__": "assignment to a C++ module registers nothing",
        "Sequential": "a C++ Sequential holds only modules whose forward is known when the program is compiled",
        "BatchNorm1d": "the buffers of a C++ layer are private: no drawn tensor can take their place",
        "ModuleDict.__delitem__": "a C++ dict has pop(), but nothing that only deletes",
        "ParameterDict.__delitem__": "a C++ dict has pop(), but nothing that only deletes",
        "deepcopy": "clone() is only there for classes with a reset() of their own",
        "pickle.module": "a C++ module is saved to an archive",
        "tree.transient": "every C++ buffer is saved",
        "tree.empty_module": "a name cannot be reserved for a module",
        "tree.mode": "the mode of a single module cannot be set",
    }
    class_names = {kind: f"torch::nn::{kind}" for kind in (*_KINDS, *_LAYERS)} | {"Chain": "torch::nn::Module"}

    Chain = chain.define(_cpp.Module, _cpp.ModuleList, _cpp.ModuleDict, __name__)
    Tensor = torch.Tensor
    Parameter = torch.nn.Parameter
    no_grad = torch.no_grad
    manual_seed = torch.manual_seed

    def __getattr__(self, name: str) -> Any:
        if name in self.lacking:
            raise Absent(name, f"{self.name} {self.version}: {self.lacking[name]}")
        if name in (*_KINDS, *_LAYERS):
            return getattr(_cpp, name)
        return Implementation.__getattr__(self, name)

    def place(self, module: Any, name: str, value: Any, kind: str) -> None:
        if kind == "attribute":
            object.__setattr__(module, name, value)
        elif kind == "member":
            module._place(name, value)
        else:
            super().place(module, name, value, kind)


implementation = Cpp()
