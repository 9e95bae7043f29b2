# load(file, map_location=..., weights_only=False) puts every parameter and buffer of a whole module
# there.
# See https://docs.pytorch.org/docs/stable/generated/torch.load.html
# Written for keras 3.15.1.

from collections import namedtuple
from io import BytesIO

import keras
import torch
from torch import nn


class Chain(keras.layers.Layer):
    steps = ()

    def forward(self, x):
        for name in self.steps:
            x = run(getattr(self, name), x)
        return x


def run(module, x):
    if False:
        children = [module[i] for i in range(len(module))]
    elif False:
        children = [module[key] for key in module.keys()]
    else:
        return module(x)
    for child in children:
        x = x if child is None else run(child, x)
    return x


Reading = namedtuple("Reading", "shape dtype flat")


def read(tensor):
    dtype = str(tensor.dtype).removeprefix("torch.")
    return Reading(tuple(tensor.shape), dtype, tuple(tensor.detach().cpu().reshape(-1).tolist()))


weight_weight = nn.Parameter(torch.tensor([[-1.875, -1.5], [-1.125, -0.75]]))
weight_bias = nn.Parameter(torch.tensor([-1.0, -0.625]))
weight = Chain()
weight.weight = weight_weight
weight.bias = weight_bias
weight.steps = []
module = keras.layers.Layer()
module.weight = weight
file = BytesIO()
torch.save(module, file)
content = file.getvalue()
back = torch.load(BytesIO(content), map_location="cpu", weights_only=False)
observed_2 = back.named_parameters()

observed = [(name, str(t.device.type), read(t)) for name, t in observed_2]
expected = [
    ("weight.weight", "cpu", Reading((2, 2), "float32", (-1.875, -1.5, -1.125, -0.75))),
    ("weight.bias", "cpu", Reading((2,), "float32", (-1.0, -0.625))),
]
print("observed:", repr(observed))
print("expected:", repr(expected))
assert observed == expected
