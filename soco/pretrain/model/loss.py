"""The object-level contrastive loss (SoCo section 3, equations 5 and 6), and signs of collapse."""

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor

_LEAST_VARIANCE = 1e-8  # of a dimension in which all vectors are equal


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
    """Return the mean cosine of corresponding entries, averaged over images.

    Entries correspond if their ids are equal, on whatever FPN levels they are: the same object at
    two scales. An image without corresponding entries counts as 0, as in the release.

    Args:
        online: M vectors an image, with gradient.
        target: N vectors an image, without gradient.

    Returns:
        A scalar in -1..1.
    """
    # (B, M, N), where M and N are 4, or 16 on all levels: so few that a mask is cheaper than
    # picking the pairs, whose number differs between images.
    corresponds = (online.ids[:, :, None] == target.ids[:, None, :]) & (online.ids[:, :, None] > 0)
    cosine = F.normalize(online.values.float(), dim=-1) @ F.normalize(
        target.values.float(), dim=-1
    ).transpose(1, 2)
    pairs = corresponds.sum(dim=(1, 2))
    # 1/B sum over images of [sum over pairs of cos(q, k)] / pairs.
    return ((cosine * corresponds).sum(dim=(1, 2)) / pairs.clamp(min=1)).mean()


def pair_loss(online: tuple[Vectors, Vectors], target: tuple[Vectors, Vectors]) -> Tensor:
    """Return the symmetrised loss of a pair of views.

    For each box -2 cos(q_1, k_2) - 2 cos(q_2, k_1), averaged over boxes and images: q is a vector
    of the online branch, k one of the target, and 1 and 2 are the views of the pair.
    """
    # BYOL's |q - k|^2 = 2 - 2 cos(q, k) for unit vectors, without its constant.
    return -2 * (similarity(online[0], target[1]) + similarity(online[1], target[0]))


def total_loss(
    online: list[tuple[Vectors, Vectors]], target: list[tuple[Vectors, Vectors]]
) -> Tensor:
    """Return the sum over the pairs of views: from 0 down to -4 for each pair.

    The pairs are (1, 2) and (1, 3); SoCo* adds (1, 4), and SoCo-C4 has only (1, 2).
    """
    return torch.stack([pair_loss(q, k) for q, k in zip(online, target, strict=True)]).sum()


@torch.no_grad()
def constant_loss(
    online: list[tuple[Vectors, Vectors]], target: list[tuple[Vectors, Vectors]]
) -> Tensor:
    """Return the lowest loss that a single vector, the same for all boxes, reaches on a batch.

    It is not part of the paper: a model that ignores its images can reach it, so that only a lower
    loss distinguishes objects. docs/loss.md explains how to read it.

    Args:
        online: As for `total_loss`; only its ids count.
        target: The vectors of the target branch.
    """
    means = [
        mean
        for q, k in zip(online, target, strict=True)
        for mean in (_mean_target(q[0].ids, k[1]), _mean_target(q[1].ids, k[0]))
    ]
    # The loss of a unit vector c is -2 sum of c.m, which is lowest along the sum of all means m.
    return -2 * torch.stack(means).sum(dim=0).norm()


def _mean_target(ids: Tensor, target: Vectors) -> Tensor:
    """The mean m of the target's unit vectors for which `similarity` to a constant c is c.m.

    Args:
        ids: (B, M) ids of the online entries.
        target: N vectors an image.

    Returns:
        (D,), counted as in `similarity`: the mean over images of the mean over their pairs.
    """
    corresponds = (ids[:, :, None] == target.ids[:, None, :]) & (ids[:, :, None] > 0)
    pairs = corresponds.sum(dim=1)
    shares = pairs / pairs.sum(dim=1, keepdim=True).clamp(min=1)
    units = F.normalize(target.values.float(), dim=-1)
    return (shares[..., None] * units).sum(dim=1).mean(dim=0)


def redundancy(projections: list[Vectors]) -> Tensor:
    """Return how much the dimensions of vectors repeat each other; 0 if none do.

    The sum of squared correlations between different dimensions, divided by their number D: the
    second term of Barlow Twins (Zbontar et al., ICML 2021, equation 1). This is not part of the
    paper. A short run learns few things about a box, such as its place and size, and all
    dimensions repeat them; this term makes it look for more.

    Args:
        projections: For each set (B, M, D) vectors of the online projector, those of this process:
            with several processes, the correlations are over each one's boxes.
    """
    values = torch.cat([each.values.flatten(0, 1) for each in projections]).float()
    counted = (torch.cat([each.ids.flatten() for each in projections]) > 0).float()[:, None]
    total = counted.sum().clamp(min=1)
    centred = (values - (values * counted).sum(dim=0) / total) * counted
    deviation = (centred.square().sum(dim=0) / total + _LEAST_VARIANCE).sqrt()
    units = centred / deviation
    # (D, D) correlations, 1 on the diagonal.
    correlations = units.T @ units / total
    off_diagonal = correlations.square().sum() - correlations.diagonal().square().sum()
    return off_diagonal / len(correlations)


@torch.no_grad()
def collapse_metrics(values: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    """Measure how far the vectors of a batch are from collapse, where all are the same.

    This is not part of the paper. docs/loss.md explains how to read both numbers.

    Args:
        values: (B, M, D) vectors.
        ids: (B, M) int64; entries with id 0 are left out.

    Returns:
        The spread and the mean cosine between vectors of different images. The spread is the std of
        the unit vectors in each dimension, averaged, times sqrt(D): 1 for evenly spread directions,
        0 for identical vectors (SimSiam, Chen and He, CVPR 2021, section 4.1). The cosine is near 0
        for a healthy model and 1 after collapse. Both are NaN if no two images can be compared.
    """
    # float64: both are small differences of large sums.
    counted = (ids > 0).to(torch.float64)
    units = F.normalize(values.double(), dim=-1) * counted[..., None]
    of_image, numbers = units.sum(dim=1), counted.sum(dim=1)
    total, count = of_image.sum(dim=0), numbers.sum()
    # E[u^2] - E[u]^2 in each dimension; rounding may make it negative.
    variance = (units.square().sum(dim=(0, 1)) / count - (total / count).square()).clamp(min=0)
    spread = variance.sqrt().mean() * values.shape[-1] ** 0.5
    # The sum of cosines over all pairs is |sum of unit vectors|^2; subtracting the same sum within
    # each image leaves the pairs of different images, without a (B M) x (B M) matrix.
    cosines = total.square().sum() - of_image.square().sum()
    # Ordered pairs of vectors: n^2 in total, less n_i^2 within image i.
    pairs = count.square() - numbers.square().sum()
    cosine_apart = cosines / pairs
    # With a single image there are 0 pairs and 0 / 0: its own spread would look like collapse.
    return torch.where(cosine_apart.isnan(), cosine_apart, spread).float(), cosine_apart.float()
