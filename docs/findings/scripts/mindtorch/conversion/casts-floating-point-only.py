"""float() leaves a bfloat16 module as it is, without an error."""

import sys

import mindtorch
from mindtorch import nn

module = nn.Linear(1, 1).to(mindtorch.bfloat16).float()

observed = str(module.weight.dtype)
expected = str(mindtorch.float32)
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
