"""extend() of a Sequential with names of its own replaces one of its modules."""

import sys
from collections import OrderedDict

from mindtorch import nn

layers = nn.Sequential(OrderedDict([("1", nn.ReLU())]))
layers.extend(nn.Sequential(nn.Tanh()))

observed = [type(layer).__name__ for layer in layers]
expected = ["ReLU", "Tanh"]
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
