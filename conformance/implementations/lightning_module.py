"""Lightning: ``LightningModule`` as the base class of every module of the suite's own."""

from __future__ import annotations

from lightning import LightningModule
from torch import nn

from conformance.adapter import chain
from conformance.implementations.torch import OnTorch


class Lightning(OnTorch):
    """PyTorch with ``lightning.LightningModule`` in the place of Module."""

    name = package = "lightning"
    class_names = {"Module": "LightningModule"}
    Module = LightningModule
    Chain = chain.define(LightningModule, nn.ModuleList, nn.ModuleDict, __name__)


Chain = Lightning.Chain
implementation = Lightning()
