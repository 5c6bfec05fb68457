"""Regions: the bounding box, size and histograms of each first segment, and which of them are neighbours."""

import dataclasses
import functools

import numpy as np
import numpy.typing as npt
from skimage.feature import local_binary_pattern

COLOUR_BINS = 25
TEXTURE_BINS = 10
_COLOUR_CHANNELS = 3
_TEXTURE_CHANNELS = 3


@dataclasses.dataclass(frozen=True)
class Regions:
    """N regions of a picture.

    Attributes:
        bounds: (N, 4) int64; inclusive min x, min y, max x, max y.
        sizes: (N,) int64; pixels.
        histograms: (105, N) float64; 75 colour bins, then 30 texture bins, each channel's sum 1. Bins come first
            so that sums over them add in the authors' order.
    """

    bounds: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    histograms: npt.NDArray[np.float64]


def describe_segments(rgb: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer]) -> Regions:
    """Measure every segment of a segmentation, in order of first appearance in a row-major scan.

    Args:
        rgb: (H, W, 3) uint8.
        labels: (H, W) integers, any numbering.
    """
    flat, count = _number_by_appearance(labels)
    sizes = np.bincount(flat, minlength=count)
    bins = [*_colour_bins(rgb), *_texture_bins(rgb)]
    widths = [COLOUR_BINS] * _COLOUR_CHANNELS + [TEXTURE_BINS] * _TEXTURE_CHANNELS
    histograms = [
        np.bincount(flat * width + channel.ravel(), minlength=count * width).reshape(count, width).T / sizes
        for channel, width in zip(bins, widths, strict=True)
    ]
    return Regions(_bounds(flat, labels.shape, count), sizes, np.concatenate(histograms))


def neighbours(bounds: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Find the pairs (a, b), a before b, in which a corner of b's bounding box lies strictly inside a's.

    The authors' test, kept as it is: boxes rather than segments, and not symmetric.

    Args:
        bounds: (N, 4); min x, min y, max x, max y.

    Returns:
        (P, 2) in order of a, then b.
    """
    min_x, min_y, max_x, max_y = bounds.T

    def inside(values: npt.NDArray[np.int64], low: npt.NDArray[np.int64], high: npt.NDArray[np.int64]) -> npt.NDArray:
        return (low[:, None] < values[None]) & (values[None] < high[:, None])

    across = inside(min_x, min_x, max_x) | inside(max_x, min_x, max_x)
    down = inside(min_y, min_y, max_y) | inside(max_y, min_y, max_y)
    return np.argwhere(np.triu(across & down, k=1))


def _number_by_appearance(labels: npt.NDArray[np.integer]) -> tuple[npt.NDArray[np.int64], int]:
    _, first, inverse = np.unique(labels.ravel(), return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse], len(first)


def _bounds(flat: npt.NDArray[np.int64], shape: tuple[int, ...], count: int) -> npt.NDArray[np.int64]:
    rows, columns = np.divmod(np.arange(flat.size), shape[1])
    bounds = np.empty((count, 4), np.int64)
    bounds[:, :2] = max(shape)
    bounds[:, 2:] = -1
    np.minimum.at(bounds[:, 0], flat, columns)
    np.minimum.at(bounds[:, 1], flat, rows)
    np.maximum.at(bounds[:, 2], flat, columns)
    np.maximum.at(bounds[:, 3], flat, rows)
    return bounds


@functools.cache
def _bin_of_byte(bins: int) -> npt.NDArray[np.int64]:
    """The bin that `numpy.histogram(range=(0, 255))` gives each of 0..255, as it rounds."""
    return np.array([np.histogram([value], bins, (0, 255))[0].argmax() for value in range(256)])


def _colour_bins(rgb: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.int64]]:
    # The authors convert floats of 0..255 to HSV: H and S stay in 0..1 and fall into the first bin of 0..255,
    # and V is the largest of the three channels, in 0..255.
    first = np.zeros(rgb.shape[:2], np.int64)
    return [first, first, _bin_of_byte(COLOUR_BINS)[rgb.max(axis=2)]]


def _texture_bins(rgb: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.int64]]:
    patterns = [local_binary_pattern(np.ascontiguousarray(rgb[..., channel]), 8, 1.0) for channel in range(3)]
    return [_bin_of_byte(TEXTURE_BINS)[pattern.astype(np.int64)] for pattern in patterns]
