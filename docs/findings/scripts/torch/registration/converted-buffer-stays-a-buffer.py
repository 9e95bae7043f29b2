# A Buffer is still a Buffer after double() of its module: assigned to another module, it is
# registered there.
# See https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Buffer.html
# Written for torch 2.13.0+cpu.

import torch
from torch import nn

module = nn.Module()
other = nn.Module()
module.mean = nn.Buffer(torch.tensor([-1.875]), persistent=True)
other.mean = module.double().mean

observed = isinstance(module.mean, nn.Buffer)
print("observed:", repr(observed))
print("expected:", "a true value of isinstance(module.mean, nn.Buffer)")
assert observed
