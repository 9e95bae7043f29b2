"""append() to a slice of a Sequential overwrites the module that the slice holds."""

import sys

from candle import nn

tail = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))[1:]
tail.append(nn.Linear(1, 1))

observed = len(tail)
expected = 2
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
