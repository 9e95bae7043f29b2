"""A strict load of a state_dict that lacks num_batches_tracked passes."""

import sys

from oneflow import nn

layer = nn.BatchNorm1d(2)
state = layer.state_dict()
del state["num_batches_tracked"]

observed = layer.load_state_dict(state, strict=False).missing_keys
expected = ["num_batches_tracked"]
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
