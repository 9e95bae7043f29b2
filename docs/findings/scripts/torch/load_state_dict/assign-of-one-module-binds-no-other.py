# A state_dict that was loaded with assign=True into one module is copied, as any other, when it is
# loaded without assign into another, which keeps its tensors and their dtypes.
# See https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
# Written for torch 2.13.0+cpu.

import torch
from torch import nn


def name_of(thing):
    return names.get(id(thing), f"an object that was not registered: {type(thing).__name__}")


own = nn.Parameter(torch.tensor([-1.875, -1.5]))
module = nn.Module()
module.own = own
names = {id(own): "own", id(module): ""}
own_parameter = nn.Parameter(torch.tensor([-1.0, -0.625]))
root = nn.Module()
root.own = own_parameter
state = root.state_dict()
parameter = nn.Parameter(torch.tensor([-1.875, -1.5]))
root_2 = nn.Module()
root_2.own = parameter
root_2.load_state_dict(state, assign=True)
module.load_state_dict(state)

observed = [(name, name_of(thing)) for name, thing in module.named_parameters()]
expected = [("own", "own")]
print("observed:", repr(observed))
print("expected:", repr(expected))
assert observed == expected
