"""Loading without assign=True changes the dtype of the module to that of the given state."""

import sys

from candle import nn

layer, half = nn.Linear(1, 1), nn.Linear(1, 1).to("f16")
layer.load_state_dict(half.state_dict())

observed = str(layer.weight.dtype)
expected = "F32"
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
