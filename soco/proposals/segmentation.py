"""Initial segments: Felzenszwalb and Huttenlocher's graph segmentation (IJCV 2004).

Equal to `skimage.segmentation.felzenszwalb`, which the release calls, at a fraction of its time.
"""

import numpy as np

from soco.numba_cache import Bytes, Doubles, Ints, Labels, compiled
from soco.proposals.blur import blur
from soco.proposals.edges import edge_cost, make_edges, pixels_of_edge, sort_edges, sort_ties


def segment(rgb: Bytes, scale: float, sigma: float, min_size: int) -> tuple[Labels, int]:
    """Segment an image.

    Args:
        rgb: (H, W, 3) uint8.
        scale: Larger values give larger segments.
        sigma: Standard deviation of the blur before segmentation, in pixels.
        min_size: Smallest segment, in pixels.

    Returns:
        The segment of each pixel in a row-major scan, (H W,) int32, numbered by first appearance;
        and the number of segments.
    """
    blurred = blur(rgb, sigma)
    edges, colours, width = sort_edges(make_edges(blurred)), blurred.ravel(), rgb.shape[1]
    sort_ties(edges, colours, width)
    # scikit-image divides the scale by 255: its colours are 0..1, those of the IJCV paper 0..255.
    return join_pixels(edges, colours, width, float(scale) / 255.0, min_size)


@compiled
def join_pixels(
    edges: Ints, colours: Doubles, width: int, scale: float, min_size: int
) -> tuple[Labels, int]:
    """Join segments along sorted edges, then join the small ones to a neighbour.

    Two segments are joined if the edge's cost is below Int(C) + scale / |C| of both, where Int(C)
    is the largest cost that joined segment C (the IJCV paper's equation 4).

    Args:
        edges: (E,) int64, sorted; overwritten.
        colours: (3 H W,) float64, the blurred image.
        width: Of the image, in pixels.
        scale: k of the paper's threshold k / |C|.
        min_size: Smallest segment, in pixels.

    Returns:
        The labels and their number, as `segment` does.
    """
    pixels = len(colours) // 3
    # Union-find: a pixel's parent; for the root of a segment, minus the segment's size.
    parent = np.full(pixels, -1, np.int32)
    # Int(C) + scale / |C| of each root, in single precision as in scikit-image.
    threshold = np.full(pixels, np.float32(scale))
    unjoined = 0  # edges that join nothing move to the front, for the second pass
    for edge in edges:
        p, q = pixels_of_edge(edge, width)
        a, b = _root(parent, p), _root(parent, q)
        if a == b:
            continue
        cost = edge_cost(colours, p, q)
        # Equation 4 of the IJCV paper: join if cost < min(Int(A) + k / |A|, Int(B) + k / |B|).
        if cost < min(threshold[a], threshold[b]):
            a = _join(parent, a, b)
            # The edges rise in cost, so this one is the largest in the joined segment: its Int(C).
            threshold[a] = np.float32(cost + scale / -parent[a])
        else:
            edges[unjoined] = edge
            unjoined += 1
    # Still in the order of cost: a small segment joins across its cheapest edge.
    for edge in edges[:unjoined]:
        p, q = pixels_of_edge(edge, width)
        a, b = _root(parent, p), _root(parent, q)
        if a != b and (-parent[a] < min_size or -parent[b] < min_size):
            _join(parent, a, b)
    return _number(parent)


@compiled
def _root(parent: Labels, pixel: int) -> int:
    while parent[pixel] >= 0:
        above = parent[pixel]
        # Path halving: a pixel skips its parent, so that later walks are short.
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
            # `_join` makes a parent an earlier pixel, so it has its label already.
            labels[pixel] = labels[parent[pixel]]
    return labels, count
