"""accelerate: modules changed in place by ``dispatch_model``, which hangs a hook on every module that holds something."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import accelerate

from conformance.adapter.wrapping import Wrapper
from conformance.implementations.torch import implementation as torch


class Dispatched(Wrapper):
    """``accelerate.dispatch_model`` onto the one device on which the module is, with the hooks that several would get."""

    name = "accelerate"
    version = importlib.metadata.version("accelerate")
    child = None
    lacking = {
        "portrait.attributes": "a hook has its place among the attributes of each module, and so has the forward that it wraps",
        "drawn.empty": "dispatch_model puts one tensor without elements in the place of all, where one of them has two names",
    }

    def wrap(self, module: Any) -> Any:
        tensors = [*module.parameters(), *module.buffers()]
        device = str(tensors[0].device) if tensors else "cpu"
        return accelerate.dispatch_model(module, {"": device}, force_hooks=True)


implementation = Dispatched(torch)
