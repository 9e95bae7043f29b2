# A key below the name of a child that is None is unexpected.
# See https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
# Written for torch 2.13.0+cpu.

import torch
from torch import nn

child = nn.Module()
child.add_module("none", None)
module = nn.Module()
module.child = child
state = module.state_dict()
state["child.none.a"] = torch.tensor([-1.875, -1.5])
raised = None
try:
    module.load_state_dict(state)
except Exception as error:
    raised = error

print("observed:", repr(raised) if raised else "no exception")
print("expected:", "RuntimeError")
assert isinstance(raised, RuntimeError)
