"""A strict load passes over an entry that has the name of a child module."""

import sys

import oneflow
from oneflow import nn

model = nn.Sequential(nn.Linear(1, 1))
state = {**model.state_dict(), "0": oneflow.ones(1)}
try:
    observed = str(model.load_state_dict(state, strict=True))
except RuntimeError:
    observed = "RuntimeError"

expected = "RuntimeError"
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
