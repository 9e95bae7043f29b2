"""to(dtype=...) casts an integer buffer too: what was an index is none afterwards."""

import sys

import paddle

layer = paddle.nn.Layer()
layer.register_buffer("index", paddle.to_tensor([0, 2]))
layer.to(dtype="float32")

observed = str(layer.index.dtype)
expected = "paddle.int64"
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
