"""A copy of a module, by deepcopy or pickle, has its frozen parameters trainable again."""

import copy
import pickle
import sys

from oneflow import nn

layer = nn.Linear(1, 1)
layer.weight.requires_grad = False

observed = [
    copy.deepcopy(layer).weight.requires_grad,
    pickle.loads(pickle.dumps(layer)).weight.requires_grad,
]
expected = [False, False]
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
