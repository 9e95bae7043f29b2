"""insert() with a negative index raises KeyError, though a ModuleList is indexed like a list."""

import sys

from candle import nn

modules = nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1)])
try:
    modules.insert(-1, nn.Linear(1, 1))
    observed = [name for name, _ in modules.named_children()]
except KeyError as error:
    observed = f"KeyError: {error}"

expected = ["0", "1", "2"]
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
