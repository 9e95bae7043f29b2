"""A deep copy of a frozen module is not frozen."""

import copy
import sys

from mindtorch import nn

module = nn.Linear(1, 1)
for parameter in module.parameters():
    parameter.requires_grad = False

observed = [parameter.requires_grad for parameter in copy.deepcopy(module).parameters()]
expected = [False, False]
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
