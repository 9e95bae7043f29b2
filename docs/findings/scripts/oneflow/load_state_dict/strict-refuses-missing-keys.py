"""A strict load of a state_dict without num_batches_tracked passes, and sets the count back to 0."""

import sys

import oneflow
from oneflow import nn

layer = nn.BatchNorm1d(2)
layer.num_batches_tracked.copy_(oneflow.tensor(7))
state = layer.state_dict()
del state["num_batches_tracked"]
try:
    layer.load_state_dict(state, strict=True)
    error = None
except RuntimeError:
    error = "RuntimeError"

observed = (error, layer.num_batches_tracked.item())
expected = ("RuntimeError", 7)
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
