"""Crop and resize in one pass: antialiased bilinear, as in PIL and torchvision.

Pixels agree with PIL's to one grey level. The crop may end inside a pixel, as crops of a JPEG
decoded at reduced size do. Speed: `benchmarks/views.py`.
"""

import math

import cv2
import numpy as np
import numpy.typing as npt

from soco.numba_cache import Bytes, compiled

# Weights are integers of this many bits: a weighted sum of bytes fits into 32 bits, and its result
# is the same on every machine.
_BITS = 15

# Left, top, right, bottom in pixels, not rounded.
Part = tuple[float, float, float, float]


def resize(image: Bytes, part: Part, size: int, flipped: bool) -> Bytes:
    """Resize a part of an image to a square; pixels outside the part have no influence.

    The vertical pass comes first; the horizontal pass works on the transposed result, so that both
    inner loops run along memory.

    Args:
        image: (H, W, 3) uint8.
        part: The part of the image; its edges may be inside pixels.
        size: S, the side of the square in pixels.
        flipped: Whether to mirror the result horizontally.

    Returns:
        (3, S, S) uint8.
    """
    left, top, right, bottom = part
    first, last = math.floor(left), math.ceil(right)
    # A view, (H, 3 W): each row is bytes side by side, whose channels need no loop of their own.
    columns = np.ascontiguousarray(image).reshape(len(image), -1)[:, 3 * first : 3 * last]
    down = _resize_rows(columns, *_weights(top, bottom, size)).reshape(size, last - first, 3)
    starts, weights = _weights(left - first, right - first, size)
    if flipped:
        # Mirrored at no cost, by computing the outputs in reverse.
        starts, weights = starts[::-1], weights[::-1]
    # (columns, S, 3) after the transpose; then (S, 3 S), which is transposed back.
    across = _resize_rows(cv2.transpose(down).reshape(last - first, -1), starts, weights)
    planes = np.empty((3, size, size), np.uint8)
    cv2.split(cv2.transpose(across.reshape(size, size, 3)), list(planes))
    return planes


def _weights(
    low: float, high: float, size: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """For each output between two edges: its first input, and the weights from there on.

    The filter is a triangle around the output's centre. It reaches as far as the scale when it
    shrinks (antialiasing) and one input pixel when it enlarges (bilinear).

    Args:
        low: Where the part begins, in input pixels.
        high: Where it ends.
        size: Number of outputs.

    Returns:
        (size,) indices and (size, taps) weights, whose rows sum to 2 ** _BITS up to rounding.
    """
    scale = (high - low) / size
    reach = max(scale, 1.0)
    centres = low + (np.arange(size) + 0.5) * scale
    # PIL's rounding of the first input. Inputs outside the part have no weight, as if the image
    # ended there.
    starts = np.maximum((centres - reach + 0.5).astype(np.int64), math.floor(low))
    places = starts[:, None] + np.arange(math.ceil(2 * reach) + 1)
    weights = np.maximum(0.0, 1 - np.abs(places + 0.5 - centres[:, None]) / reach) * (
        places < math.ceil(high)
    )
    # The triangle is cut off at the part's edges; the rest must sum to 1 again.
    weights *= (1 << _BITS) / weights.sum(axis=1, keepdims=True)
    return starts, np.rint(weights).astype(np.int32)


def _resize_rows(
    rows: Bytes, starts: npt.NDArray[np.int64], weights: npt.NDArray[np.int32]
) -> Bytes:
    resized = np.empty((len(starts), rows.shape[1]), np.uint8)
    _sum_rows(rows, starts, weights, resized)
    return resized


# Compiled: NumPy would need an array (outputs, taps, columns) for this sum, or a call for each tap.
@compiled("void(u1[:, :], i8[:], i4[:, :], u1[:, ::1])")
def _sum_rows(
    rows: Bytes, starts: npt.NDArray[np.int64], weights: npt.NDArray[np.int32], resized: Bytes
) -> None:
    columns = rows.shape[1]
    sums = np.empty(columns, np.int32)
    for output in range(len(starts)):
        # A half, so that the shift below rounds to the nearest.
        sums[:] = 1 << (_BITS - 1)
        for step in range(weights.shape[1]):
            weight = weights[output, step]
            # A weight of 0 may belong to a row below the image, which must not be read.
            if weight:
                row = rows[starts[output] + step]
                for column in range(columns):
                    sums[column] += weight * np.int32(row[column])
        for column in range(columns):
            # Rounded weights may sum to slightly more than 1.
            resized[output, column] = min(sums[column] >> _BITS, 255)
