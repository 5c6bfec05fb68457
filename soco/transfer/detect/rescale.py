"""Rescale loaded convolutions to the length of detectron2's own, without a change of any output.

A norm after a convolution cancels the length of its weights, but the length decides how far a step
of SGD turns them: by lr |gradient| / |w|, and the gradient itself falls as 1 / |w|. The learning
rates of a fine-tuning suit weights of the length that detectron2 draws.
"""

from collections.abc import Iterator, Mapping

import torch
from detectron2.layers import Conv2d
from torch import Tensor, nn


def normed_convolutions(model: nn.Module) -> Iterator[tuple[str, Conv2d]]:
    """The convolutions of a detector that a batch norm follows, by name."""
    for name, part in model.named_modules():
        if isinstance(part, Conv2d) and isinstance(part.norm, nn.modules.batchnorm._BatchNorm):
            yield name, part


def lengths(model: nn.Module) -> dict[str, Tensor]:
    """The norms |w| of the convolutions that a batch norm follows, by name."""
    return {name: part.weight.detach().norm() for name, part in normed_convolutions(model)}


@torch.no_grad()
def rescale_convolutions(model: nn.Module, wanted: Mapping[str, Tensor]) -> dict[str, float]:
    """Scale convolutions to given lengths; their norms follow, so that features stay equal.

    With w' = s w the norm's input is s times as large: mean' = s mean and var' = s^2 var. The
    norm's weight makes up for eps, which does not scale.

    Args:
        model: The detector, after its weights were loaded.
        wanted: The length of each convolution; see `lengths`.

    Returns:
        The factor s of each convolution.
    """
    factors = {}
    for name, part in normed_convolutions(model):
        norm, length = part.norm, part.weight.norm()
        if not length > 0:
            continue
        factor = wanted[name].to(length) / length
        part.weight.mul_(factor)
        if part.bias is not None:
            part.bias.mul_(factor)
        scaled = norm.running_var * factor**2
        # gamma' / sqrt(var' + eps) x s = gamma / sqrt(var + eps), as without the scaling.
        norm.weight.mul_(((scaled + norm.eps) / (norm.running_var + norm.eps)).sqrt() / factor)
        norm.running_var.copy_(scaled)
        norm.running_mean.mul_(factor)
        factors[name] = float(factor)
    return factors
