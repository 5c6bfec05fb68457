"""How far a pretraining moves the weights from their first values, and how far it can.

A small run with the paper's recipe may end where it began. docs/loss.md explains the numbers.
"""

import logging
import math
import statistics
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from soco import torch_compat

log = logging.getLogger(__name__)

# Detectors fine-tune all parts except projector and predictor.
DETECTOR_PARTS = ("stem", "layer1", "layer2", "layer3", "layer4", "neck", "head")
PARTS = (*DETECTOR_PARTS, "projector", "predictor")
# With the paper's recipe, 110 epochs of 4,000 images ended at cosines of 0.985 to 0.99, and the
# detectors fine-tuned from them far below scratch.
MOST_COSINE = 0.97
# The distance at which a cosine is 0.97 if a weight moves at right angles: 1 / sqrt(1 + d^2).
LEAST_DISTANCE = 0.25

Moved = dict[str, dict[str, float]]
"""For each part `distance`, |w - w0| / |w0|, and `cosine`, that of w and w0."""


class Travel:
    """The first weights of a run, with which later ones are compared."""

    def __init__(self, first: Mapping[str, Tensor]) -> None:
        """Copy the weights before the first step, and before a checkpoint is loaded.

        Args:
            first: The weights by name, from `travelling_weights`. The copy is on the CPU: on a GPU
                it would take memory from training, and it is read only every few hundred steps.
        """
        self._first = {name: weight.detach().to("cpu", copy=True) for name, weight in first.items()}

    @torch.no_grad()
    def measure(self, now: Mapping[str, Tensor]) -> Moved:
        """Compare weights with the first ones.

        Args:
            now: Weights of the same names and shapes, all on one device.

        Returns:
            `Moved`; distances with 4 significant digits, cosines with 6 decimals.
        """
        parts: dict[str, list[str]] = {}
        for name in self._first:
            parts.setdefault(_part_of(name), []).append(name)
        rows = [
            _moved([now[n].detach() for n in names], [self._first[n] for n in names])
            for names in parts.values()
        ]
        # One transfer for all parts: (parts, 2).
        return {
            part: {"distance": float(f"{distance:.4g}"), "cosine": round(cosine, 6)}
            for part, (distance, cosine) in zip(parts, torch.stack(rows).tolist(), strict=True)
        }


def travelling_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights of a model that are trained, by name; biases and norms are left out.

    Convolutions and linear layers are what LARS scales. Norms and biases have no first length to
    compare with: many begin at 0.
    """
    return {n: p for n, p in model.named_parameters() if p.requires_grad and p.ndim > 1}


class Walk(NamedTuple):
    """How far LARS can go, in units of each weight's own length |w|.

    Attributes:
        path: The length of all its steps together.
        distance: The distance to expect if gradients of different steps have no direction in
            common.
    """

    path: float
    distance: float


def lars_walk(rates: Iterable[float], trust: float, momentum: float) -> Walk:
    """Return how far LARS can go with some learning rates: a gradient's length has no effect.

    Args:
        rates: The learning rate of each step.
        trust: The trust coefficient of LARS.
        momentum: The momentum.
    """
    rates = list(rates)
    # A gradient leads rate x trust x |w| far, and with momentum returns in later steps, which is
    # 1 + m + m^2 + ... = 1 / (1 - m) times as far, but no more times than there are steps.
    lasting = 1 / max(1 - momentum, 1 / max(1, len(rates)))
    squares = sum(rate * rate for rate in rates)
    return Walk(trust * sum(rates), lasting * trust * math.sqrt(squares))


def median_cosine(moved: Mapping[str, Mapping[str, float | None]]) -> float | None:
    """Return the median cosine of the parts that detectors fine-tune; None if none was measured.

    Cosines, since scaling a weight before a norm changes nothing that the network computes. The
    median, since one part alone may go far: with SGD that is the stem.

    Args:
        moved: `Moved`, or the same from a file, where values that are not finite are null.
    """
    measured = [moved[part].get("cosine") for part in DETECTOR_PARTS if part in moved]
    cosines = [cosine for cosine in measured if cosine is not None]
    return statistics.median(cosines) if cosines else None


def stayed(moved: Mapping[str, Mapping[str, float | None]]) -> bool:
    """Return whether the parts that detectors fine-tune are still almost the first weights.

    Args:
        moved: As for `median_cosine`.
    """
    cosine = median_cosine(moved)
    return cosine is not None and cosine > MOST_COSINE


def warn_of_walk(walk: Walk) -> None:
    """Warn before a run of LARS whose steps are too short to leave the first weights.

    Args:
        walk: From `lars_walk`; a run of no steps is meant to stay.
    """
    if 0 < walk.distance < LEAST_DISTANCE:
        log.warning(
            "This run will stay near its first weights: expect LARS to move them by %.2g times"
            " their length (at least %g to leave them; the paper: 12). Its steps have the length"
            " learning rate x trust x |w|, whatever the gradient: %.2g |w| in all (the paper: 250)."
            " %s; see docs/loss.md.",
            walk.distance,
            LEAST_DISTANCE,
            walk.path,
            _remedy("lars"),
        )


def warn_of_stay(moved: Mapping[str, Mapping[str, float | None]], optimiser: str) -> None:
    """Warn after a run that stayed near its first weights.

    Args:
        moved: As for `median_cosine`.
        optimiser: The optimiser of the recipe.
    """
    if stayed(moved):
        log.warning(
            "This run stayed near its first weights: backbone, FPN and head have a median cosine of"
            " %.3f with them (at most %g after a run that moved). Fine-tuning begins almost as"
            " from those first weights, whatever the loss is. %s; see docs/loss.md.",
            median_cosine(moved),
            MOST_COSINE,
            _remedy(optimiser),
        )


def _remedy(optimiser: str) -> str:
    more = "Train for more steps (steps or epochs)"
    if optimiser == "lars":
        return f"{more}, raise base_lr, or use the recipe of docs/small_runs.md"
    return f"{more}, or raise base_lr"


def _part_of(name: str) -> str:
    """The part of a parameter, such as `layer1` of `encoder.layer1.0.conv1.weight`."""
    top, below = name.split(".")[:2]
    if top != "encoder":
        return top
    return below if below.startswith("layer") else "stem"


def _moved(now: list[Tensor], first: list[Tensor]) -> Tensor:
    """Distance and cosine of all weights of a part together: (2,) float64, on their device."""
    # One part at a time: the copies on a GPU are those of the largest part, not of the model.
    first = [weight.to(now[0].device) for weight in first]
    apart = torch_compat.add(now, first, alpha=-1.0)
    length, first_length, distance = (
        torch_compat.norms(weights).double().square().sum().sqrt()
        for weights in (now, first, apart)
    )
    # 1 - w.w0 / (|w| |w0|) = (|w - w0|^2 - (|w| - |w0|)^2) / (2 |w| |w0|): near a cosine of 1 this
    # keeps the digits that a product of float32 numbers loses.
    away = (distance.square() - (length - first_length).square()) / (2 * length * first_length)
    return torch.stack([distance / first_length, 1 - away])
