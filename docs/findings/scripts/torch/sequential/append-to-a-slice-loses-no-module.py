# append(module) adds the module at the end also of a Sequential that is a slice of another one.
# See https://docs.pytorch.org/docs/stable/generated/torch.nn.Sequential.html
# Written for torch 2.13.0+cpu.

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
part = nn.Sequential(a, b)[1:]
part.append(a)

observed = [name_of(thing) for thing in part]
expected = ["b", "a"]
print("observed:", repr(observed))
print("expected:", repr(expected))
assert observed == expected
