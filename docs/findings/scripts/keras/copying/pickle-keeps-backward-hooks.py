"""A pickled Layer comes back without its backward hooks."""

import os
import pickle
import sys

os.environ["KERAS_BACKEND"] = "torch"

import keras  # noqa: E402


def hook(module, grad_output):
    """Do nothing."""


layer = keras.layers.Layer()
layer.register_full_backward_pre_hook(hook)
copy = pickle.loads(pickle.dumps(layer))

observed = len(copy._backward_pre_hooks)
expected = 1
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
