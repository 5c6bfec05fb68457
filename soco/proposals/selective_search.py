"""Selective search as SoCo's authors run it: one strategy, the whole tree of regions."""

import numpy as np
import numpy.typing as npt

from soco.proposals.edges import MAX_PIXELS
from soco.proposals.grouping import group
from soco.proposals.regions import describe_segments
from soco.proposals.segmentation import segment


def selective_search(
    rgb: npt.NDArray[np.uint8], scale: float = 300.0, sigma: float = 0.9, min_size: int = 100
) -> npt.NDArray[np.int32]:
    """Find regions that may contain an object, at all scales (SoCo, section 3.1).

    The method is Uijlings et al., IJCV 2013. The search releases the GIL, so threads can search
    several images at once. It needs 90 bytes of memory per pixel.

    Args:
        rgb: (H, W, 3) uint8.
        scale: Felzenszwalb's scale; larger values give larger initial segments.
        sigma: Standard deviation of the blur before segmentation, in pixels.
        min_size: Smallest initial segment, in pixels.

    Returns:
        (R, 5) int32: left, top, width, height, size, in pixels: the initial segments, then the
        merged regions in order. As in the release, width and height are max - min of inclusive
        coordinates, size counts pixels, and duplicates are kept.

    Raises:
        ValueError: `rgb` is not a (H, W, 3) uint8 array, is empty, or has over 2**30 pixels.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or not rgb.size:
        raise ValueError(f"expected an (H, W, 3) uint8 image, got {rgb.shape} {rgb.dtype}")
    if rgb.shape[0] * rgb.shape[1] > MAX_PIXELS:
        raise ValueError(f"expected at most {MAX_PIXELS} pixels, got {rgb.shape[:2]}")
    # For a cropped or flipped view: the compiled loops need contiguous pixels.
    rgb = np.ascontiguousarray(rgb)
    labels, count = segment(rgb, scale, sigma, min_size)
    regions = group(describe_segments(rgb, labels, count), pixels=labels.size)
    corner, opposite = regions.bounds[:, :2], regions.bounds[:, 2:]
    return np.column_stack([corner, opposite - corner, regions.sizes]).astype(np.int32)
