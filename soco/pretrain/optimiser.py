"""The optimisers of pretraining: the paper's LARS, and SGD and AdamW for smaller runs."""

import torch
from torch import Tensor

from soco.config import PretrainConfig
from soco.pretrain.lars import LARS, weights_apart
from soco.pretrain.model import SoCo


def build_optimiser(model: SoCo, settings: PretrainConfig) -> torch.optim.Optimizer:
    """Make the optimiser of a model, which is on its device; `set_rate` sets the rate of each step.

    A step of LARS is a fixed share of the weight, whatever the gradient, so that a run of few steps
    cannot leave its initial weights (docs/small_runs.md). Steps of SGD and AdamW have no such
    bound. In all of them norms and biases have no weight decay.

    Args:
        model: The model.
        settings: The recipe.
    """
    of_predictor = list(model.predictor.parameters())
    own = {id(p) for p in of_predictor}
    others = [p for p in model.parameters() if p.requires_grad and id(p) not in own]
    groups = [
        {"params": others, "factor": 1.0},
        {"params": of_predictor, "factor": settings.predictor_rate},
    ]
    if settings.optimiser == "adamw":
        return torch.optim.AdamW(
            weights_apart(groups),
            lr=0.0,
            weight_decay=settings.weight_decay,
            # The state on the GPU, so that a step can be captured in a CUDA graph.
            capturable=next(model.parameters()).is_cuda,
        )
    trust = settings.trust if settings.optimiser == "lars" else None
    return LARS(groups, settings.momentum, settings.weight_decay, trust)


def set_rate(optimiser: torch.optim.Optimizer, rate: float | Tensor) -> None:
    """Set the learning rate of the next step; a group's own rate is `factor` times that."""
    for group in optimiser.param_groups:
        factor = group.get("factor", 1.0)
        group["lr"] = rate if factor == 1.0 else rate * factor
