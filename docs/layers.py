"""Ask every layer of ``torch.nn`` the clauses that make sense for a module of any class: ``python docs/layers.py``.

Writes ``docs/layers.md``: which layers depart from which clauses. ``--only NAME`` (repeated) checks these and prints.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
from torch import nn  # noqa: E402

from conformance.adapter.absence import AdapterError  # noqa: E402
from conformance.front.calls import Case, check_module  # noqa: E402

PAGE = ROOT / "docs/layers.md"


def ones(*shape: int) -> Callable[[], Any]:
    """An example of an input of that shape."""
    return lambda: torch.linspace(-1, 1, int(torch.Size(shape).numel())).reshape(shape)


def ones_twice(*shapes: tuple[int, ...]) -> Callable[[], Any]:
    """An example of several inputs."""
    return lambda: tuple(ones(*shape)() for shape in shapes)


def _image(dimensions: int, channels: int = 2) -> tuple[int, ...]:
    return (2, channels, *(4,) * dimensions)


#: Constructor arguments and an example of an input, where the constructor needs arguments or the input a certain shape.
#: An argument that is a module is given as the function that makes it, since no two layers may share one.
ARGUMENTS: dict[str, tuple[tuple[Any, ...], dict[str, Any], Callable[[], Any] | None]] = {
    "Linear": ((2, 3), {}, ones(2, 2)),
    "LinearCrossEntropyLoss": ((3, 4), {}, lambda: (ones(2, 3)(), torch.tensor([0, 3]))),
    "Bilinear": ((2, 3, 4), {}, ones_twice((2, 2), (2, 3))),
    "Embedding": ((5, 3), {}, lambda: torch.tensor([[1, 2]])),
    "EmbeddingBag": ((5, 3), {}, lambda: torch.tensor([[1, 2]])),
    "RNNBase": (("RNN_TANH", 2, 3), {}, None),
    "RNN": ((2, 3), {}, ones(4, 2)),
    "LSTM": ((2, 3), {}, ones(4, 2)),
    "GRU": ((2, 3), {}, ones(4, 2)),
    "RNNCell": ((2, 3), {}, ones(2, 2)),
    "LSTMCell": ((2, 3), {}, ones(2, 2)),
    "GRUCell": ((2, 3), {}, ones(2, 2)),
    "RNNCellBase": ((2, 3, True, 3), {}, None),
    "MultiheadAttention": ((4, 2), {}, ones_twice((3, 4), (3, 4), (3, 4))),
    "TransformerEncoderLayer": ((4, 2, 3), {}, ones(3, 4)),
    "TransformerDecoderLayer": ((4, 2, 3), {}, ones_twice((3, 4), (3, 4))),
    "Transformer": ((4, 2, 1, 1, 3), {}, ones_twice((3, 4), (3, 4))),
    "TransformerEncoder": (
        (lambda: nn.TransformerEncoderLayer(4, 2, 3), 2),
        {"enable_nested_tensor": False},
        ones(3, 4),
    ),
    "TransformerDecoder": ((lambda: nn.TransformerDecoderLayer(4, 2, 3), 2), {}, ones_twice((3, 4), (3, 4))),
    "LayerNorm": ((3,), {}, ones(2, 3)),
    "RMSNorm": ((3,), {}, ones(2, 3)),
    "GroupNorm": ((2, 4), {}, ones(2, 4, 3)),
    "LocalResponseNorm": ((2,), {}, ones(2, 3, 4)),
    "CrossMapLRN2d": ((2,), {}, ones(2, 3, 4, 4)),
    "PixelShuffle": ((2,), {}, ones(1, 4, 2, 2)),
    "PixelUnshuffle": ((2,), {}, ones(1, 1, 4, 4)),
    "ChannelShuffle": ((2,), {}, ones(1, 4, 2, 2)),
    "Fold": (((4, 4), 2), {}, ones(1, 4, 9)),
    "Unfold": ((2,), {}, ones(1, 1, 4, 4)),
    "Flatten": ((), {}, ones(2, 3, 4)),
    "Unflatten": ((1, (2, 2)), {}, ones(3, 4)),
    "Threshold": ((0.1, 20.0), {}, ones(2, 3)),
    "GLU": ((), {}, ones(2, 4)),
    "AdaptiveLogSoftmaxWithLoss": (
        (16, 6, [2, 4]),
        {"div_value": 2.0},
        lambda: (ones(3, 16)(), torch.tensor([0, 3, 5])),
    ),
    "Upsample": ((), {"scale_factor": 2}, ones(1, 1, 2, 2)),
    "UpsamplingNearest2d": ((), {"scale_factor": 2}, ones(1, 1, 2, 2)),
    "UpsamplingBilinear2d": ((), {"scale_factor": 2}, ones(1, 1, 2, 2)),
    "DataParallel": ((lambda: nn.Linear(2, 2),), {}, ones(2, 2)),
    "Module": ((), {}, None),
    "Container": ((), {}, None),
    "Sequential": ((lambda: nn.Linear(2, 2), lambda: nn.BatchNorm1d(2)), {}, ones(2, 2)),
    "ModuleList": ((lambda: [nn.Linear(2, 2)],), {}, None),
    "ModuleDict": ((lambda: {"a": nn.Linear(2, 2)},), {}, None),
    "ParameterList": ((lambda: [nn.Parameter(torch.ones(2))],), {}, None),
    "ParameterDict": ((lambda: {"a": nn.Parameter(torch.ones(2))},), {}, None),
    "Softmax2d": ((), {}, ones(1, 2, 3, 3)),
    "CosineSimilarity": ((), {}, ones_twice((2, 3), (2, 3))),
    "PairwiseDistance": ((), {}, ones_twice((2, 3), (2, 3))),
}
for n in (1, 2, 3):
    for lazy in ("", "Lazy"):
        own = () if lazy else (2,)
        ARGUMENTS[f"{lazy}Conv{n}d"] = ((*own, 3, 2), {}, ones(*_image(n)))
        ARGUMENTS[f"{lazy}ConvTranspose{n}d"] = ((*own, 3, 2), {}, ones(*_image(n)))
        ARGUMENTS[f"{lazy}BatchNorm{n}d"] = (own, {}, ones(*_image(n)))
        ARGUMENTS[f"{lazy}InstanceNorm{n}d"] = (own, {}, ones(*_image(n)))
    for pool in ("MaxPool", "AvgPool", "AdaptiveMaxPool", "AdaptiveAvgPool"):
        ARGUMENTS[f"{pool}{n}d"] = ((2,), {}, ones(*_image(n)))
    ARGUMENTS[f"LPPool{n}d"] = ((2, 2), {}, ones(*_image(n)))
    ARGUMENTS[f"MaxUnpool{n}d"] = ((2,), {}, None)
    ARGUMENTS[f"FractionalMaxPool{n}d"] = ((2,), {"output_size": 2}, ones(*_image(n)))
    ARGUMENTS[f"ConstantPad{n}d"] = ((1, 0.5), {}, ones(*_image(n)))
    for pad in ("ReflectionPad", "ReplicationPad", "ZeroPad", "CircularPad"):
        ARGUMENTS[f"{pad}{n}d"] = ((1,), {}, ones(*_image(n)))
    ARGUMENTS[f"Dropout{n}d"] = ((), {}, ones(*_image(n)))
ARGUMENTS["LazyLinear"] = ((3,), {}, ones(2, 2))
ARGUMENTS["SyncBatchNorm"] = ((2,), {}, None)


def classes() -> Iterator[type[nn.Module]]:
    """Every module class that ``torch.nn`` offers."""
    for name in sorted(vars(nn)):
        found = getattr(nn, name)
        if isinstance(found, type) and issubclass(found, nn.Module):
            yield found


def case(layer: type[nn.Module]) -> Case | None:
    """The layer with small arguments; None where it cannot be constructed."""
    arguments, options, example = ARGUMENTS.get(
        layer.__name__, ((), {}, None if "Loss" in layer.__name__ else ones(2, 3))
    )

    def factory() -> nn.Module:
        return layer(*(each() if inspect.isfunction(each) else each for each in arguments), **options)

    try:
        factory()
    except Exception:
        return None
    return Case(factory, example=example, name=layer.__name__)


Row = tuple[str, Counter[str], list[str]]


def row(layer: type[nn.Module]) -> Row:
    """The layer's name, how many clauses had which outcome, and what it departs from or why it was not asked."""
    made = case(layer)
    return checked(made) if made else (layer.__name__, Counter(), ["cannot be constructed"])


def checked(made: Case) -> Row:
    """As ``row``, of one case."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            records = check_module(made)
    except AdapterError as error:
        return made.name, Counter(), [str(error)]
    failed = [f"`{record.clause}`" for record in records if record.outcome == "failed"]
    return made.name, Counter(record.outcome for record in records), failed


def page(rows: list[Row]) -> str:
    """What ``docs/layers.md`` holds."""
    asked = [each for each in rows if each[1]]
    departing = [each for each in asked if each[2]]
    lines = [
        "# The layers of torch.nn",
        "",
        f"Written by `python docs/layers.py` with torch {torch.__version__}: every module class of `torch.nn`, made with small",
        "arguments, is asked each clause that makes sense for a module of any class. Where PyTorch as a whole departs from a",
        "clause ([findings.md](findings.md)), no layer is blamed for it.",
        "",
        f"Of {len(rows)} classes {len(asked)} could be asked, and {len(departing)} depart from some clause.",
        "",
        "| layer | passed | as PyTorch itself | failed | departs from |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, counts, failed in rows:
        numbers = [str(counts[outcome] or "") for outcome in ("passed", "deviation", "failed")]
        lines.append(f"| {name} | {' | '.join(numbers)} | {', '.join(failed)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Check all layers and write the page, or only some and print."""
    wanted = [value for before, value in zip(sys.argv, sys.argv[1:]) if before == "--only"]
    rows = []
    for layer in classes():
        if not wanted or layer.__name__ in wanted:
            rows.append(row(layer))
            print(rows[-1][0], dict(rows[-1][1]), *rows[-1][2], flush=True)
    if not wanted:
        PAGE.write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
