"""Cut-out: squares of a view that are blanked around its boxes."""

import math

import numpy as np

from soco.pretrain.views.crops import Crop
from soco.proposals.boxes import Boxes

_SHARE = (0.1, 0.3)


def draw_holes(
    rng: np.random.Generator, boxes: Boxes, size: int, probability: float
) -> tuple[Crop, ...]:
    """Draw squares of 0.1 to 0.3 of a box's area, each around a point of the box; for each box by
    chance.

    Args:
        rng: Source of chance.
        boxes: (N, 4) in 0..1 of the view.
        size: The view's side in pixels.
        probability: Chance for each box.

    Returns:
        The squares as far as they lie in the view, in its pixels.
    """
    holes = []
    for x1, y1, x2, y2 in (boxes * size).tolist():
        if rng.random() >= probability:
            continue
        half = math.sqrt(max(0.0, (x2 - x1) * (y2 - y1)) * rng.uniform(*_SHARE)) / 2
        x, y = rng.uniform(x1, x2), rng.uniform(y1, y2)
        left, top = max(0, round(x - half)), max(0, round(y - half))
        right, bottom = max(left, min(size, round(x + half))), max(top, min(size, round(y + half)))
        holes.append(Crop(top, left, bottom - top, right - left))
    return tuple(holes)
