"""First segments.

Felzenszwalb and Huttenlocher's graph segmentation (IJCV 2004), equal to scikit-image's.
"""

import numpy as np

from soco.proposals.blur import blur
from soco.proposals.compiled import Bytes, Labels, Real, Whole, compiled
from soco.proposals.edges import cost_between, ends, make_edges, order_ties, sort_edges


def segment(rgb: Bytes, scale: float, sigma: float, min_size: int) -> tuple[Labels, int]:
    """Segment an image.

    Args:
        rgb: (H, W, 3) uint8.
        scale: Larger means larger segments.
        sigma: Blur before segmentation, in pixels.
        min_size: Smallest segment, in pixels.

    Returns:
        (H W,) int32, the segment of each pixel in a row-major scan, numbered by first appearance;
        and their number.
    """
    blurred = blur(rgb, sigma)
    edges, colours, width = sort_edges(make_edges(blurred)), blurred.ravel(), rgb.shape[1]
    order_ties(edges, colours, width)
    # Scikit-image divides the scale by 255, since its colours are 0..1 and the paper's 0..255.
    return join_pixels(edges, colours, width, float(scale) / 255.0, min_size)


@compiled
def join_pixels(
    edges: Whole, colours: Real, width: int, scale: float, min_size: int
) -> tuple[Labels, int]:
    """Join segments along sorted edges where the cost is below what both hold inside, then join the
    small ones.

    Args:
        edges: (E,) int64, sorted; overwritten.
        colours: (3 H W,) float64, the blurred image.
        width: Of the image, in pixels.
        scale: Of the paper's threshold k / |C|.
        min_size: Smallest segment, in pixels.

    Returns:
        The labels and their number, as `segment` does.
    """
    pixels = len(colours) // 3
    # A pixel's parent within its segment, or, for the segment's root, its size below zero.
    parent = np.full(pixels, -1, np.int32)
    # Largest cost within a segment plus scale / size, in single precision as scikit-image has it.
    threshold = np.full(pixels, np.float32(scale))
    left = 0
    for edge in edges:
        p, q = ends(edge, width)
        a, b = _root(parent, p), _root(parent, q)
        if a == b:
            continue
        cost = cost_between(colours, p, q)
        if cost < min(threshold[a], threshold[b]):
            a = _join(parent, a, b)
            threshold[a] = np.float32(cost + scale / -parent[a])
        else:
            edges[left] = edge
            left += 1
    for edge in edges[:left]:
        p, q = ends(edge, width)
        a, b = _root(parent, p), _root(parent, q)
        if a != b and (-parent[a] < min_size or -parent[b] < min_size):
            _join(parent, a, b)
    return _number(parent)


@compiled
def _root(parent: Labels, pixel: int) -> int:
    while parent[pixel] >= 0:
        above = parent[pixel]
        if parent[above] >= 0:
            parent[pixel] = parent[above]
        pixel = above
    return pixel


@compiled
def _join(parent: Labels, a: int, b: int) -> int:
    """Make the earlier root the root of both, so that a segment's root is its first pixel."""
    if a > b:
        a, b = b, a
    parent[a] += parent[b]
    parent[b] = a
    return a


@compiled
def _number(parent: Labels) -> tuple[Labels, int]:
    labels, count = np.empty_like(parent), 0
    for pixel in range(len(parent)):
        if parent[pixel] < 0:
            labels[pixel] = count
            count += 1
        else:
            labels[pixel] = labels[parent[pixel]]
    return labels, count
