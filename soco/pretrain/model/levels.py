"""Which FPN level a box of a view belongs to."""

from collections.abc import Sequence

import torch
from torch import Tensor

NO_LEVEL = -1


def pixel_boxes(boxes: Tensor, size: int) -> Tensor:
    """(..., 4) boxes in 0..1 to whole pixels of a view of `size`, rounded down as in the release."""
    return (boxes * size).long()


def levels(boxes: Tensor, size: int, bounds: Sequence[int]) -> Tensor:
    """Assign each box to P2..P5 by sqrt(w h) of its pixel box, w = x2 - x1 + 1 (SoCo section 3.2).

    Args:
        boxes: (..., 4) in 0..1 of the view.
        size: Width and height of the view, in pixels.
        bounds: Largest sqrt(w h) on each level, in pixels, rising.

    Returns:
        (...) int64; 0 for P2 to 3 for P5, -1 for a box larger than every bound, which is in no
        pair.
    """
    x1, y1, x2, y2 = pixel_boxes(boxes, size).unbind(-1)
    area = (x2 - x1 + 1) * (y2 - y1 + 1)
    squares = torch.tensor([bound**2 for bound in bounds], device=boxes.device)
    level = torch.bucketize(area, squares)
    return torch.where(level < len(bounds), level, NO_LEVEL)
