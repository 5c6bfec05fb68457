"""LARS.

SGD whose step on each weight is in proportion to the weight's own norm (You et al., 2017).
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class LARS(torch.optim.Optimizer):
    """SGD with momentum.

    Weights are decayed and scaled by |w| / |g|, biases and norms (1-d) take plain steps.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        momentum: float = 0.9,
        weight_decay: float = 1e-5,
        trust: float = 0.001,
        eps: float = 1e-8,
    ) -> None:
        """The learning rate is set in `param_groups` before each step; it is 0 until then."""
        parameters = list(parameters)
        weights = [p for p in parameters if p.ndim > 1]
        plain = [p for p in parameters if p.ndim <= 1]
        groups = [{"params": weights, "adapt": True}, {"params": plain, "adapt": False}]
        defaults = {
            "lr": 0.0,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "trust": trust,
            "eps": eps,
        }
        super().__init__([group for group in groups if group["params"]], defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Make one step, with foreach operations over each group."""
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            gradients = [p.grad for p in parameters]
            if not parameters:
                continue
            if group["adapt"]:
                gradients = self._adapted(parameters, gradients, group)
            for p in parameters:
                if not self.state[p]:
                    self.state[p]["momentum_buffer"] = torch.zeros_like(p)
            buffers = [self.state[p]["momentum_buffer"] for p in parameters]
            torch._foreach_mul_(buffers, group["momentum"])
            torch._foreach_add_(buffers, gradients)
            torch._foreach_add_(parameters, buffers, alpha=-group["lr"])

    @staticmethod
    def _adapted(weights: list[nn.Parameter], gradients: list[Tensor], group: dict) -> list[Tensor]:
        decayed = torch._foreach_add(gradients, weights, alpha=group["weight_decay"])
        weight_norms = torch.stack(torch._foreach_norm(weights))
        gradient_norms = torch.stack(torch._foreach_norm(decayed))
        rates = group["trust"] * weight_norms / (gradient_norms + group["eps"])
        rates = torch.where(
            (weight_norms > 0) & (gradient_norms > 0), rates, torch.ones_like(rates)
        )
        torch._foreach_mul_(
            decayed, list(rates.unbind())
        )  # they are ours: the gradients stay as they were
        return list(decayed)
