"""On a CPU BatchNorm1d in training mode leaves its running mean as it is and overwrites its weight."""

import sys

import mindtorch
from mindtorch import nn

layer = nn.BatchNorm1d(1)
with mindtorch.no_grad():
    layer.weight.copy_(mindtorch.tensor([5.0]))
layer(mindtorch.tensor([[10.0], [30.0]]))

observed = {"running_mean": round(layer.running_mean.tolist()[0], 2), "weight": round(layer.weight.tolist()[0], 2)}
expected = {"running_mean": 2.0, "weight": 5.0}  # a tenth of the batch's mean; weights are for the optimizer to change
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
