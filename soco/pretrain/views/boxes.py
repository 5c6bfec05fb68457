"""Boxes of an image as its views see them.

Which overlap a crop, which are drawn, where they lie.
"""

import numpy as np
import numpy.typing as npt

from soco.pretrain.views.crops import Crop
from soco.proposals.boxes import Boxes


def overlapping(boxes: Boxes, crop: Crop) -> npt.NDArray[np.bool_]:
    """Tell which boxes overlap a crop; its last row and column are top + height - 1 and left +
    width - 1.

    Args:
        boxes: (N, 4) x1, y1, x2, y2, in pixels of the image.
        crop: In pixels of the image.

    Returns:
        (N,) bool.
    """
    x1, y1, x2, y2 = boxes.T
    across = np.minimum(x2, crop.left + crop.width - 1) > np.maximum(x1, crop.left)
    down = np.minimum(y2, crop.top + crop.height - 1) > np.maximum(y1, crop.top)
    return across & down


def clip_to_crop(boxes: Boxes, crop: Crop) -> Boxes:
    """Clip boxes to a crop, shift them to its origin and divide by its size.

    Args:
        boxes: (N, 4) x1, y1, x2, y2, in pixels of the image.
        crop: In pixels of the image.

    Returns:
        (N, 4) float32 in 0..1 of the crop.
    """
    origin = np.array([crop.left, crop.top] * 2)
    last = np.array([crop.width - 1, crop.height - 1] * 2)
    size = np.array([crop.width, crop.height] * 2)
    return (np.clip(boxes - origin, 0, last) / size).astype(np.float32)


def draw(
    rng: np.random.Generator, candidates: npt.NDArray[np.integer], count: int
) -> npt.NDArray[np.integer]:
    """Draw `count` of the candidates without replacement; where there are fewer, all, padded by
    repetition.

    Args:
        rng: Source of chance.
        candidates: (N,) numbers of boxes, at least one.
        count: How many to draw.

    Returns:
        (count,) numbers; a box that stands twice has the same number and thus the same id.
    """
    if len(candidates) >= count:
        return rng.permutation(candidates)[:count]
    padding = rng.choice(candidates, count - len(candidates), replace=True)
    return np.concatenate([candidates, padding])


def jitter(
    rng: np.random.Generator, boxes: Boxes, image: tuple[int, int], most: float, probability: float
) -> Boxes:
    """Shift and stretch each box by chance, each side by up to `most` of its size, and clip it to
    the image.

    Args:
        rng: Source of chance.
        boxes: (N, 4) x1, y1, x2, y2, in pixels of the image.
        image: Its width and height.
        most: Largest shift of the corner and change of the size, as a share of width and height.
        probability: Chance that a box is changed at all.

    Returns:
        (N, 4) float32.
    """
    moved = rng.random(len(boxes)) < probability
    shares = rng.uniform(-most, most, (len(boxes), 4)) * moved[:, None]
    corner, size = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]
    corner = corner + shares[:, :2] * size
    opposite = corner + size * (1 + shares[:, 2:])
    last = np.array(image) - 1
    return np.concatenate([np.clip(corner, 0, last), np.clip(opposite, 0, last)], axis=1).astype(
        np.float32
    )


def flip(boxes: Boxes) -> Boxes:
    """Mirror boxes in 0..1 left to right; (N, 4)."""
    mirrored = boxes.astype(np.float32)
    mirrored[:, ::2] = 1 - boxes[:, 2::-2]
    return mirrored
