"""Assigning a Parameter to an item of a ParameterList does not put it there, but overwrites the values of the old one."""

import sys

import paddle
from paddle import nn

old, new = nn.Parameter(paddle.zeros([1])), nn.Parameter(paddle.ones([1]))
parameters = nn.ParameterList([old])
parameters[0] = new

observed = {"holds the new one": parameters[0] is new, "the old one": old.tolist()}
expected = {"holds the new one": True, "the old one": [0.0]}
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
