"""A module that was saved whole comes back without a single Parameter that could be trained."""

import io
import sys

import mindtorch
from mindtorch import nn

file = io.BytesIO()
mindtorch.save(nn.Linear(2, 1), file)
file.seek(0)
module = mindtorch.load(file, weights_only=False)

observed = [(name, isinstance(p, nn.Parameter), p.requires_grad) for name, p in module.named_parameters()]
expected = [("weight", True, True), ("bias", True, True)]
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
