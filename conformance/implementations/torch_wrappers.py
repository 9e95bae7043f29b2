"""What PyTorch itself puts round a module: wrappers, each an implementation of the contract of a finished module."""

from __future__ import annotations

import atexit
import os
import tempfile
from functools import cache
from typing import Any

import torch
from torch import nn

from conformance import blueprint as bp
from conformance.implementations.torch import Torch
from conformance.wrapping import Wrapping

#: Clauses about wrapping say what the bare module gives; asked of a wrapper they would wrap it once more.
_ONCE = {"DataParallel": "a wrapper is not wrapped again"}


class TorchWrapper(Wrapping, Torch):
    """Common to all of them: a wrapper prints under its own name, and holds PyTorch's contract without its accidents."""

    held_to_observed = False  # type: ignore[assignment]
    lacking = _ONCE
    inherits = "torch"


class DataParallel(TorchWrapper):
    """``torch.nn.DataParallel``: without a GPU it calls the module that it holds."""

    name = "data_parallel"
    class_names = {"Wrapper": "DataParallel"}

    def wrap(self, module: Any) -> Any:
        return nn.DataParallel(module)


class DistributedDataParallel(TorchWrapper):
    """``torch.nn.parallel.DistributedDataParallel`` in a group of one process."""

    name = "distributed_data_parallel"
    class_names = {"Wrapper": "DistributedDataParallel"}
    given = {"trained": bp.Parameter((1,))}  # it refuses a module without anything to train

    def wrap(self, module: Any) -> Any:
        _group_of_one()
        return nn.parallel.DistributedDataParallel(module, find_unused_parameters=True)


class Compiled(TorchWrapper):
    """``torch.compile(module)``, traced and run by eager code: the wrapper is checked, not the code generator."""

    name = "compiled"
    child = "_orig_mod"
    class_names = {"Wrapper": "OptimizedModule"}

    def wrap(self, module: Any) -> Any:
        torch._dynamo.reset()
        return torch.compile(module, backend="eager")


class AveragedModel(TorchWrapper):
    """``torch.optim.swa_utils.AveragedModel``, which holds a deep copy and counts."""

    name = "averaged_model"
    class_names = {"Wrapper": "AveragedModel"}
    own = {"n_averaged": bp.Buffer((), "int64", held=(0,))}

    def wrap(self, module: Any) -> Any:
        return torch.optim.swa_utils.AveragedModel(module)


@cache
def _group_of_one() -> None:
    if not torch.distributed.is_initialized():
        file = os.path.join(tempfile.mkdtemp(), "group")
        torch.distributed.init_process_group("gloo", init_method=f"file://{file}", rank=0, world_size=1)
        atexit.register(torch.distributed.destroy_process_group)


data_parallel = DataParallel()
distributed_data_parallel = DistributedDataParallel()
compiled = Compiled()
averaged_model = AveragedModel()
