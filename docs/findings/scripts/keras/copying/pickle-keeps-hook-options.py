"""A pickled Layer comes back without the hooks that take keyword arguments."""

import os
import pickle
import sys

os.environ["KERAS_BACKEND"] = "torch"

import keras  # noqa: E402


def hook(module, arguments, keywords):
    """Do nothing."""


layer = keras.layers.Layer()
layer.register_forward_pre_hook(hook, with_kwargs=True)
copy = pickle.loads(pickle.dumps(layer))

observed = len(copy._forward_pre_hooks_with_kwargs)
expected = 1
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
