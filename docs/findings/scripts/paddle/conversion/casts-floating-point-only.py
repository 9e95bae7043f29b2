"""half() casts an integer buffer too, and its last digit is lost."""

import sys

import paddle

layer = paddle.nn.Layer()
layer.register_buffer("count", paddle.to_tensor([2049]))
layer.half()

observed = (str(layer.count.dtype), layer.count.item())
expected = ("paddle.int64", 2049)
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
