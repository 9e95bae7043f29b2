"""A strict load passes over an entry whose key goes on below a parameter's name, and says that all keys match."""

import sys

import oneflow
from oneflow import nn

layer = nn.Linear(1, 1)
state = {**layer.state_dict(), "weight.lost": oneflow.ones(1)}
try:
    observed = str(layer.load_state_dict(state, strict=True))
except RuntimeError:
    observed = "RuntimeError"

expected = "RuntimeError"
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
