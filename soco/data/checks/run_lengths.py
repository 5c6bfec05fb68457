"""COCO's run-length masks, column by column and background first, as numbers or as a string.

pycocotools decodes broken strings without an error, so they are decoded here before it sees them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Box = tuple[float, float, float, float]

_MOST_BITS = 50
"""Bits of one number in the compressed string: enough for any image, and bounded work."""


def run_lengths(mask: Mapping[str, Any], width: int, height: int) -> npt.NDArray[np.int64] | None:
    """The run lengths of a mask; None if it is broken or has another size than the image.

    Args:
        mask: `size` (height, width) and `counts`, a list of numbers or COCO's compressed string.
        width: Width of the image, in pixels.
        height: Height of the image, in pixels.
    """
    size = mask.get("size")
    if size != [height, width] or not {*map(type, size)} <= {int}:
        return None
    counts = mask.get("counts")
    if isinstance(counts, str):
        counts = decode_counts(counts)
    if not isinstance(counts, list) or not all(
        type(count) is int and count >= 0 for count in counts
    ):
        return None
    return np.array(counts, np.int64) if sum(counts) == width * height else None


def decode_counts(text: str) -> list[int] | None:
    """Decode COCO's compressed string; None if it ends within a number or has other characters.

    Each character encodes five bits of a number, lowest first, and a flag that more follow; the
    last bit is the sign. From the fourth number on, the string encodes the difference to the number
    two places before.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > _MOST_BITS:
            return None
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    return counts if shift == 0 else None


def covered(counts: npt.NDArray[np.int64] | Sequence[int]) -> int:
    """The number of pixels in the mask."""
    return int(np.sum(counts[1::2]))


def bounds(counts: npt.NDArray[np.int64], height: int) -> Box:
    """x1, y1, x2, y2 of the smallest box around a mask with at least one pixel."""
    ends = np.cumsum(counts)
    filled = np.flatnonzero(counts[1::2]) * 2 + 1
    first, last = ends[filled - 1], ends[filled] - 1
    within = first // height == last // height
    top = np.where(within, first % height, 0).min()
    bottom = np.where(within, last % height, height - 1).max()
    return float(first[0] // height), float(top), float(last[-1] // height + 1), float(bottom + 1)
