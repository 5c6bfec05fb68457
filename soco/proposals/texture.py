"""Texture: local binary patterns, equal to `skimage.feature.local_binary_pattern(c, 8, 1.0)`.

Bit k of a pixel's pattern is set if the sample at angle k x 45 degrees, one pixel away, is at least
the pixel itself. The four diagonal samples are between pixels and are interpolated in double
precision; pixels outside the image are 0. In flat areas rounding decides the bit, so the weights
are computed from the coordinates exactly as scikit-image does.
"""

import math

import numpy as np

from soco.numba_cache import Bytes, Doubles, compiled

_DIAGONAL = 0.70711  # scikit-image rounds cos 45 degrees to five decimals
_CHANNELS = 3


@compiled
def texture_patterns(rgb: Bytes) -> Bytes:
    """Compute the pattern of every pixel and channel.

    Args:
        rgb: (H, W, 3) uint8, contiguous.

    Returns:
        (H, W, 3) uint8.
    """
    height, width, _ = rgb.shape
    across = _CHANNELS * width
    rows, patterns = rgb.reshape(height, across), np.empty((height, across), np.uint8)
    # Ring buffers of three rows, indexed by y modulo 3: the row's pixels padded with zeros, and its
    # samples a diagonal step to the left and to the right.
    pixels = np.zeros((3, across + 2 * _CHANNELS))
    left, right = np.zeros((3, across)), np.zeros((3, across))
    # One weight per column and row: place + 0.70711 rounds differently at each place.
    to_left, to_right = _shares(width, -_DIAGONAL), _shares(width, _DIAGONAL)
    to_above, to_below = _shares(height, -_DIAGONAL), _shares(height, _DIAGONAL)
    # A row needs the one below, so the first turn only fills the ring.
    for y in range(-1, height):
        below = (y + 1) % 3
        if y + 1 < height:
            pixels[below, _CHANNELS:-_CHANNELS] = rows[y + 1]
        else:
            pixels[below] = 0.0
        _sample_row(pixels[below], to_left, to_right, left[below], right[below])
        if y >= 0:
            order = ((y + 2) % 3, y % 3, below)
            _compare(pixels, left, right, order, (to_above[y], to_below[y]), patterns[y])
    return patterns.reshape(height, width, _CHANNELS)


@compiled
def _shares(count: int, step: float) -> Doubles:
    """Interpolation weight of the later of the two pixels around place + step, at each place."""
    shares = np.empty(count)
    for place in range(count):
        moved = place + step
        shares[place] = moved - math.floor(moved)
    return shares


@compiled
def _sample_row(
    row: Doubles, to_left: Doubles, to_right: Doubles, left: Doubles, right: Doubles
) -> None:
    for x in range(len(to_left)):
        share_left, share_right = to_left[x], to_right[x]
        for place in range(_CHANNELS * x, _CHANNELS * x + _CHANNELS):
            before, here, after = row[place], row[place + _CHANNELS], row[place + 2 * _CHANNELS]
            left[place] = (1 - share_left) * before + share_left * here
            right[place] = (1 - share_right) * here + share_right * after


@compiled
def _compare(
    pixels: Doubles,
    left: Doubles,
    right: Doubles,
    order: tuple[int, int, int],
    shares: tuple[float, float],
    patterns: Bytes,
) -> None:
    # Bilinear samples: `left` and `right` are interpolated along x, here along y.
    (above, middle, below), (up, down) = order, shares
    for x in range(len(patterns)):
        centre = pixels[middle, x + _CHANNELS]
        pattern = np.uint8(pixels[middle, x + 2 * _CHANNELS] >= centre)
        pattern |= np.uint8((1 - up) * right[above, x] + up * right[middle, x] >= centre) << 1
        pattern |= np.uint8(pixels[above, x + _CHANNELS] >= centre) << 2
        pattern |= np.uint8((1 - up) * left[above, x] + up * left[middle, x] >= centre) << 3
        pattern |= np.uint8(pixels[middle, x] >= centre) << 4
        pattern |= np.uint8((1 - down) * left[middle, x] + down * left[below, x] >= centre) << 5
        pattern |= np.uint8(pixels[below, x + _CHANNELS] >= centre) << 6
        pattern |= np.uint8((1 - down) * right[middle, x] + down * right[below, x] >= centre) << 7
        patterns[x] = pattern
