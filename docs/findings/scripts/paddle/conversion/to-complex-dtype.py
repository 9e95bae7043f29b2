# to(complex dtype) makes floating-point parameters and buffers complex with imaginary part 0, keeps
# complex ones, and leaves integer and bool ones as they are.
# See https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
# Written for paddle 3.3.1.

from collections import namedtuple
from warnings import catch_warnings, simplefilter

import paddle
from paddle import nn

Reading = namedtuple("Reading", "shape dtype flat")


def read(tensor):
    dtype = str(tensor.dtype).removeprefix("paddle.")
    readable = tensor.detach().astype("float32") if dtype == "bfloat16" else tensor.detach()
    return Reading(tuple(tensor.shape), dtype, tuple(readable.numpy().reshape(-1).tolist()))


own = nn.Parameter(paddle.to_tensor([-1.875, -1.5], dtype="float32"))
mean = paddle.to_tensor([-1.875, -1.5], dtype="float32")
count = paddle.to_tensor([13], dtype="int64")
module = nn.Module()
module.own = own
module.tied = own
module.register_buffer("mean", mean)
module.register_buffer("count", count)
with catch_warnings():
    simplefilter("ignore")
    module.to(dtype=paddle.to_tensor([0], dtype="complex64").dtype)
tensor_2 = module.own
tensor_3 = module.tied
tensor_4 = module.mean
tensor_5 = module.count

observed = {"own": read(tensor_2), "tied": read(tensor_3), "mean": read(tensor_4), "count": read(tensor_5)}
expected = {
    "own": ((2,), "complex64", (-1.875 + 0j, -1.5 + 0j)),
    "tied": ((2,), "complex64", (-1.875 + 0j, -1.5 + 0j)),
    "mean": ((2,), "complex64", (-1.875 + 0j, -1.5 + 0j)),
    "count": ((1,), "int64", (13,)),
}
print("observed:", repr(observed))
print("expected:", repr(expected))
assert observed == expected
