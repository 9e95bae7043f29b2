"""A Buffer assigned to a module is not registered, and so not saved."""

import sys

import mindtorch
from mindtorch import nn

module = nn.Module()
module.mean = nn.Buffer(mindtorch.tensor([1.0]))

observed = list(module.state_dict())
expected = ["mean"]
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
