"""accelerate: modules changed in place by ``dispatch_model``, which hangs a hook on every module that holds something."""

from __future__ import annotations

from typing import Any

import accelerate

from conformance.adapter.wrapping import Wrapping
from conformance.implementations.torch import OnTorch
from conformance.language import blueprint as bp
from conformance.language.transform import with_elements, without_empty


class Dispatched(Wrapping, OnTorch):
    """``accelerate.dispatch_model`` onto the one device on which the module is, with the hooks that several would get."""

    name = package = "accelerate"
    child = None

    def narrowed(self, clause: str, name: str, value: Any) -> Any:
        """Where a tensor without elements has two names, dispatch_model puts it in the place of every other such tensor:
        one clause is left to say so, and the others would see nothing else."""
        if clause == "traversal/named_parameters-own-then-children":
            return value
        if name == "shape":
            return tuple(extent or 1 for extent in value)
        return without_empty(value) if isinstance(value, bp.Blueprint) else with_elements(value)

    def wrap(self, module: Any) -> Any:
        tensors = [*module.parameters(), *module.buffers()]
        device = str(tensors[0].device) if tensors else "cpu"
        return accelerate.dispatch_model(module, {"": device}, force_hooks=True)


implementation = Dispatched()
