"""A new cell is in inference mode: Dropout does nothing until set_train() is called."""

import sys

from mindspore import nn

cell = nn.Dropout(p=0.9)

observed = cell.training
expected = True
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
