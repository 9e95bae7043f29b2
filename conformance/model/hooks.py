"""The oracle for hooks: where global hooks stand, and what a backward pass computes. Imports no framework."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from conformance.language import blueprint as bp
from conformance.model import ModuleModel, Rows, in_firing_order, join, shifted

#: (hook name, path of the module it was called with), as ``Subject.log`` holds them.
Log = list[tuple[str, str]]


def ones(rows: Rows) -> Rows:
    """What the backward pass of a sum starts with."""
    return [[1.0] * len(row) for row in rows]


def everywhere(module: ModuleModel, hooks: Iterable[bp.Hook]) -> None:
    """Put global hooks on every module of the tree, before all of its own, the prepended ones included."""
    for each in module.modules():
        own = [dataclasses.replace(hook, prepend=False) for hook in in_firing_order(each.hooks)]
        each.hooks = (*hooks, *own)


@dataclass
class Backward:
    """What calling a chain of linear layers and running backward from the sum of its output gives. Attributes: output:
    of the call. grads: of the input (under "input") and of every parameter, by path. received: of every module, the
    gradients (of its input, of its output) that its first backward hook is given. log: (hook name, path) in the order
    in which backward pre-hooks and backward hooks fire."""

    output: Rows = field(default_factory=list)
    grads: dict[str, Rows] = field(default_factory=dict)
    received: dict[str, tuple[Rows, Rows]] = field(default_factory=dict)
    log: Log = field(default_factory=list)

    def of_parameters(self) -> dict[str, Rows]:
        """The gradients of the parameters that take part in the computation, by path."""
        return {path: grad for path, grad in self.grads.items() if path != "input"}


def backward(module: ModuleModel, rows: Rows) -> Backward:
    """The forward and the backward pass of a tree of Sequential, Linear and Identity."""
    result = Backward()
    result.output, pull = _differentiate(module, rows, result)
    result.grads["input"] = pull(ones(result.output))
    return result


def _differentiate(module: ModuleModel, rows: Rows, result: Backward) -> tuple[Rows, Callable[[Rows], Rows]]:
    """The output, and the function from the gradient of the output to that of the input."""
    steps = []
    if module.kind == "Linear":
        rows, step = _linear(module, rows, result)
        steps.append(step)
    for child in module.modules_.values():
        if child is not None:
            rows, step = _differentiate(child, rows, result)
            steps.append(step)

    def pull(grad: Rows) -> Rows:
        grad = _fire(module, "full_backward_pre", grad, result.log)
        grad_output = grad
        for step in reversed(steps):
            grad = step(grad)
        result.received[module.path] = (grad, grad_output)
        return _fire(module, "full_backward", grad, result.log)

    return rows, pull


def _fire(module: ModuleModel, kind: str, grad: Rows, log: Log) -> Rows:
    for hook in in_firing_order(hook for hook in module.hooks if hook.kind == kind):
        log.append((hook.name, module.path))
        grad = shifted(grad, hook.adds)
    return grad


def _linear(module: ModuleModel, rows: Rows, result: Backward) -> tuple[Rows, Callable[[Rows], Rows]]:
    weight, bias = (module.parameters_[name].values() for name in ("weight", "bias"))  # type: ignore[union-attr]

    def step(grad: Rows) -> Rows:
        result.grads[join(module.path, "weight")] = [
            [sum(g[o] * x[i] for g, x in zip(grad, rows, strict=True)) for i in range(len(weight[o]))]
            for o in range(len(weight))
        ]
        result.grads[join(module.path, "bias")] = [[sum(g[o] for g in grad) for o in range(len(weight))]]
        return [[sum(g[o] * weight[o][i] for o in range(len(weight))) for i in range(len(weight[0]))] for g in grad]

    return [
        [sum(w * x for w, x in zip(ws, row, strict=True)) + b for ws, b in zip(weight, bias, strict=False)]
        for row in rows
    ], step
