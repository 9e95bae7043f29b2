# A key that is the dotted name of a module is unexpected.
# See https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
# Written for candle 0.4.2.

import candle
from candle import nn

child_weight = candle.tensor([-1.875, -1.5, -1.125, -0.75]).reshape((2, 2)).to_dtype("f32")
child_bias = candle.tensor([-1.0, -0.625]).reshape((2,)).to_dtype("f32")
child = nn.Linear(2, 2)
child.weight = child_weight
child.bias = child_bias
module = nn.Module()
module.child = child
state = module.state_dict()
state["child"] = candle.tensor([-1.875, -1.5]).reshape((2,)).to_dtype("f32")
raised = None
try:
    module.load_state_dict(state)
except Exception as error:
    raised = error

print("observed:", repr(raised) if raised else "no exception")
print("expected:", "RuntimeError")
assert isinstance(raised, RuntimeError)
