"""LARS: SGD with a learning rate for each layer (You et al., arXiv 1708.03888).

SoCo trains with LARS at a total batch of 2048 images (section 4.1).
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from soco import torch_compat


class LARS(torch.optim.Optimizer):
    """SGD with momentum whose steps are scaled by trust |w| / |g + decay w| for each weight w.

    As in the release, biases and norms (1-d parameters) have neither weight decay nor scaling.
    With `trust` None nothing is scaled, which is plain SGD.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        momentum: float = 0.9,
        weight_decay: float = 1e-5,
        trust: float | None = 0.001,
        eps: float = 1e-8,
    ) -> None:
        """Split the parameters into weights, which are scaled, and 1-d ones, which are not.

        The learning rate is 0 until it is set in `param_groups`, before each step: a number, or a
        scalar tensor on the device of the parameters.

        Args:
            parameters: The parameters to train, or torch's groups of them.
            momentum: Momentum of SGD.
            weight_decay: Weight decay of weights.
            trust: The trust coefficient; None: steps are not scaled.
            eps: Added to the norm of the gradient.
        """
        groups = weights_apart(parameters)
        defaults = {
            "lr": 0.0,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "trust": trust,
            "eps": eps,
        }
        super().__init__(groups, defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Take one step: v = momentum v + g', w = w - lr v, where g' is the scaled gradient."""
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            gradients = [p.grad for p in parameters]
            if not parameters:
                continue
            if parameters[0].ndim > 1:
                gradients = self._adapted(parameters, gradients, group)
            # The first step has v = g', as in torch's SGD.
            for p in parameters:
                if not self.state[p]:
                    self.state[p]["momentum_buffer"] = torch.zeros_like(p)
            buffers = [self.state[p]["momentum_buffer"] for p in parameters]
            # Each line is a few kernels for all parameters, instead of one for each of them.
            torch_compat.mul_(buffers, group["momentum"])
            torch_compat.add_(buffers, gradients)
            torch_compat.add_(parameters, buffers, alpha=-group["lr"])

    @staticmethod
    def _adapted(
        weights: list[nn.Parameter], gradients: list[Tensor], group: dict[str, Any]
    ) -> list[Tensor]:
        """The gradients with weight decay, scaled by trust |w| / (|g| + eps) if there is trust."""
        # g' = trust |w| / (|g + wd w| + eps) (g + wd w). You et al. divide by |g| + wd |w|; the
        # denominator is the same where g and w have one direction.
        decayed = torch_compat.add(gradients, weights, alpha=group["weight_decay"])
        if group["trust"] is None:
            return decayed
        # (N,) each, one norm for each weight.
        weight_norms, gradient_norms = torch_compat.norms(weights), torch_compat.norms(decayed)
        rates = group["trust"] * weight_norms / (gradient_norms + group["eps"])
        # A weight of zeros would never move: it takes a plain step.
        rates = torch.where(
            (weight_norms > 0) & (gradient_norms > 0), rates, torch.ones_like(rates)
        )
        torch_compat.mul_(decayed, rates.unbind())  # `decayed` is ours; `gradients` stay unchanged
        return decayed


def weights_apart(
    parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Split parameters, or each of torch's groups of them, into weights and 1-d parameters.

    Returns:
        Groups without an empty one; those of 1-d parameters have a weight decay of 0.
    """
    given = list(parameters)
    groups = given if given and isinstance(given[0], dict) else [{"params": given}]
    split = []
    for group in groups:
        weights = [p for p in group["params"] if p.ndim > 1]
        plain = [p for p in group["params"] if p.ndim <= 1]
        split += [{**group, "params": weights}, {**group, "params": plain, "weight_decay": 0.0}]
    return [group for group in split if group["params"]]
