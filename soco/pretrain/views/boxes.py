"""Proposals in the views: which a crop shows, which are drawn, and where they are in each view.

These are the box steps of SoCo's view construction (section 3, "View Construction" and "Box
Jitter"), and the cut-out that the release adds around boxes in some of its recipes.
"""

import math

import numpy as np
import numpy.typing as npt

from soco.pretrain.views.crops import Crop
from soco.proposals.boxes import Boxes

_CUTOUT_AREA = (0.1, 0.3)  # of the box's area


def overlapping(boxes: Boxes, crop: Crop) -> npt.NDArray[np.bool_]:
    """Return which boxes overlap a crop.

    As in the release, the last row and column of the crop are top + height - 1 and left + width
    - 1, and a box that only touches the crop does not overlap it.

    Args:
        boxes: (N, 4) x1, y1, x2, y2, in pixels of the image.
        crop: In pixels of the image.

    Returns:
        (N,) bool.
    """
    x1, y1, x2, y2 = boxes.T
    # An overlap along an axis: the smaller end is beyond the larger beginning.
    across = np.minimum(x2, crop.left + crop.width - 1) > np.maximum(x1, crop.left)
    down = np.minimum(y2, crop.top + crop.height - 1) > np.maximum(y1, crop.top)
    return across & down


def clip_to_crop(boxes: Boxes, crop: Crop) -> Boxes:
    """Clip boxes to a crop, shift them to its origin and divide them by its size.

    Args:
        boxes: (N, 4) x1, y1, x2, y2, in pixels of the image.
        crop: In pixels of the image.

    Returns:
        (N, 4) float32 in 0..1 of the crop.
    """
    origin = np.array([crop.left, crop.top] * 2)
    # Clipped to the last pixel, but divided by the size: no box reaches 1.
    last = np.array([crop.width - 1, crop.height - 1] * 2)
    size = np.array([crop.width, crop.height] * 2)
    return (np.clip(boxes - origin, 0, last) / size).astype(np.float32)


def whole_view(size: int) -> Boxes:
    """Return the box that is a whole view of `size` pixels: (1, 4) float32 in 0..1.

    It ends inside the last pixel: with its end at 1 it would count as a pixel larger than the view,
    which is above the bounds of all levels.
    """
    end = (size - 0.5) / size
    return np.array([[0, 0, end, end]], np.float32)


def draw(
    rng: np.random.Generator, candidates: npt.NDArray[np.integer], count: int
) -> npt.NDArray[np.integer]:
    """Draw boxes without replacement; if there are too few, take all and pad them by repetition.

    SoCo compares K = 4 boxes per image. The padding is the release's, so that each image of a batch
    has the same number of boxes.

    Args:
        rng: The sample's random generator.
        candidates: (N,) indices of boxes, at least one.
        count: How many to draw.

    Returns:
        (count,) indices; a repeated box has the same index and therefore the same id.
    """
    if len(candidates) >= count:
        return rng.permutation(candidates)[:count]
    padding = rng.choice(candidates, count - len(candidates), replace=True)
    return np.concatenate([candidates, padding])


def jitter(
    rng: np.random.Generator, boxes: Boxes, image: tuple[int, int], most: float, probability: float
) -> Boxes:
    """Shift and scale boxes at random (the paper's box jitter), and clip them to the image.

    A box (x, y, w, h) becomes (x + r1 w, y + r2 h, w + r3 w, h + r4 h), each r from U(-most, most).
    As in the release, (x, y) is the upper left corner. Whether a box changes is drawn for each box.

    Args:
        rng: The sample's random generator.
        boxes: (N, 4) x1, y1, x2, y2, in pixels of the image.
        image: Width and height of the image, in pixels.
        most: Largest change, as a share of the box's width and height; 0.1 in SoCo.
        probability: Probability that a box changes; 0.5 in SoCo.

    Returns:
        (N, 4) float32.
    """
    moved = rng.random(len(boxes)) < probability
    # Drawn for all boxes, then set to 0 for those that stay: the later draws of the sample do not
    # depend on how many move.
    shares = rng.uniform(-most, most, (len(boxes), 4)) * moved[:, None]
    corner, size = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]
    corner = corner + shares[:, :2] * size
    # The moved corner and the scaled size: x2' = x1 + r1 w + (1 + r3) w.
    opposite = corner + size * (1 + shares[:, 2:])
    last = np.array(image) - 1
    return np.concatenate([np.clip(corner, 0, last), np.clip(opposite, 0, last)], axis=1).astype(
        np.float32
    )


def flip(boxes: Boxes) -> Boxes:
    """Mirror boxes in 0..1 horizontally; (N, 4)."""
    mirrored = boxes.astype(np.float32)
    # x1' = 1 - x2 and x2' = 1 - x1: the columns change places.
    mirrored[:, ::2] = 1 - boxes[:, 2::-2]
    return mirrored


def draw_holes(
    rng: np.random.Generator, boxes: Boxes, size: int, probability: float
) -> tuple[Crop, ...]:
    """Draw the cut-out: for each box, with some probability, a square around a point inside it.

    Departure: the square follows the box when the view is flipped. The release cuts it out at the
    place where the box was before the flip.

    Args:
        rng: The sample's random generator.
        boxes: (N, 4) in 0..1 of the view.
        size: Width and height of the view, in pixels.
        probability: Probability of a square for each box; 0.5 in the release.

    Returns:
        The squares, of 0.1 to 0.3 of the box's area and clipped to the view, in its pixels.
    """
    holes = []
    for x1, y1, x2, y2 in (boxes * size).tolist():
        if rng.random() >= probability:
            continue
        area = max(0.0, (x2 - x1) * (y2 - y1)) * rng.uniform(*_CUTOUT_AREA)
        # A square of side sqrt(share w h), centred on a point that is uniform in the box.
        half = math.sqrt(area) / 2
        x, y = rng.uniform(x1, x2), rng.uniform(y1, y2)
        left, top = max(0, round(x - half)), max(0, round(y - half))
        right, bottom = max(left, min(size, round(x + half))), max(top, min(size, round(y + half)))
        holes.append(Crop(top, left, bottom - top, right - left))
    return tuple(holes)
