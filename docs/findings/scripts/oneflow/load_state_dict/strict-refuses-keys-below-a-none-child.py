"""A strict load passes over the entries of a child that the module does not have."""

import sys

import oneflow
from oneflow import nn

module = nn.Module()
module.add_module("head", None)
try:
    observed = str(module.load_state_dict({"head.weight": oneflow.ones(1)}, strict=True))
except RuntimeError:
    observed = "RuntimeError"

expected = "RuntimeError"
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
