"""A pickled Layer comes back without its child layers."""

import os
import pickle
import sys

os.environ["KERAS_BACKEND"] = "torch"

import keras  # noqa: E402

layer = keras.layers.Layer()
layer.a = layer.b = keras.layers.Layer()
copy = pickle.loads(pickle.dumps(layer))

observed = hasattr(copy, "a") and copy.a is copy.b
expected = True
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
