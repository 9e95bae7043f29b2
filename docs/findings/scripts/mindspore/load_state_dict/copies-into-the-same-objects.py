"""A parameter that load_state_dict() has filled is not among those that an optimizer is given."""

import sys

import mindspore
from mindspore import nn

net = nn.Cell()
net.head = nn.SequentialCell()
net.head.scale = mindspore.Parameter(mindspore.Tensor([1.0]))
net.load_state_dict({"head.scale": mindspore.Tensor([2.0])})

observed = [parameter.asnumpy().tolist() for parameter in net.trainable_params()]
expected = [[2.0]]
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
