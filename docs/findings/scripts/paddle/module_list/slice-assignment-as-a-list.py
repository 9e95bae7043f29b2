"""Assigning to a slice of a LayerList does nothing, without an error."""

import sys

from paddle import nn

layers = nn.LayerList([nn.ReLU(), nn.ReLU()])
layers[0:1] = [nn.Tanh()]

observed = [type(layer).__name__ for layer in layers]
expected = ["Tanh", "ReLU"]
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
