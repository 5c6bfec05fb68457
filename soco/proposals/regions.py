"""Regions: the bounding box, size and histograms of each initial segment, and their neighbours."""

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from soco.numba_cache import Bytes, Doubles, Ints, Labels, compiled
from soco.proposals.texture import texture_patterns

# The release has 25 bins for each of hue, saturation and value, over 0..255. It computes HSV from
# floats in 0..255, so hue and saturation are 0..1 and always fall into their first bin. Only the
# value's histogram is stored; `grouping` adds the intersection of the other two, which is 2.
VALUE_BINS = 25
TEXTURE_BINS = 10
_CHANNELS = 3
BINS = VALUE_BINS + _CHANNELS * TEXTURE_BINS


class Regions(NamedTuple):
    """N regions of an image.

    Attributes:
        bounds: (N, 4) int64; inclusive min x, min y, max x, max y.
        sizes: (N,) int64; pixels.
        histograms: (N, 55) float64; 25 bins of the value (the largest of red, green and blue), then
            10 texture bins for each channel; each of the four histograms sums to 1.
    """

    bounds: Ints
    sizes: Ints
    histograms: Doubles


def describe_segments(rgb: Bytes, labels: Labels, count: int) -> Regions:
    """Measure every segment of a segmentation.

    Args:
        rgb: (H, W, 3) uint8, contiguous.
        labels: (H W,) the segment of each pixel in a row-major scan.
        count: The number of segments.
    """
    value_bins, texture_bins = _bin_of_byte(VALUE_BINS), _bin_of_byte(TEXTURE_BINS)
    return Regions(*_measure(rgb, texture_patterns(rgb), labels, count, value_bins, texture_bins))


@compiled
def neighbours(bounds: Ints) -> Ints:
    """Find the pairs (a, b), a < b, where a corner of b's bounding box is strictly inside a's.

    This is the release's test, unchanged: it compares boxes, not segments, and is not symmetric.

    Args:
        bounds: (N, 4); min x, min y, max x, max y.

    Returns:
        (P, 2), ordered by a, then b.
    """
    # A column each: the inner loop, over all pairs of segments, then reads memory in order.
    min_x, min_y = bounds[:, 0].copy(), bounds[:, 1].copy()
    max_x, max_y = bounds[:, 2].copy(), bounds[:, 3].copy()
    pairs, found = np.empty((64, 2), np.int64), 0
    for a in range(len(bounds)):
        left, top, right, bottom = bounds[a]
        for b in range(a + 1, len(bounds)):
            # No branches on single corners: the CPU could not predict them.
            across = ((left < min_x[b]) & (min_x[b] < right)) | (
                (left < max_x[b]) & (max_x[b] < right)
            )
            down = ((top < min_y[b]) & (min_y[b] < bottom)) | (
                (top < max_y[b]) & (max_y[b] < bottom)
            )
            if across & down:
                if found == len(pairs):
                    pairs = np.concatenate((pairs, np.empty_like(pairs)))
                pairs[found] = a, b
                found += 1
    return pairs[:found]


@functools.cache
def _bin_of_byte(bins: int) -> npt.NDArray[np.int64]:
    """The bin of each of 0..255 in `numpy.histogram(range=(0, 255))`, with its rounding."""
    return np.array([np.histogram([value], bins, (0, 255))[0].argmax() for value in range(256)])


@compiled
def _measure(
    rgb: Bytes, patterns: Bytes, labels: Labels, count: int, value_bins: Ints, texture_bins: Ints
) -> tuple[Ints, Ints, Doubles]:
    height, width, _ = rgb.shape
    bounds, histograms = np.empty((count, 4), np.int64), np.zeros((count, BINS), np.int64)
    # Neutral for the min and max below.
    bounds[:, 0], bounds[:, 1], bounds[:, 2:] = width, height, -1
    for y in range(height):
        for x in range(width):
            label, pixel, pattern = labels[y * width + x], rgb[y, x], patterns[y, x]
            box, histogram = bounds[label], histograms[label]
            box[0], box[2] = min(box[0], x), max(box[2], x)
            box[1], box[3] = min(box[1], y), max(box[3], y)
            # The value of HSV; in the release's floats 0..255 it needs no scaling.
            histogram[value_bins[max(pixel[0], pixel[1], pixel[2])]] += 1
            for channel in range(_CHANNELS):
                histogram[VALUE_BINS + TEXTURE_BINS * channel + texture_bins[pattern[channel]]] += 1
    # Each pixel is in one bin of the value, so these bins sum up to the segment's size. Counts are
    # integers up to here, so that no order of sums affects the result.
    sizes = histograms[:, :VALUE_BINS].sum(axis=1)
    return bounds, sizes, histograms / sizes.reshape(-1, 1)
