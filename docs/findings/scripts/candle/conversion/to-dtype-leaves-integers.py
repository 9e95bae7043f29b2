"""to() casts an integer tensor too: a count of 16777217 becomes 16777216."""

import sys

import candle
from candle import nn

module = nn.Module()
module.count = candle.tensor([16777217]).to_dtype("i64")
module.to("f32")

observed = (str(module.count.dtype), [int(x) for x in module.count.values()])
expected = ("I64", [16777217])
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
