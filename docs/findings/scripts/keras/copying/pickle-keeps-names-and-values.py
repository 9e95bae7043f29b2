"""A pickled Layer comes back without its parameters."""

import os
import pickle
import sys

os.environ["KERAS_BACKEND"] = "torch"

import keras  # noqa: E402
import torch  # noqa: E402

layer = keras.layers.Layer()
layer.weight = torch.nn.Parameter(torch.ones(1))
copy = pickle.loads(pickle.dumps(layer))

observed = list(copy.state_dict())
expected = ["weight"]
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
