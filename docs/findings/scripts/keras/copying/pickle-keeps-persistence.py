# The state_dict of a module that went through pickle has the keys and values it had: buffers that
# were not persistent are not so now.
# See https://docs.pytorch.org/docs/stable/notes/serialization.html
# Written for keras 3.15.1.

from pickle import dumps, loads

import keras
import torch
from torch import nn

kept = torch.tensor([-1.875, -1.5])
left = torch.tensor([-1.875, -1.5])
own = nn.Parameter(torch.tensor([-1.875, -1.5]))
module = keras.layers.Layer()
module.register_buffer("kept", kept)
module.register_buffer("left", left, persistent=False)
module.own = own
state = loads(dumps(module)).state_dict()

observed = list(state)
expected = ["own", "kept"]
print("observed:", repr(observed))
print("expected:", repr(expected))
assert observed == expected
