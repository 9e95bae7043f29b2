"""What PyTorch itself puts round a module: wrappers, each an implementation of the contract of a finished module."""

from __future__ import annotations

import atexit
import io
import os
import tempfile
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import fx, nn

from conformance.adapter.wrapping import Wrapper
from conformance.implementations.torch import implementation
from conformance.language import blueprint as bp
from conformance.model import Reading


class TorchWrapper(Wrapper):
    """Common to all of them: a lens over PyTorch's own adapter."""

    def __init__(self, inner: Any = implementation):
        super().__init__(inner)


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


class CompiledInPlace(TorchWrapper):
    """``module.compile()``, which compiles the calls of the module itself; traced, and run by eager code."""

    name = "compiled_in_place"
    child = None

    def wrap(self, module: Any) -> Any:
        if type(module) is nn.Sequential:
            module.__class__ = Sequential
        torch._dynamo.reset()
        module.compile(backend="eager")
        return module


class Sequential(nn.Sequential):
    """One of a user's own: ``compile()`` of PyTorch's, as its forward is none that may be traced, compiles nothing."""

    def forward(self, x: Any) -> Any:
        return super().forward(x)


class GraphModule(TorchWrapper):
    """``torch.fx.GraphModule`` over the tree, with a graph that refers to all that the root registers and calls what the
    root calls. A graph cannot refer to None, and every buffer that it refers to becomes a persistent one: the root has
    neither. Plain attributes, which no graph refers to, are set by hand."""

    name = "graph_module"
    child = None
    lacking = {"portrait.attributes": "a GraphModule has attributes of its own, such as meta and shape_env"}
    changed_class = "GraphModule"

    def adapted(self, blueprint: bp.Blueprint) -> bp.Blueprint:
        blueprint = self.inner.adapted(blueprint)
        kept = [(name, _persistent(member)) for name, member in blueprint.members if not isinstance(member, bp.Empty)]
        return blueprint.replace(members=tuple(kept))

    def wrap(self, module: Any) -> Any:
        graph, calls = fx.Graph(), _Calls()
        for name, _, _ in self.registered(module):
            graph.get_attr(name)
        if type(module).forward is not nn.Module.forward:
            graph.output(graph.graph_copy(calls.trace(module), {}))
        made = fx.GraphModule(module, graph)
        for name in vars(module).keys() - vars(nn.Module()).keys():
            setattr(made, name, vars(module)[name])
        return made


def _persistent(member: bp.Member) -> bp.Member:
    return replace(member, persistent=True) if isinstance(member, (bp.Buffer, bp.Shared)) else member


class _Calls(fx.Tracer):
    """Keeps every call of a child as one call, whatever the child does."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True


class FullyShard(TorchWrapper):
    """``torch.distributed.fsdp.fully_shard`` (FSDP2) on a mesh of one process: it changes the module itself, and puts a
    DTensor in the place of every parameter."""

    name = "fully_shard"
    changed_class = "FSDP{}"
    child = None
    lacking = {
        "pickle.module": "a module changed by fully_shard is saved by its state_dict only",
        "tree.0d": "fully_shard refuses parameters without dimensions",
    }

    def wrap(self, module: Any) -> Any:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        _group_of_one()
        return fully_shard(module, mesh=init_device_mesh("cpu", (1,)))

    def unavailable(self, device: str) -> str | None:
        return "the mesh is one of CPUs" if device == "cuda" else self.inner.unavailable(device)

    def load(self, file: Any, **options: Any) -> Any:
        try:
            return torch.load(file, **options)
        except RuntimeError:
            # One that fails leaves its map_location behind, for the next load of a DTensor; one that succeeds does not.
            torch.load(io.BytesIO(_saved_nothing()))
            raise

    def read(self, tensor: Any) -> Reading:
        # A shard of no elements has a shape of its own: what counts is what the DTensor says.
        return self.inner.read(_local(tensor))._replace(shape=tuple(tensor.shape))

    def same_storage(self, one: Any, other: Any) -> bool:
        return self.inner.same_storage(_local(one), _local(other))

    def write(self, tensor: Any, values: Any) -> None:
        self.inner.write(_local(tensor), values)


@cache
def _saved_nothing() -> bytes:
    file = io.BytesIO()
    torch.save({}, file)
    return file.getvalue()


def _local(tensor: Any) -> Any:
    """What this process, the only one, holds of the tensor: all of it."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


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
compiled_in_place = CompiledInPlace()
graph_module = GraphModule()
fully_shard = FullyShard()
