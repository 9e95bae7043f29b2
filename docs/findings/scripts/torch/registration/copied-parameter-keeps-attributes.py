# deepcopy of a Parameter keeps the Python attributes that were set on it, as deepcopy of a plain
# tensor does.
# See https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
# Written for torch 2.13.0+cpu.

from copy import deepcopy

import torch
from torch import nn

parameter = nn.Parameter(torch.tensor([-1.875]))
parameter.tag = 0

expected = 0
try:
    observed = deepcopy(parameter).tag
except Exception as error:
    observed = f"{type(error).__name__}: {error}"
print("observed:", observed)
print("expected:", repr(expected))
assert observed == expected
