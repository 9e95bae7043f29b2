"""Reverse-mode differentiation: nodes that remember how a tensor was computed, and the walk back through them."""

from __future__ import annotations

import contextlib
import heapq
import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conformance.reference.tensor import Tensor

_enabled = True
_order = itertools.count()


def grad_enabled() -> bool:
    """Whether operations are recorded now."""
    return _enabled


class no_grad(contextlib.ContextDecorator):  # noqa: N801 - torch's name
    """Inside it, operations are not recorded. Also a decorator of functions, which may call themselves."""

    def __init__(self) -> None:
        self._outer: list[bool] = []

    def __enter__(self) -> None:
        global _enabled
        self._outer.append(_enabled)
        _enabled = False

    def __exit__(self, *exception: Any) -> None:
        global _enabled
        _enabled = self._outer.pop()


class Node:
    """One recorded operation.

    Attributes:
        edges: per input, where its gradient goes: (node, output number), (leaf tensor, 0), or None for nowhere.
        backward: from one gradient (or None) per output to one gradient (or None) per input.
        outputs: how many outputs the operation has.
    """

    def __init__(self, inputs: Sequence[Tensor], backward: Callable[..., Sequence[Tensor | None]], outputs: int = 1):
        self.edges = [_edge(tensor) for tensor in inputs]
        self.backward = backward
        self.outputs = outputs
        self.order = next(_order)

    def __lt__(self, other: Node) -> bool:
        return self.order > other.order  # what was computed last is differentiated first


def _edge(tensor: Tensor) -> tuple[Any, int] | None:
    if tensor.grad_fn is not None:
        return tensor.grad_fn, tensor.output_number
    return (tensor, 0) if tensor.requires_grad else None


def run_backward(tensor: Tensor, gradient: Tensor) -> None:
    """Send the gradient of ``tensor`` back to the leaves it was computed from."""
    with no_grad():
        edge = _edge(tensor)
        assert edge is not None
        root, number = edge
        if not isinstance(root, Node):
            accumulate(root, gradient)
            return
        waiting = _count_uses(root)
        received: dict[Node, list[Tensor | None]] = {root: [None] * root.outputs}
        received[root][number] = gradient
        ready = [root]
        while ready:
            node = heapq.heappop(ready)
            for edge, given in zip(node.edges, _differentiate(node, received.pop(node))):
                if edge is None:
                    continue
                target, number = edge
                if not isinstance(target, Node):
                    accumulate(target, given)
                    continue
                slots = received.setdefault(target, [None] * target.outputs)
                slots[number] = _add(slots[number], given)
                waiting[target] -= 1
                if not waiting[target]:
                    heapq.heappush(ready, target)


def _count_uses(root: Node) -> dict[Node, int]:
    """How many gradients each node reachable from the root will receive."""
    uses: dict[Node, int] = {root: 0}
    stack = [root]
    while stack:
        for edge in stack.pop().edges:
            if edge is not None and isinstance(edge[0], Node):
                if edge[0] not in uses:
                    uses[edge[0]] = 0
                    stack.append(edge[0])
                uses[edge[0]] += 1
    return uses


def _differentiate(node: Node, gradients: list[Tensor | None]) -> Sequence[Tensor | None]:
    if all(gradient is None for gradient in gradients):
        return [None] * len(node.edges)
    return node.backward(*gradients)


def _add(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    return other if one is None else one if other is None else one + other


def accumulate(leaf: Tensor, gradient: Tensor | None) -> None:
    """Add the gradient to what the leaf has."""
    if gradient is None:
        return
    if leaf.grad is None:
        leaf.grad = gradient.detach().clone()
    else:
        leaf.grad.add_(gradient)
