"""transformers: ``PreTrainedModel`` as the base class of every module of the suite's own, with random weights."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from conformance.adapter import chain
from conformance.implementations.torch import OnTorch


class Configuration(PreTrainedConfig):
    """A model of no particular kind."""

    model_type = "conformance"


class Model(PreTrainedModel):
    """A PreTrainedModel that can be made without arguments, as a Module can."""

    config_class = Configuration

    def __init__(self, config: Any = None):
        super().__init__(config or Configuration())


class PreTrained(OnTorch):
    """PyTorch with ``transformers.PreTrainedModel`` in the place of Module."""

    name = package = "transformers"
    class_names = {"Module": "Model"}
    Module = Model
    Chain = chain.define(Model, nn.ModuleList, nn.ModuleDict, __name__)


Chain = PreTrained.Chain
implementation = PreTrained()
