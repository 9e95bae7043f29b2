"""Inputs that collect gradients, and a module that passes them on."""

from __future__ import annotations


def leaf(implementation, rows, device):
    """An input that collects its gradient."""
    return implementation.parameter(implementation.tensor(rows, device=device))


def read_grad(implementation, tensor):
    """The elements of the gradient that backward left on the tensor."""
    return implementation.read(implementation.grad(tensor)).flat


def doubling(implementation, change=lambda output: output):
    """A module whose forward doubles its first argument, with the argument or the output passed through ``change``."""

    class Double(implementation.Module):
        def forward(self, x):
            return change(x * 2.0)

    return Double()
