"""A Layer that torch.save wrote is empty when torch.load has read it."""

import io
import os
import sys

os.environ["KERAS_BACKEND"] = "torch"

import keras  # noqa: E402
import torch  # noqa: E402

layer = keras.layers.Layer()
layer.weight = torch.nn.Parameter(torch.ones(1))
file = io.BytesIO()
torch.save(layer, file)
file.seek(0)

observed = list(torch.load(file, weights_only=False).state_dict())
expected = ["weight"]
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
