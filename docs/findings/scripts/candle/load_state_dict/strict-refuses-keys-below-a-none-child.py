# A key below the name of a child that is None is unexpected.
# See https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
# Written for candle 0.4.2.

import candle
from candle import nn

child = nn.Module()
child.add_module("none", None)
module = nn.Module()
module.child = child
state = module.state_dict()
state["child.none.a"] = candle.tensor([-1.875, -1.5]).reshape((2,)).to_dtype("f32")
raised = None
try:
    module.load_state_dict(state)
except Exception as error:
    raised = error

print("observed:", repr(raised) if raised else "no exception")
print("expected:", "RuntimeError")
assert isinstance(raised, RuntimeError)
