# The extra state of a lazy module is in its state_dict like that of any other module.
# See https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
# Written for torch 2.13.0+cpu.

import torch
from torch import nn


class WithExtra(nn.LazyLinear):
    def get_extra_state(self):
        return 0

    def set_extra_state(self, state):
        pass


state = WithExtra(2).state_dict()

observed = [value for value in state.values() if not isinstance(value, torch.Tensor)]
expected = [0]
print("observed:", repr(observed))
print("expected:", repr(expected))
assert observed == expected
