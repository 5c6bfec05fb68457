"""Top-1 and top-5 accuracy of a probe."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_TOP = 5


@dataclass(frozen=True)
class Hits:
    """Which images a probe classifies correctly.

    Attributes:
        top1: (N,) bool, whether the true class has the highest score.
        top5: (N,) bool, whether it is among the five highest.
    """

    top1: Tensor
    top5: Tensor


def hits(scores: Tensor, labels: Tensor) -> Hits:
    """Compare scores with the true classes; in a tie, the other classes rank higher.

    Args:
        scores: (N, C), higher is likelier; NaN is never a hit.
        labels: (N,) class indices.
    """
    own = scores.gather(1, labels[:, None])
    # The true class counts itself, so that the best has rank 1.
    rank = (scores >= own).sum(dim=1)  # 0 where `own` is NaN
    return Hits((rank == 1).cpu(), ((rank >= 1) & (rank <= _TOP)).cpu())


def joined(parts: Sequence[Hits]) -> Hits:
    """Concatenate the hits of blocks of images."""
    return Hits(torch.cat([part.top1 for part in parts]), torch.cat([part.top5 for part in parts]))


def summary(result: Hits, classes: int) -> dict[str, Any]:
    """`top1` and `top5` in percent of all images; `top5` is None with five classes or fewer."""
    return {"top1": percent(result.top1), "top5": percent(result.top5) if classes > _TOP else None}


def percent(correct: Tensor) -> float:
    """The share of true values in percent, rounded to three decimals."""
    return round(100 * correct.double().mean().item(), 3)
