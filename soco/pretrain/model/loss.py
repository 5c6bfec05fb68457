"""The loss: vectors of corresponding boxes agree (SoCo equation 5 and 6)."""

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Vectors:
    """The vectors of a view's boxes.

    Attributes:
        values: (B, M, D).
        ids: (B, M) int64, from 1; 0 for an entry that is in no pair.
    """

    values: Tensor
    ids: Tensor


def similarity(online: Vectors, target: Vectors) -> Tensor:
    """Mean over images of the mean cosine over corresponding entries (equal ids); an image without
    any gives 0.

    Args:
        online: M vectors an image, with gradient.
        target: N vectors an image, without.

    Returns:
        A scalar in -1..1.
    """
    corresponds = (online.ids[:, :, None] == target.ids[:, None, :]) & (online.ids[:, :, None] > 0)
    cosine = F.normalize(online.values.float(), dim=-1) @ F.normalize(
        target.values.float(), dim=-1
    ).transpose(1, 2)
    pairs = corresponds.sum(dim=(1, 2))
    return ((cosine * corresponds).sum(dim=(1, 2)) / pairs.clamp(min=1)).mean()


def pair_loss(online: tuple[Vectors, Vectors], target: tuple[Vectors, Vectors]) -> Tensor:
    """Minus twice the similarity, both ways round.

    View 1 online against view v target, and the reverse.
    """
    return -2 * (similarity(online[0], target[1]) + similarity(online[1], target[0]))


def total_loss(
    online: list[tuple[Vectors, Vectors]], target: list[tuple[Vectors, Vectors]]
) -> Tensor:
    """The sum over pairs of views: from 0 down to -4 for each pair."""
    return torch.stack([pair_loss(q, k) for q, k in zip(online, target, strict=True)]).sum()
