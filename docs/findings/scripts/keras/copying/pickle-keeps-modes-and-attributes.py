# A module that went through pickle keeps the class, the training flag and the plain attributes of
# every node.
# See https://docs.pytorch.org/docs/stable/notes/serialization.html
# Written for keras 3.15.1.

from pickle import dumps, loads

import keras


class Chain(keras.layers.Layer):
    steps = ()

    def forward(self, x):
        for name in self.steps:
            x = run(getattr(self, name), x)
        return x


def run(module, x):
    if False:
        children = [module[i] for i in range(len(module))]
    elif False:
        children = [module[key] for key in module.keys()]
    else:
        return module(x)
    for child in children:
        x = x if child is None else run(child, x)
    return x


a = Chain()
a.steps = []
module = keras.layers.Layer()
module.a = a
nodes = dict(loads(dumps(module)).named_modules())

observed = list(nodes)
expected = ["", "a"]
print("observed:", repr(observed))
print("expected:", repr(expected))
assert observed == expected
