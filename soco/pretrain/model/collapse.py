"""Signs of collapse: whether the vectors of different images still differ."""

import torch
import torch.nn.functional as F
from torch import Tensor


@torch.no_grad()
def collapse_metrics(values: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    """How far a batch's vectors are from being one and the same.

    Args:
        values: (B, M, D) vectors.
        ids: (B, M) int64; entries with 0 are left out.

    Returns:
        The spread, the deviation of the unit vectors in each dimension, averaged and times sqrt(D):
        1 where they point everywhere alike, 0 where all are one (SimSiam, Chen and He, CVPR 2021,
        section 4.1); and the mean cosine between vectors of different images: near 0 is healthy, 1
        is collapse. Both NaN where there are no two images to compare.
    """
    counted = (ids > 0).to(torch.float64)
    units = F.normalize(values.double(), dim=-1) * counted[..., None]
    of_image, numbers = units.sum(dim=1), counted.sum(dim=1)
    total, count = of_image.sum(dim=0), numbers.sum()
    variance = (units.square().sum(dim=(0, 1)) / count - (total / count).square()).clamp(min=0)
    spread = variance.sqrt().mean() * values.shape[-1] ** 0.5
    apart = total.square().sum() - of_image.square().sum()
    pairs = count.square() - numbers.square().sum()
    apart = apart / pairs
    return torch.where(apart.isnan(), apart, spread).float(), apart.float()
