"""extend() of a Sequential takes a number for the name of the new layer, and replaces the layer that has it."""

import sys

from paddle import nn

layers = nn.Sequential(("a", nn.ReLU()), ("2", nn.Tanh()))
layers.extend(nn.Sequential(nn.Sigmoid()))

observed = [type(layer).__name__ for layer in layers]
expected = ["ReLU", "Tanh", "Sigmoid"]
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
