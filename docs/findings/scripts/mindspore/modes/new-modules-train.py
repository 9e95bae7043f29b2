"""A new layer added to a net in training mode is itself in inference mode."""

import sys

from mindspore import nn

net = nn.Cell().set_train()
net.dropout = nn.Dropout(p=0.9)

observed = [cell.training for _, cell in net.cells_and_names()]
expected = [True, True]
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
