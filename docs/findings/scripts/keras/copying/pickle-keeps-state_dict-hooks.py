"""A pickled Layer comes back without the hooks of its state_dict()."""

import os
import pickle
import sys

os.environ["KERAS_BACKEND"] = "torch"

import keras  # noqa: E402


def hook(module, prefix, keep_vars):
    """Do nothing."""


layer = keras.layers.Layer()
layer.register_state_dict_pre_hook(hook)
copy = pickle.loads(pickle.dumps(layer))

observed = len(copy._state_dict_pre_hooks)
expected = 1
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
