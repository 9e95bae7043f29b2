"""tensordict: ``TensorDictModuleBase`` as the base class of every module of the suite's own."""

from __future__ import annotations

from tensordict.nn import TensorDictModuleBase
from torch import nn

from conformance.adapter import chain
from conformance.implementations.torch import OnTorch


class Base(TensorDictModuleBase):
    """A TensorDictModuleBase that reads and writes no key of a tensordict, so that it takes tensors as a Module does."""

    in_keys = ()
    out_keys = ()


class TensorDict(OnTorch):
    """PyTorch with ``tensordict.nn.TensorDictModuleBase`` in the place of Module."""

    name = package = "tensordict"
    class_names = {"Module": "Base"}
    Module = Base
    Chain = chain.define(Base, nn.ModuleList, nn.ModuleDict, __name__)


Chain = TensorDict.Chain
implementation = TensorDict()
