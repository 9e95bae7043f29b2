"""Optimizers: enough of them to train, stop, save and resume."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from conformance.reference.autograd import no_grad
from conformance.reference.tensor import Tensor, full


class Optimizer:
    """Updates parameters, in groups with options of their own, from their gradients."""

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]):
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.state: dict[Tensor, dict[str, Any]] = {}
        for parameter in self._parameters():
            if not parameter.is_leaf:
                raise ValueError("can't optimize a non-leaf Tensor")

    def _parameters(self) -> list[Tensor]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients, or fill them with zeros."""
        for parameter in self._parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad.detach_().zero_()

    @no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, self.state.setdefault(parameter, {}), group)

    def _update(self, parameter: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """The options and the state; parameters are numbered, not contained."""
        numbers = {id(parameter): number for number, parameter in enumerate(self._parameters())}
        groups = [{**group, "params": [numbers[id(p)] for p in group["params"]]} for group in self.param_groups]
        return {"state": {numbers[id(p)]: state for p, state in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict()`` of an optimizer with the same groups has given."""
        groups = copy.deepcopy(state_dict["param_groups"])
        if len(groups) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(new["params"]) != len(old["params"]) for new, old in zip(groups, self.param_groups)):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
            )
        numbers = [number for group in groups for number in group["params"]]
        owners = dict(zip(numbers, self._parameters()))
        self.state = {
            owners[number]: {name: _beside(owners[number], value) for name, value in state.items()}
            for number, state in state_dict["state"].items()
        }
        self.param_groups = [{**new, "params": old["params"]} for new, old in zip(groups, self.param_groups)]


def _beside(parameter: Tensor, value: Any) -> Any:
    """A copy of a piece of state, on the device of the parameter that it belongs to."""
    return copy.deepcopy(value).to(parameter.device) if isinstance(value, Tensor) else copy.deepcopy(value)


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted."""

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, momentum: float = 0):
        super().__init__(params, {"lr": lr, "momentum": momentum})

    def _update(self, parameter: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        step = parameter.grad
        if group["momentum"]:
            step = state["momentum_buffer"] = self._momentum(state.get("momentum_buffer"), step, group["momentum"])
        parameter.add_(step, alpha=-group["lr"])

    def _momentum(self, before: Tensor | None, gradient: Any, momentum: float) -> Tensor:
        return gradient.clone() if before is None else before * momentum + gradient


class Adam(Optimizer):
    """Adam, without its variants."""

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    def _update(self, parameter: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        zeros = full(parameter.shape, 0, parameter.dtype, parameter.device)
        beta1, beta2 = group["betas"]
        step = state["step"] = state.get("step", 0) + 1
        gradient = parameter.grad
        mean = state["exp_avg"] = state.get("exp_avg", zeros) * beta1 + gradient * (1 - beta1)
        square = state["exp_avg_sq"] = state.get("exp_avg_sq", zeros) * beta2 + gradient**2 * (1 - beta2)
        root = (square * (1 / (1 - beta2**step))) ** 0.5 + group["eps"]
        parameter.add_(mean / root, alpha=-group["lr"] / (1 - beta1**step))
