"""Keras on its torch backend: ``keras.layers.Layer``, used as the ``torch.nn.Module`` that it is."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras  # noqa: E402 - Keras reads its backend when it is imported
import torch  # noqa: E402

from conformance.adapter import chain  # noqa: E402
from conformance.adapter.absence import Absent  # noqa: E402
from conformance.implementations.torch import Torch  # noqa: E402

if keras.backend.backend() != "torch":
    raise ImportError("Keras runs on another backend: set KERAS_BACKEND=torch")

#: What a Layer does not hold as it is: it puts any other Module into a TorchModuleWrapper, one name deeper.
_WRAPPED = ("Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict")
_LAYERS = ("Identity", "ReLU", "Dropout", "MaxPool2d", "Linear", "Conv2d", "BatchNorm1d")

Chain = chain.define(keras.layers.Layer, None, None, __name__)


class Keras(Torch):
    """The installed Keras, on the installed PyTorch."""

    name = "keras"
    contract_version = None  # type: ignore[assignment]
    lacking = {
        **{kind: "a Layer wraps torch's in a TorchModuleWrapper, and Keras has none of its own" for kind in _WRAPPED},
        **{kind: "a Layer wraps torch's in a TorchModuleWrapper, and Keras' own makes Variables" for kind in _LAYERS},
        "DataParallel": "torch's replicates modules, not layers",
    }
    class_names = {"Module": "Layer"}

    Module = keras.layers.Layer
    Chain = Chain
    Tensor = torch.Tensor

    def __getattr__(self, name: str) -> Any:
        if name in self.lacking:
            raise Absent(name, f"{self.name} {self.version}: {self.lacking[name]}")
        return super().__getattr__(name)

    @property
    def version(self) -> str:
        return str(keras.__version__)


implementation = Keras()
