# deepcopy of a Parameter keeps its gradient, as deepcopy of a plain tensor does.
# See https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
# Written for torch 2.13.0+cpu.

from copy import deepcopy

import torch
from torch import nn

p = nn.Parameter(torch.tensor([-1.875]))
p.grad = torch.tensor([-1.875])
kept = deepcopy(p).grad

observed = kept
expected = None
print("observed:", repr(observed))
print("expected: another object than", repr(expected))
assert observed is not expected
