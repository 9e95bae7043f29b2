"""The layers that blueprints use."""

from __future__ import annotations

import math
import random
from typing import Any

from conformance.language.blueprint import size
from conformance.reference.autograd import no_grad
from conformance.reference.module import Module
from conformance.reference.parameter import Parameter
from conformance.reference.storage import CPU, Device, Storage, dtype, float32, int64
from conformance.reference.tensor import Shape, Tensor, full

_random = random.Random(0)


def manual_seed(seed: int) -> None:
    """Make what is random in the layers repeatable."""
    _random.seed(seed)


class _Factory:
    """Makes a layer's tensors on the device and in the dtype that its constructor was given."""

    def __init__(self, device: Any, element_type: Any):
        self.device = CPU if device is None else Device.of(device)
        self.dtype = float32 if element_type is None else dtype(element_type)

    def uniform(self, shape: Shape, bound: float) -> Parameter:
        values = [_random.uniform(-bound, bound) for _ in range(size(shape))]
        return Parameter(Tensor._over(Storage(self.dtype, self.device, size(shape), values), 0, shape))

    def full(self, shape: Shape, value: float) -> Tensor:
        return full(shape, value, self.dtype, self.device)


class Identity(Module):
    """Gives back its input, whatever the constructor's arguments."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()

    def forward(self, input: Any) -> Any:
        """The input."""
        return input


class ReLU(Module):
    """Replaces negative elements by zero."""

    def __init__(self, inplace: bool = False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """max(x, 0), elementwise."""
        return input._replace(input.relu()) if self.inplace else input.relu()

    def extra_repr(self) -> str:
        """Nothing, unless it works in place."""
        return "inplace=True" if self.inplace else ""


class Dropout(Module):
    """In training, zeroes elements with probability p and scales the others up; in evaluation the identity."""

    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """The input, thinned out in training."""
        if not self.training or self.p == 0:
            return input
        kept = [0 if _random.random() < self.p else 1 / (1 - self.p) for _ in range(input.numel())]
        mask = Storage(input.dtype, input.device, input.numel(), kept)
        result = input * Tensor._over(mask, 0, input.shape)
        return input._replace(result) if self.inplace else result

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}, inplace={self.inplace}"


class Linear(Module):
    """y = x A^T + b."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None):
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        make = _Factory(device, dtype)
        bound = 1 / math.sqrt(in_features) if in_features else 0
        self.weight = make.uniform((out_features, in_features), bound)
        self.register_parameter("bias", make.uniform((out_features,), bound) if bias else None)

    def forward(self, input: Tensor) -> Tensor:
        """The product with the weight, for an input of any rank, plus the bias."""
        rows = input.reshape(size(input.shape[:-1]), self.in_features)
        output = rows @ self.weight.t()
        if self.bias is not None:
            output = output + self.bias
        return output.reshape(*input.shape[:-1], self.out_features)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class BatchNorm1d(Module):
    """Normalises each feature over the batch in training, by the running statistics in evaluation."""

    _version = 2  # 2 brought num_batches_tracked

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        make, shape = _Factory(device, dtype), (num_features,)
        self.register_parameter("weight", Parameter(make.full(shape, 1)) if affine else None)
        self.register_parameter("bias", Parameter(make.full(shape, 0)) if affine else None)
        self.register_buffer("running_mean", make.full(shape, 0) if track_running_stats else None)
        self.register_buffer("running_var", make.full(shape, 1) if track_running_stats else None)
        count = full((), 0, int64, make.device) if track_running_stats else None
        self.register_buffer("num_batches_tracked", count)

    def forward(self, input: Tensor) -> Tensor:
        """The input of shape (batch, features), normalised."""
        mean, variance = self.running_mean, self.running_var
        if self.training or mean is None:
            mean = input.mean(0)
            variance = ((input - mean) ** 2).mean(0)
            if self.training and self.track_running_stats:
                self._track(input.shape[0], mean, variance)
        output = (input - mean) * (variance + self.eps) ** -0.5
        return output * self.weight + self.bias if self.affine else output

    @no_grad()
    def _track(self, batch: int, mean: Tensor, variance: Tensor) -> None:
        if batch < 2:
            raise ValueError(f"Expected more than 1 value per channel when training, got input size {batch}")
        self.num_batches_tracked.add_(1)
        for running, new in ((self.running_mean, mean), (self.running_var, variance * (batch / (batch - 1)))):
            running.copy_(running * (1 - self.momentum) + new * self.momentum)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        key = prefix + "num_batches_tracked"
        if local_metadata.get("version", 1) < 2 and self.track_running_stats:
            state_dict.setdefault(key, self.num_batches_tracked)
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )

    def extra_repr(self) -> str:
        """The options."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


class Conv2d(Module):
    """A two-dimensional convolution, without padding."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = _pair(kernel_size)
        self.stride = _pair(stride)
        make = _Factory(device, dtype)
        bound = 1 / math.sqrt(in_channels * size(self.kernel_size))
        self.weight = make.uniform((out_channels, in_channels, *self.kernel_size), bound)
        self.register_parameter("bias", make.uniform((out_channels,), bound) if bias else None)

    def forward(self, input: Tensor) -> Tensor:
        """The input of shape (batch, channels, height, width), convolved: a matrix product over all windows."""
        batch, _, height, width = input.shape
        windows, rows, columns = _windows(input.shape, self.kernel_size, self.stride)
        patches = input._gather([i for window in windows for i in window], (len(windows), len(windows[0])))
        output = patches @ self.weight.reshape(self.out_channels, -1).t()
        if self.bias is not None:
            output = output + self.bias
        area, o = rows * columns, self.out_channels
        places = [(n * area + k) * o + c for n in range(batch) for c in range(o) for k in range(area)]
        return output._gather(places, (batch, o, rows, columns))

    def extra_repr(self) -> str:
        """The sizes."""
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        return text if self.bias is not None else f"{text}, bias=False"


class MaxPool2d(Module):
    """The largest element of each window."""

    def __init__(self, kernel_size: int | tuple[int, int], stride: int | tuple[int, int] | None = None):
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride

    def forward(self, input: Tensor) -> Tensor:
        """The input of shape (batch, channels, height, width), pooled."""
        batch, channels, height, width = input.shape
        planes = (batch * channels, 1, height, width)
        windows, rows, columns = _windows(planes, _pair(self.kernel_size), _pair(self.stride))
        flat = input.flat
        places = [max(window, key=flat.__getitem__) for window in windows]
        return input._gather(places, (batch, channels, rows, columns))

    def extra_repr(self) -> str:
        """The sizes."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding=0, dilation=1, ceil_mode=False"


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def _windows(shape: Shape, kernel: tuple[int, int], stride: tuple[int, int]) -> tuple[list[list[int]], int, int]:
    """The places of the elements in each window of an image, and how many rows and columns of windows there are."""
    batch, channels, height, width = shape
    rows = (height - kernel[0]) // stride[0] + 1
    columns = (width - kernel[1]) // stride[1] + 1
    windows = [
        [
            ((n * channels + c) * height + row * stride[0] + i) * width + column * stride[1] + j
            for c in range(channels)
            for i in range(kernel[0])
            for j in range(kernel[1])
        ]
        for n in range(batch)
        for row in range(rows)
        for column in range(columns)
    ]
    return windows, rows, columns


class DataParallel(Module):
    """Wraps a module as ``.module`` and calls it; there are no devices to spread the work over."""

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0):
        super().__init__()
        self.module = module

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the wrapped module gives."""
        return self.module(*inputs, **kwargs)
