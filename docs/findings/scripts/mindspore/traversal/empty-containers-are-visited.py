"""Parameters of a cell list that is still empty are missing from the traversal, though not from state_dict()."""

import sys

import mindspore
from mindspore import nn


class Net(nn.Cell):
    """A net with a scale of its own on a list of blocks that is empty at depth 0."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.CellList()
        self.blocks.scale = mindspore.Parameter(mindspore.Tensor([1.0]))


net = Net()

observed = [name for name, _ in net.parameters_and_names()]
expected = list(net.state_dict())
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
