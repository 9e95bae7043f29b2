"""A parameter without elements that has two names takes the place of every other one without elements."""

import sys

import accelerate
import torch
from torch import nn

module = nn.Module()
module.a = nn.Parameter(torch.ones(0))
module.b = module.a
module.c = nn.Parameter(torch.ones(0, 3))
accelerate.dispatch_model(module, {"": "cpu"}, force_hooks=True)

observed = [(name, tuple(parameter.shape)) for name, parameter in module.named_parameters()]
expected = [("a", (0,)), ("c", (0, 3))]
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
