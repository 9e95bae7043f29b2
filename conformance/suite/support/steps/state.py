"""Modes, gradients, dtypes, states and copies: steps of a life."""

from __future__ import annotations

import copy
import io
import pickle as pickling
from collections.abc import Sequence
from typing import Any

from conformance import model
from conformance.language import blueprint as bp
from conformance.language.transform import FLOATING
from conformance.model import ModuleModel
from conformance.suite.support.life import Life
from conformance.suite.support.steps.calls import remove_hooks


def train(life: Life, where: int, mode: bool) -> None:
    """A module is set to a mode."""
    modules = life.root.modules()
    module = modules[where % len(modules)]
    life.real[module].train(mode)
    for below in module.modules():
        below.training = mode


def require_gradients(life: Life, where: int, wanted: bool) -> None:
    """A module is frozen, or no longer."""
    dtypes = bp.DIFFERENTIABLE if wanted else bp.DTYPES  # integers have no gradients
    found = [module for module in life.root.modules() if parameters(module)]
    apt = [module for module in found if all(tensor.dtype in dtypes for tensor in parameters(module))]
    if apt and not life.lacks("Module.requires_grad_"):
        module = apt[where % len(apt)]
        life.real[module].requires_grad_(wanted)
        for tensor in parameters(module):
            tensor.requires_grad = wanted


def parameters(module: ModuleModel) -> list[model.TensorModel]:
    """Those of the module and all below it."""
    return [tensor for tensor in module.tensors().values() if tensor.kind == "parameter"]


def cast(life: Life, where: int, dtype: str) -> None:
    """A module is cast by the method named after a dtype."""
    found, method = with_tensors(life, FLOATING), CASTS[dtype]
    if found and not life.lacks(f"Module.{method}", f"dtype.{dtype}"):
        module = found[where % len(found)]
        getattr(life.real[module], method)()
        converted(life, module, dtype)


CASTS = {"float32": "float", "float64": "double", "float16": "half", "bfloat16": "bfloat16"}


def convert(life: Life, where: int, dtype: str) -> None:
    """A module is converted by to()."""
    complex_ones = with_tensors(life, ("complex64",))  # a complex number would lose its imaginary part
    found = [module for module in with_tensors(life, FLOATING) if module not in complex_ones]
    if found and not life.lacks("Module.to", f"dtype.{dtype}"):
        module = found[where % len(found)]
        life.real[module].to(dtype=life.implementation.tensor([0], dtype).dtype)
        converted(life, module, dtype)


def with_tensors(life: Life, dtypes: Sequence[str]) -> list[ModuleModel]:
    """The modules that have tensors of these dtypes, if only below them."""
    return [each for each in life.root.modules() if any(t.dtype in dtypes for t in each.tensors().values())]


def converted(life: Life, module: ModuleModel, dtype: str) -> None:
    """Parameters are the same objects as before; a buffer may be another one."""
    for tensor in module.tensors().values():
        tensor.dtype = dtype if tensor.dtype in FLOATING else tensor.dtype
    for below in module.modules():
        for name, buffer in below.buffers_.items():
            if buffer is not None:
                life.real[buffer] = getattr(life.real[below], name)
                life.name(buffer)


# --- states and copies ---------------------------------------------------------------------------------------------


def load(life: Life, fill: int) -> None:
    """A state of other values is loaded."""
    for tensor, other in loaded(life, fill).items():
        tensor.flat = other.flat


def loaded(life: Life, fill: int) -> dict[Any, bp.Tensor]:
    """Load a state of other values; which, of each tensor."""
    state = life.root.state()
    others = {
        tensor: bp.Tensor(tensor.shape, tensor.dtype, fill + number)
        for number, tensor in enumerate(dict.fromkeys(state.values()))
    }
    given = life.real[life.root].state_dict()
    for key, tensor in state.items():
        given[key] = life.implementation.make(others[tensor], life.device)
    life.real[life.root].load_state_dict(given)
    return others


def save_and_load(life: Life, fill: int) -> None:
    """The state is saved, and loaded again over one of other values."""
    if life.lacks("save"):
        return
    file = io.BytesIO()
    life.implementation.save(life.real[life.root].state_dict(), file)
    loaded(life, fill)
    file.seek(0)
    life.real[life.root].load_state_dict(life.implementation.load(file))


def deep_copy(life: Life) -> None:
    """Life goes on with a deep copy."""
    if not life.lacks("lifecycle.copies", "deepcopy"):
        remove_hooks(life)
        life.adopt(copy.deepcopy(life.real[life.root]))


def pickle(life: Life) -> None:
    """Life goes on with what was pickled."""
    if not life.lacks("lifecycle.copies", "pickle.module"):
        remove_hooks(life)
        life.adopt(pickling.loads(pickling.dumps(life.real[life.root])))
