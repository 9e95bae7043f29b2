# With strict=False, missing_keys of the result lists every key of the module's state_dict() that was
# not given.
# See https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
# Written for oneflow 0.9.0.

import oneflow
from oneflow import nn

a_weight = nn.Parameter(oneflow.tensor([-1.875], dtype=oneflow.float32, device="cpu").reshape(1))
a_bias = nn.Parameter(oneflow.tensor([-1.0], dtype=oneflow.float32, device="cpu").reshape(1))
a_running_mean = oneflow.tensor([-0.125], dtype=oneflow.float32, device="cpu").reshape(1)
a_running_var = oneflow.tensor([0.5], dtype=oneflow.float32, device="cpu").reshape(1)
a_num_batches_tracked = oneflow.tensor(3, dtype=oneflow.int64, device="cpu").reshape()
a = nn.BatchNorm1d(1)
a.weight = a_weight
a.bias = a_bias
a.running_mean = a_running_mean
a.running_var = a_running_var
a.num_batches_tracked = a_num_batches_tracked
own = nn.Parameter(oneflow.tensor([-1.875], dtype=oneflow.float32, device="cpu").reshape(1))
module = nn.Module()
module.a = a
module.own = own
state = module.state_dict()
del state["a.num_batches_tracked"]
result = module.load_state_dict(state, strict=False)

observed = (sorted(result.missing_keys), sorted(result.unexpected_keys))
expected = (["a.num_batches_tracked"], [])
print("observed:", repr(observed))
print("expected:", repr(expected))
assert observed == expected
