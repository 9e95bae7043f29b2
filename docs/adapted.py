"""Ask layers that peft adapts, and torchao and bitsandbytes quantise, what any module is asked: ``python docs/adapted.py``.

Writes ``docs/adapted.md``. Needs torch, peft, torchao and bitsandbytes.
"""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bitsandbytes
import peft
import torch
import torchao.quantization as torchao
from layers import checked, ones
from torch import nn

from conformance.front.calls import Case

PAGE = Path(__file__).parent / "adapted.md"
PACKAGES = ("torch", "peft", "torchao", "bitsandbytes")
#: How many clauses a row names; of more it says how many there are in each area.
NAMED = 8


def indices() -> torch.Tensor:
    """An example of an input of an Embedding."""
    return torch.tensor([[1, 2]])


def sequences() -> tuple[torch.Tensor, ...]:
    """An example of query, key and value."""
    return (ones(3, 4)(),) * 3


def adapted(config: type, layer: Callable[[], nn.Module], **options: Any) -> Callable[[], nn.Module]:
    """What peft puts in the place of the layer."""

    def make() -> nn.Module:
        torch.manual_seed(0)
        model = nn.Sequential(layer())
        peft.inject_adapter_in_model(config(target_modules=["0"], **options), model)
        return model[0]

    return make


def quantised(config: type, **options: Any) -> Callable[[], nn.Module]:
    """A Linear that torchao has quantised."""

    def make() -> nn.Module:
        model = nn.Sequential(nn.Linear(64, 64))
        torchao.quantize_(model, config(**options))
        return model[0]

    return make


def linear() -> nn.Module:
    """The layer that most of them adapt."""
    return nn.Linear(4, 4)


#: (name, how it is made, an example of an input).
LAYERS: list[tuple[str, Callable[[], nn.Module], Callable[[], Any]]] = [
    ("peft: LoRA of Linear", adapted(peft.LoraConfig, linear, r=2), ones(2, 4)),
    ("peft: DoRA of Linear", adapted(peft.LoraConfig, linear, r=2, use_dora=True), ones(2, 4)),
    ("peft: LoRA of Embedding", adapted(peft.LoraConfig, lambda: nn.Embedding(5, 4), r=2), indices),
    ("peft: LoRA of Conv2d", adapted(peft.LoraConfig, lambda: nn.Conv2d(2, 3, 2), r=2), ones(2, 2, 4, 4)),
    ("peft: LoRA of MultiheadAttention", adapted(peft.LoraConfig, lambda: nn.MultiheadAttention(4, 2), r=2), sequences),
    ("peft: AdaLoRA of Linear", adapted(peft.AdaLoraConfig, linear, init_r=2, total_step=10), ones(2, 4)),
    ("peft: IA3 of Linear", adapted(peft.IA3Config, linear, feedforward_modules=[]), ones(2, 4)),
    ("peft: LoHa of Linear", adapted(peft.LoHaConfig, linear, r=2), ones(2, 4)),
    ("peft: LoKr of Linear", adapted(peft.LoKrConfig, linear, r=2), ones(2, 4)),
    ("peft: OFT of Linear", adapted(peft.OFTConfig, linear, oft_block_size=2), ones(2, 4)),
    ("peft: BOFT of Linear", adapted(peft.BOFTConfig, linear, boft_block_size=2), ones(2, 4)),
    ("peft: FourierFT of Linear", adapted(peft.FourierFTConfig, linear, n_frequency=2), ones(2, 4)),
    ("torchao: Linear, int8 weights", quantised(torchao.Int8WeightOnlyConfig), ones(2, 64)),
    ("torchao: Linear, int8", quantised(torchao.Int8DynamicActivationInt8WeightConfig), ones(2, 64)),
    ("torchao: Linear, float8 weights", quantised(torchao.Float8WeightOnlyConfig), ones(2, 64)),
    ("bitsandbytes: StableEmbedding", lambda: bitsandbytes.nn.StableEmbedding(5, 4), indices),
    (
        "bitsandbytes: Linear8bitLt",
        lambda: bitsandbytes.nn.Linear8bitLt(64, 64, has_fp16_weights=False).to("cpu"),
        ones(2, 64),
    ),
    ("bitsandbytes: Linear4bit", lambda: bitsandbytes.nn.Linear4bit(64, 64).to("cpu"), ones(2, 64)),
    ("bitsandbytes: Embedding8bit", lambda: bitsandbytes.nn.Embedding8bit(5, 64).to("cpu"), indices),
]


def departures(failed: list[str]) -> str:
    """Which clauses these are, or why none was asked; of many, how many in each area."""
    if len(failed) <= NAMED:
        return ", ".join(each.partition(": func=")[0] for each in failed)
    return ", ".join(f"{area} {n}" for area, n in Counter(id.strip("`").partition("/")[0] for id in failed).items())


def main() -> None:
    """Check all layers, and write the page."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    lines = [
        "# Layers that other packages adapt",
        "",
        f"Written by `python docs/adapted.py` with {versions}, on a CPU: each layer is asked, as those of `torch.nn`",
        "([layers.md](layers.md)), each clause that makes sense for a module of any class. What is behind the departures is",
        "told in [wrappers.md](wrappers.md#single-layers).",
        "",
        "| layer | passed | as PyTorch itself | failed | departs from |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, factory, example in LAYERS:
        _, counts, failed = checked(Case(factory, example=example, name=name))
        numbers = [str(counts[outcome] or "") for outcome in ("passed", "deviation", "failed")]
        lines.append(f"| {name} | {' | '.join(numbers)} | {departures(failed)} |")
        print(lines[-1], flush=True)
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
