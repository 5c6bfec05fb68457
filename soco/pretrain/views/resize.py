"""Resizing a part of an image, smoothed where it shrinks, as PIL's and torchvision's antialiased bilinear do."""

import math

import cv2
import numpy as np
import numpy.typing as npt

from soco.numba_cache import Bytes, compiled

# Weights are whole numbers of this many bits, so that a sum of bytes fits 32 bits on every machine
# alike.
_BITS = 15

# Left, top, right, bottom in pixels, not rounded.
Part = tuple[float, float, float, float]


def resize(image: Bytes, part: Part, size: int, flipped: bool) -> Bytes:
    """Resize a part of an image to a square; what lies outside of the part's pixels has no share in
    it.

    Rows are resized first, then, transposed, columns: so both run along memory.

    Args:
        image: (H, W, 3).
        part: Where it lies in the image; its edges may lie within pixels.
        size: S, the square's side in pixels.
        flipped: Whether it is mirrored left to right.

    Returns:
        (3, S, S), a plane for each colour.
    """
    left, top, right, bottom = part
    first, last = math.floor(left), math.ceil(right)
    columns = np.ascontiguousarray(image).reshape(len(image), -1)[:, 3 * first : 3 * last]
    down = _resize_rows(columns, *_weights(top, bottom, size)).reshape(size, last - first, 3)
    starts, weights = _weights(left - first, right - first, size)
    if flipped:
        starts, weights = starts[::-1], weights[::-1]
    across = _resize_rows(cv2.transpose(down).reshape(last - first, -1), starts, weights)
    planes = np.empty((3, size, size), np.uint8)
    cv2.split(cv2.transpose(across.reshape(size, size, 3)), list(planes))
    return planes


def _weights(
    low: float, high: float, size: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """For each of `size` outputs between two edges, the first input it sees and the weights of that
    and the next.

    A triangle around the output's centre, as wide as two outputs and no narrower than two inputs.
    """
    scale = (high - low) / size
    reach = max(scale, 1.0)
    centres = low + (np.arange(size) + 0.5) * scale
    starts = np.maximum((centres - reach + 0.5).astype(np.int64), math.floor(low))
    places = starts[:, None] + np.arange(math.ceil(2 * reach) + 1)
    weights = np.maximum(0.0, 1 - np.abs(places + 0.5 - centres[:, None]) / reach) * (
        places < math.ceil(high)
    )
    weights *= (1 << _BITS) / weights.sum(axis=1, keepdims=True)
    return starts, np.rint(weights).astype(np.int32)


def _resize_rows(
    rows: Bytes, starts: npt.NDArray[np.int64], weights: npt.NDArray[np.int32]
) -> Bytes:
    resized = np.empty((len(starts), rows.shape[1]), np.uint8)
    _sum_rows(rows, starts, weights, resized)
    return resized


@compiled("void(u1[:, :], i8[:], i4[:, :], u1[:, ::1])")
def _sum_rows(
    rows: Bytes, starts: npt.NDArray[np.int64], weights: npt.NDArray[np.int32], resized: Bytes
) -> None:
    columns = rows.shape[1]
    sums = np.empty(columns, np.int32)
    for output in range(len(starts)):
        sums[:] = 1 << (_BITS - 1)
        for step in range(weights.shape[1]):
            weight = weights[output, step]
            if weight:
                row = rows[starts[output] + step]
                for column in range(columns):
                    sums[column] += weight * np.int32(row[column])
        for column in range(columns):
            resized[output, column] = min(sums[column] >> _BITS, 255)
