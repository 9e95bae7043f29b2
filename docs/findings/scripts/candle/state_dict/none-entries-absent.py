"""A bias that was set to None stays in the state, though the documentation says that it is left out."""

import sys

from candle import nn

layer = nn.Linear(1, 1)
layer.bias = None

observed = list(layer.state_dict())
expected = ["weight"]
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
