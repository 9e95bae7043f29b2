"""A reference implementation of the module contract, in pure Python.

The smallest clean code we know that keeps every clause of the contract. It is what the model is checked against, what
faults are planted in, and the worked example of the implementers' tutorial. Read it from the bottom up:

    storage.py        dtypes, devices, storages
    autograd.py       reverse-mode differentiation
    tensor.py         tensors
    parameter.py      Parameter, Buffer
    hooks.py          lists of hooks, handles, hooks of all modules, backward hooks
    registry.py       registration, attributes, traversal, paths
    calling.py        calls and the hooks that see them
    state.py          state_dict, load_state_dict
    module.py         Module: modes, conversions, copies, text
    containers.py     Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict
    layers.py         Linear, BatchNorm1d, ...
    optim.py          SGD, Adam
    serialization.py  save, load
"""

from conformance.reference import serialization
from conformance.reference.autograd import no_grad
from conformance.reference.containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from conformance.reference.hooks import (
    RemovableHandle,
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from conformance.reference.layers import (
    BatchNorm1d,
    Conv2d,
    DataParallel,
    Dropout,
    Identity,
    Linear,
    MaxPool2d,
    ReLU,
    manual_seed,
)
from conformance.reference.module import Module
from conformance.reference.optim import SGD, Adam
from conformance.reference.parameter import Buffer, Parameter
from conformance.reference.serialization import load, save
from conformance.reference.state import consume_prefix_in_state_dict_if_present
from conformance.reference.storage import bfloat16, complex64, float16, float32, float64, int64
from conformance.reference.tensor import Tensor

#: The edition of the contract that it keeps.
__version__ = "1"

__all__ = [
    "SGD",
    "Adam",
    "BatchNorm1d",
    "Buffer",
    "Conv2d",
    "DataParallel",
    "Dropout",
    "Identity",
    "Linear",
    "MaxPool2d",
    "Module",
    "ModuleDict",
    "ModuleList",
    "Parameter",
    "ParameterDict",
    "ParameterList",
    "ReLU",
    "RemovableHandle",
    "Sequential",
    "Tensor",
    "bfloat16",
    "complex64",
    "consume_prefix_in_state_dict_if_present",
    "float16",
    "float32",
    "float64",
    "int64",
    "load",
    "manual_seed",
    "no_grad",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
    "save",
    "serialization",
]
