# values[key] = value works also where key is the name of an attribute that every module has, and
# leaves that attribute alone.
# See https://docs.pytorch.org/docs/stable/generated/torch.nn.ParameterDict.html
# Written for torch 2.13.0+cpu.

from collections import namedtuple

import torch
from torch import nn


def name_of(thing):
    return names.get(id(thing), f"an object that was not registered: {type(thing).__name__}")


Reading = namedtuple("Reading", "shape dtype flat")


def read(tensor):
    dtype = str(tensor.dtype).removeprefix("torch.")
    return Reading(tuple(tensor.shape), dtype, tuple(tensor.detach().cpu().reshape(-1).tolist()))


def entry(value):
    if not isinstance(value, torch.Tensor):
        return value
    path = name_of(value)
    if path in "abc":
        return path
    return ("Parameter" if isinstance(value, nn.Parameter) else "tensor", read(value))


x = "text"
names = {id(x): "x"}
values = nn.ParameterDict([])
values["training"] = x
by_key = [(key, entry(values[key])) for key in values]
assert (by_key, len(values), dict([(key, read(value)) for key, value in values.state_dict().items()])) == (
    [("training", "text")],
    1,
    {},
)

observed = values.training
expected = True
print("observed:", repr(observed))
print("expected:", repr(expected))
assert observed is expected
