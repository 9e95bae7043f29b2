"""append() to a slice of a SequentialCell replaces a cell."""

import sys

from mindspore import nn

cells = nn.SequentialCell(nn.ReLU(), nn.Tanh())[1:]
cells.append(nn.Sigmoid())

observed = [type(cell).__name__ for cell in cells]
expected = ["Tanh", "Sigmoid"]
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
