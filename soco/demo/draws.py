"""Random crops."""

import numpy as np


def crop_box(
    rng: np.random.Generator,
    size: tuple[int, int],
    shares: tuple[float, float],
    aspect: float = 1.0,
) -> tuple[slice, slice]:
    """Draws a crop.

    Args:
        rng: The generator to draw from.
        size: Height and width of the image in pixels.
        shares: Smallest and largest share of an image's side that the crop's side takes.
        aspect: Largest factor by which the two sides' shares differ.

    Returns:
        The rows and the columns of the crop.
    """
    share = rng.uniform(*shares)
    stretch = aspect ** rng.uniform(-0.5, 0.5)
    low, high = shares
    sides = [
        max(1, round(side * float(np.clip(share * factor, low, high))))
        for side, factor in zip(size, (stretch, 1 / stretch), strict=True)
    ]
    starts = [
        int(rng.integers(0, whole - side + 1)) for whole, side in zip(size, sides, strict=True)
    ]
    rows, columns = (slice(start, start + side) for start, side in zip(starts, sides, strict=True))
    return rows, columns


def square_box(
    rng: np.random.Generator, size: tuple[int, int], shares: tuple[float, float]
) -> tuple[slice, slice]:
    """Draws a square crop.

    Args:
        rng: The generator to draw from.
        size: Height and width of the image in pixels.
        shares: Smallest and largest share of the image's shorter side that the crop's side takes.

    Returns:
        The rows and the columns of the crop.
    """
    length = max(1, round(min(size) * rng.uniform(*shares)))
    top, left = (int(rng.integers(0, whole - length + 1)) for whole in size)
    return slice(top, top + length), slice(left, left + length)
