"""Crops: the part of an image that a view shows."""

import dataclasses
import math

import numpy as np

# Both are torchvision's.
_RATIOS = (3 / 4, 4 / 3)
_TRIES = 10


@dataclasses.dataclass(frozen=True)
class Crop:
    """A rectangle of an image, in its pixels."""

    top: int
    left: int
    height: int
    width: int


def whole(width: int, height: int) -> Crop:
    """Return the crop that shows the whole image."""
    return Crop(0, 0, height, width)


def random_crop(rng: np.random.Generator, width: int, height: int, smallest: float) -> Crop:
    """Draw a crop as torchvision's RandomResizedCrop does, but from our own generator.

    The area is uniform between `smallest` and all of the image's, the aspect ratio log-uniform
    between 3:4 and 4:3. After ten failed tries: the largest centred crop with an allowed ratio.

    Args:
        rng: The sample's random generator.
        width: Width of the image, in pixels.
        height: Height of the image, in pixels.
        smallest: Smallest share of the image's area; in SoCo 0.5 for FPN and 0.6 for C4.
    """
    for _ in range(_TRIES):
        area = width * height * rng.uniform(smallest, 1.0)
        # Log-uniform: a crop is as often 4:3 as 3:4.
        ratio = math.exp(rng.uniform(math.log(_RATIOS[0]), math.log(_RATIOS[1])))
        # w h = area and w / h = ratio.
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            return Crop(int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1)), h, w)
    return _centred(width, height)


def _centred(width: int, height: int) -> Crop:
    ratio = min(max(width / height, _RATIOS[0]), _RATIOS[1])
    w, h = min(width, round(height * ratio)), min(height, round(width / ratio))
    return Crop((height - h) // 2, (width - w) // 2, h, w)
