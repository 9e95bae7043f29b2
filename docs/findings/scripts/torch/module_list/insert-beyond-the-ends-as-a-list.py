# insert(i, module) with i > len or i < -len inserts at that end, as for a Python list, or raises
# IndexError and leaves the ModuleList unchanged.
# See https://docs.pytorch.org/docs/stable/generated/torch.nn.ModuleList.html
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
names = {id(a_weight): "a.weight", id(a_bias): "a.bias", id(a): "a"}
modules = nn.ModuleList([])

try:
    try:
        modules.insert(1, a)
    except IndexError:
        by_index = [name_of(modules[i]) for i in range(len(modules))]
        assert (
            [name_of(thing) for thing in modules],
            by_index,
            len(modules),
            [(name, name_of(thing)) for name, thing in modules.named_children()],
        ) == ([], [], 0, [])
    else:
        by_index_2 = [name_of(modules[i]) for i in range(len(modules))]
        assert (
            [name_of(thing) for thing in modules],
            by_index_2,
            len(modules),
            [(name, name_of(thing)) for name, thing in modules.named_children()],
        ) == (["a"], ["a"], 1, [("0", "a")])
    observed = "no exception"
except Exception as error:
    observed = f"{type(error).__name__}: {error}"
print("observed:", observed)
print("expected:", "no exception")
assert observed == "no exception"
