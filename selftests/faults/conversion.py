"""Wrong ways to cast and to move modules."""

from __future__ import annotations

import copy

from conformance import reference
from conformance.reference import Parameter, no_grad
from conformance.reference.module import Module
from conformance.reference.tensor import Tensor, parse_to
from selftests.faults import fault


def apply_with(patch, change):
    """Let ``change(module, convert)`` act on every module of the tree after its members were converted."""
    apply = Module._apply

    @no_grad()
    def wrong(self, convert, recurse=True):
        apply(self, convert, recurse)
        for module in self.modules() if recurse else [self]:
            change(module, convert)
        return self

    patch.setattr(Module, "_apply", wrong)


@fault("conversion/in-place-and-returns-self")
def cpu_returns_a_copy_of_the_module(patch):
    cpu = Module.cpu
    patch.setattr(Module, "cpu", lambda self: copy.copy(cpu(self)))


@fault("conversion/in-place-and-returns-self")
def casting_leaves_the_tree_in_training_mode(patch):
    apply_with(patch, lambda module, convert: module.train())


@fault("conversion/casts-floating-point-only")
def casts_take_complex_members_along(patch):
    def wrong(self, dtype):
        return self._apply(lambda tensor: tensor.to(dtype) if tensor.dtype.is_differentiable else tensor)

    patch.setattr(Module, "_cast_floating", wrong)


@fault("conversion/casts-floating-point-only")
def casts_leave_buffers_alone(patch):
    def wrong(self, dtype):
        parameters = {id(parameter.data._storage) for parameter in self.parameters()}
        return self._apply(
            lambda tensor: (
                tensor.to(dtype) if tensor.is_floating_point() and id(tensor._storage) in parameters else tensor
            )
        )

    patch.setattr(Module, "_cast_floating", wrong)


@fault(
    "conversion/to-dtype-leaves-integers",
    "conversion/to-complex-dtype",
    "conversion/to-tensor-takes-its-dtype-and-device",
)
def to_casts_integers_too(patch):
    def wrong(self, *args, **kwargs):
        device, dtype = parse_to(*args, **kwargs)
        return self._apply(lambda tensor: tensor.to(device, dtype))

    patch.setattr(Module, "to", wrong)


@fault("conversion/to-integer-dtype-refused")
def to_takes_any_dtype(patch):
    patch.setattr(Module, "_check_dtype", lambda self, dtype: None)


@fault("conversion/to-integer-dtype-refused")
def to_checks_the_dtype_when_it_has_cast_the_buffers(patch):
    to = Module.to

    def wrong(self, *args, **kwargs):
        _, dtype = parse_to(*args, **kwargs)
        for module in self.modules():
            for name, buffer in module._buffers.items():
                if dtype is not None and buffer is not None:
                    module._buffers[name] = buffer.to(dtype)
        return to(self, *args, **kwargs)

    patch.setattr(Module, "to", wrong)


@fault("conversion/to-tensor-takes-its-dtype-and-device")
def to_a_tensor_takes_its_device_only(patch):
    to = Module.to

    def wrong(self, *args, **kwargs):
        return to(self, *(a.device if isinstance(a, Tensor) else a for a in args), **kwargs)

    patch.setattr(Module, "to", wrong)


@fault("conversion/to-device-and-back", "conversion/to-meta-keeps-shapes-and-dtypes")
def moving_casts_to_float32(patch):
    to = Module.to

    def wrong(self, *args, **kwargs):
        device, dtype = parse_to(*args, **kwargs)
        return to(self, device, dtype or reference.float32)

    patch.setattr(Module, "to", wrong)


@fault("conversion/to-meta-keeps-shapes-and-dtypes")
def moving_leaves_buffers_that_are_not_persistent(patch):
    to = Module.to

    def wrong(self, *args, **kwargs):
        kept = [(m, {name: m._buffers[name] for name in m._non_persistent_buffers_set}) for m in self.modules()]
        to(self, *args, **kwargs)
        for module, buffers in kept:
            module._buffers.update(buffers)
        return self

    patch.setattr(Module, "to", wrong)


@fault("conversion/parameters-stay-the-same-objects", "conversion/nothing-to-do-changes-nothing")
def casts_make_new_parameters(patch):
    def renew(module, convert):
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = Parameter(parameter.data, parameter.requires_grad)

    apply_with(patch, renew)


@fault("conversion/nothing-to-do-changes-nothing")
def every_conversion_copies(patch):
    apply = Module._apply
    patch.setattr(
        Module, "_apply", lambda self, convert, recurse=True: apply(self, lambda t: convert(t).clone(), recurse)
    )


@fault("conversion/keeps-requires_grad-and-leaves")
def a_cast_unfreezes_parameters(patch):
    def unfreeze(module, convert):
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad = parameter.dtype.is_differentiable

    apply_with(patch, unfreeze)


@fault("conversion/leaves-plain-attributes")
def casts_take_plain_tensors_along(patch):
    def take(module, convert):
        for name, value in list(vars(module).items()):
            if isinstance(value, Tensor):
                vars(module)[name] = convert(value)

    apply_with(patch, take)


@fault("conversion/leaves-plain-attributes")
def casts_take_tensors_in_lists_along(patch):
    def take(module, convert):
        for value in vars(module).values():
            if type(value) is list:
                value[:] = [convert(item) if isinstance(item, Tensor) else item for item in value]

    apply_with(patch, take)


@fault("conversion/to-leaves-meta-by-to_empty-only")
def to_does_nothing_where_there_is_nothing_to_copy(patch):
    def wrong(self, *args, **kwargs):
        try:
            return to(self, *args, **kwargs)
        except NotImplementedError:
            return None

    to = Module.to
    patch.setattr(Module, "to", wrong)
