"""accelerate: modules changed in place by ``dispatch_model``, which hangs a hook on every module that holds something."""

from __future__ import annotations

from typing import Any

import accelerate

from conformance.implementations.torch import OnTorch
from conformance.wrapping import Wrapping


class Dispatched(Wrapping, OnTorch):
    """``accelerate.dispatch_model`` onto the one device on which the module is, with the hooks that several would get."""

    name = package = "accelerate"
    child = None
    lacking = {
        "DataParallel": "a wrapper is not wrapped again",
        "tree.no_elements": "where a tensor without elements has two names, every other such tensor is replaced by it",
    }

    def wrap(self, module: Any) -> Any:
        tensors = [*module.parameters(), *module.buffers()]
        device = str(tensors[0].device) if tensors else "cpu"
        return accelerate.dispatch_model(module, {"": device}, force_hooks=True)


implementation = Dispatched()
