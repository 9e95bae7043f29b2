# extend(other) adds the modules of the other at the end also of a Sequential made from an
# OrderedDict, whatever its names.
# See https://docs.pytorch.org/docs/stable/generated/torch.nn.Sequential.html
# Written for torch 2.13.0+cpu.

from collections import OrderedDict

import torch
from torch import nn


def name_of(thing):
    return names.get(id(thing), f"an object that was not registered: {type(thing).__name__}")


a_weight = nn.Parameter(torch.tensor([[-1.0]]))
a_bias = nn.Parameter(torch.tensor([-0.125]))
a = nn.Linear(1, 1)
a.weight = a_weight
a.bias = a_bias
b = nn.Identity()
names = {id(a_weight): "a.weight", id(a_bias): "a.bias", id(a): "a", id(b): "b"}
modules = nn.Sequential(OrderedDict([("1", a)]))
modules.extend(nn.Sequential(b))

observed = [name_of(thing) for thing in modules]
expected = ["a", "b"]
print("observed:", repr(observed))
print("expected:", repr(expected))
assert observed == expected
