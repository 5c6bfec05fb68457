"""Gaussian blur before segmentation, bit for bit equal to SciPy's `gaussian_filter`."""

import numpy as np

from soco.numba_cache import Bytes, Doubles, compiled

_CHANNELS = 3
# `img_as_float` multiplies by this; a division by 255 would round differently.
_BYTE = 1.0 / 255.0
_TRUNCATE = 4.0  # standard deviations at which the kernel ends, as in SciPy


def blur(rgb: Bytes, sigma: float) -> Doubles:
    """Blur an image along its columns, then along its rows; borders are reflected.

    Args:
        rgb: (H, W, 3) uint8.
        sigma: Standard deviation in pixels; 0 leaves the image as it is.

    Returns:
        (H, 3 W) float64 in 0..1, channels side by side.
    """
    # (H, 3 W): a step of 3 is the next pixel of the same channel.
    rows = np.ascontiguousarray(rgb).reshape(len(rgb), -1)
    blurred = np.empty(rows.shape)
    _blur(rows, _half_kernel(sigma), blurred)
    return blurred


def _half_kernel(sigma: float) -> Doubles:
    """Weights of the symmetric kernel from its centre outwards."""
    if sigma == 0:
        return np.ones(1)
    radius = int(_TRUNCATE * sigma + 0.5)  # 4 pixels for the release's sigma 0.9
    # exp(-x^2 / (2 sigma^2)), in SciPy's order of operations, which decides the last bit.
    weights = np.exp(-0.5 / (sigma * sigma) * np.arange(-radius, radius + 1) ** 2)
    return (weights / weights.sum())[radius:].copy()


@compiled
def _blur(rows: Bytes, weights: Doubles, blurred: Doubles) -> None:
    """Blur in one pass over memory: a ring buffer keeps the rows that an output row needs."""
    height, across = rows.shape
    radius = len(weights) - 1
    ring = np.empty((2 * radius + 1, across))
    padded = np.empty(across + 2 * _CHANNELS * radius)
    # The rows that the first output row needs, except its lowest.
    for y in range(-radius, radius):
        _to_unit(rows[_reflected(y, height)], ring[y % len(ring)])
    for y in range(height):
        _to_unit(rows[_reflected(y + radius, height)], ring[(y + radius) % len(ring)])
        # Straight into the middle of the padded row, so that padding it needs no copy.
        _down(ring, y, weights, padded[_CHANNELS * radius : _CHANNELS * radius + across])
        _along(padded, weights, blurred[y])


@compiled
def _to_unit(row: Bytes, into: Doubles) -> None:
    for x in range(len(row)):
        into[x] = row[x] * _BYTE


@compiled
def _down(ring: Doubles, y: int, weights: Doubles, into: Doubles) -> None:
    middle = ring[y % len(ring)]
    for x in range(len(into)):
        into[x] = middle[x] * weights[0]
    for k in range(len(weights) - 1, 0, -1):  # outermost weights first: SciPy's order of sums
        above, below, weight = ring[(y - k) % len(ring)], ring[(y + k) % len(ring)], weights[k]
        for x in range(len(into)):
            # The kernel is symmetric: add first, then one multiplication, as SciPy does.
            into[x] += (above[x] + below[x]) * weight


@compiled
def _along(padded: Doubles, weights: Doubles, into: Doubles) -> None:
    across, pad = len(into), _CHANNELS * (len(weights) - 1)
    width = across // _CHANNELS
    for k in range(1, len(weights)):
        left = _CHANNELS * _reflected(-k, width)
        right = _CHANNELS * _reflected(width - 1 + k, width)
        for channel in range(_CHANNELS):
            padded[pad - _CHANNELS * k + channel] = padded[pad + left + channel]
            padded[pad + _CHANNELS * (width - 1 + k) + channel] = padded[pad + right + channel]
    for x in range(across):
        into[x] = padded[pad + x] * weights[0]
    for k in range(len(weights) - 1, 0, -1):
        before, after = padded[pad - _CHANNELS * k :], padded[pad + _CHANNELS * k :]
        weight = weights[k]
        for x in range(across):
            into[x] += (before[x] + after[x]) * weight


@compiled
def _reflected(place: int, count: int) -> int:
    """Reflect a place into 0..count-1; the border's own element is repeated."""
    # d c b a | a b c d | d c b a: SciPy's mode `reflect`, its default.
    place %= 2 * count
    return place if place < count else 2 * count - 1 - place
