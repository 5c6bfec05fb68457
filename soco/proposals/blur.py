"""Gaussian blur before segmentation, bit for bit as SciPy's `gaussian_filter` gives it."""

import numpy as np

from soco.proposals.compiled import Bytes, Real, compiled

_CHANNELS = 3
_BYTE = 1.0 / 255.0
_TRUNCATE = 4.0  # deviations at which the kernel ends


def blur(rgb: Bytes, sigma: float) -> Real:
    """Blur an image down its columns, then along its rows, reflected at its borders.

    Args:
        rgb: (H, W, 3) uint8.
        sigma: Standard deviation in pixels; 0 leaves the image as it is.

    Returns:
        (H, 3 W) float64 in 0..1, channels side by side.
    """
    rows = np.ascontiguousarray(rgb).reshape(len(rgb), -1)
    blurred = np.empty(rows.shape)
    _blur(rows, _half_kernel(sigma), blurred)
    return blurred


def _half_kernel(sigma: float) -> Real:
    """The kernel's weights from its centre outwards."""
    if sigma == 0:
        return np.ones(1)
    radius = int(_TRUNCATE * sigma + 0.5)
    weights = np.exp(-0.5 / (sigma * sigma) * np.arange(-radius, radius + 1) ** 2)
    return (weights / weights.sum())[radius:].copy()


@compiled
def _blur(rows: Bytes, weights: Real, blurred: Real) -> None:
    """Keep a ring of the rows that one output row needs, so that memory traffic is one pass."""
    height, across = rows.shape
    radius = len(weights) - 1
    ring = np.empty((2 * radius + 1, across))
    padded = np.empty(across + 2 * _CHANNELS * radius)
    for y in range(-radius, radius):
        _to_unit(rows[_reflected(y, height)], ring[y % len(ring)])
    for y in range(height):
        _to_unit(rows[_reflected(y + radius, height)], ring[(y + radius) % len(ring)])
        _down(ring, y, weights, padded[_CHANNELS * radius : _CHANNELS * radius + across])
        _along(padded, weights, blurred[y])


@compiled
def _to_unit(row: Bytes, into: Real) -> None:
    for x in range(len(row)):
        into[x] = row[x] * _BYTE


@compiled
def _down(ring: Real, y: int, weights: Real, into: Real) -> None:
    middle = ring[y % len(ring)]
    for x in range(len(into)):
        into[x] = middle[x] * weights[0]
    for k in range(len(weights) - 1, 0, -1):  # from the outside in, as SciPy adds
        above, below, weight = ring[(y - k) % len(ring)], ring[(y + k) % len(ring)], weights[k]
        for x in range(len(into)):
            into[x] += (above[x] + below[x]) * weight


@compiled
def _along(padded: Real, weights: Real, into: Real) -> None:
    across, pad = len(into), _CHANNELS * (len(weights) - 1)
    width = across // _CHANNELS
    for k in range(1, len(weights)):
        left, right = (
            _CHANNELS * _reflected(-k, width),
            _CHANNELS * _reflected(width - 1 + k, width),
        )
        for channel in range(_CHANNELS):
            padded[pad - _CHANNELS * k + channel] = padded[pad + left + channel]
            padded[pad + _CHANNELS * (width - 1 + k) + channel] = padded[pad + right + channel]
    for x in range(across):
        into[x] = padded[pad + x] * weights[0]
    for k in range(len(weights) - 1, 0, -1):
        before, after, weight = (
            padded[pad - _CHANNELS * k :],
            padded[pad + _CHANNELS * k :],
            weights[k],
        )
        for x in range(across):
            into[x] += (before[x] + after[x]) * weight


@compiled
def _reflected(place: int, count: int) -> int:
    """The place inside 0..count-1 that `place` mirrors, the border's own element repeated."""
    place %= 2 * count
    return place if place < count else 2 * count - 1 - place
