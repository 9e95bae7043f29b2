"""A SequentialCell goes on running a cell that was replaced."""

import sys

import mindspore
from mindspore import nn

cells = nn.SequentialCell(nn.ReLU())
setattr(cells, "0", nn.Tanh())
value = mindspore.Tensor([5.0])

observed = round(float(cells(value).asnumpy()[0]), 2)
expected = round(float(cells[0](value).asnumpy()[0]), 2)  # what it holds, and shows when it is printed
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
