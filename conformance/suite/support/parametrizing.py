"""Parametrizations whose result anybody can compute."""

from __future__ import annotations

from conformance.language import blueprint as bp
from conformance.language.transform import extended


def affine(implementation, factor, offset=0.0):
    """A parametrization that multiplies and adds; it can be inverted, and counts its calls."""

    class Affine(implementation.Module):
        def __init__(self):
            super().__init__()
            self.calls = 0

        def forward(self, value):
            self.calls += 1
            return value * factor + offset

        def right_inverse(self, value):
            return (value - offset) / factor

    return Affine()


def one_way(implementation, factor):
    """A parametrization that multiplies, without an inverse."""

    class OneWay(implementation.Module):
        def forward(self, value):
            return value * factor

    return OneWay()


def total(implementation):
    """A parametrization by two tensors, whose sum it is; of a given value the second one has all but 1."""

    class Total(implementation.Module):
        def forward(self, one, other):
            return one + other

        def right_inverse(self, value):
            return value * 0.0 + 1.0, value - 1.0

    return Total()


def longer(implementation, inverse):
    """A parametrization that doubles the length, and whose inverse, if it has one, gives zeros."""

    class Longer(implementation.Module):
        def forward(self, value):
            return value.reshape(1, -1) + implementation.tensor([[0.0], [0.0]])

    if inverse:
        Longer.right_inverse = lambda self, value: value * 0.0
    return Longer()


def with_members(blueprint, requires_grad=None):
    """The tree with two parameters and a buffer of its own."""
    own = bp.Parameter((2,), "float32", 3, requires_grad)
    return extended(blueprint, own=own, more=bp.Parameter((1,), "float32", 4), mean=bp.Buffer((2,), "float32", 5))


def numbers(implementation, tensor):
    """The elements of a tensor."""
    return implementation.read(tensor).flat


def tree(module):
    """The names of all parameters and buffers of a tree, in order."""
    return [name for name, _ in module.named_parameters()], [name for name, _ in module.named_buffers()]
