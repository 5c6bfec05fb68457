"""Edges between neighbouring pixels, sorted by colour distance: the input of segmentation.

An edge is one int64: the leading bits of its cost in the upper half, its pixel and the direction of
the neighbour in the lower. Sorting then moves eight bytes per edge; the exact cost is recomputed
from the blurred image where it is needed. Large arrays are allocated by NumPy, which asks for huge
pages: with numba's allocator, page faults took a fifth of the search's time.
"""

import math

import numpy as np

from soco.numba_cache import Doubles, Ints, compiled

# A cost is a distance of colours in 0..1, so it is below 2. Its key has 6 bits of exponent and 25
# of mantissa; the sign bit of an edge stays 0.
_MANTISSA_BITS = 25
_DROPPED_BITS = 52 - _MANTISSA_BITS
_LEAST_EXPONENT = (1023 - 62) << _MANTISSA_BITS  # costs below 2**-62 share one key
# Three digits of 11 bits cover the 31 of a key; 2,048 counters stay in the innermost cache.
_DIGIT_BITS = 11
_DIGITS = 1 << _DIGIT_BITS
_PASSES = 3
_PLACE = 0xFFFFFFFF
MAX_PIXELS = 1 << 30  # a pixel and a direction share 32 bits

RIGHT, DOWN, DOWN_RIGHT, DOWN_LEFT = range(4)


def make_edges(blurred: Doubles) -> Ints:
    """List the edges of the 8-connected grid in scikit-image's order: by direction, then by row.

    Args:
        blurred: (H, 3 W) float64 in 0..1; at most `MAX_PIXELS` pixels.

    Returns:
        (E,) int64.
    """
    height, width = blurred.shape[0], blurred.shape[1] // 3
    # In the order of the sum: right, down, and the two diagonals.
    edges = np.empty(
        height * (width - 1) + (height - 1) * width + 2 * (height - 1) * (width - 1), np.int64
    )
    _make_edges(blurred, edges)
    return edges


def sort_edges(edges: Ints) -> Ints:
    """Sort edges by key; the array passed in is overwritten."""
    return _radix_sort(edges, np.empty_like(edges))


@compiled
def _make_edges(blurred: Doubles, edges: Ints) -> None:
    height, width = blurred.shape[0], blurred.shape[1] // 3
    costs = np.empty(width)
    made = 0
    for y in range(height):
        made += _make_row(
            blurred[y, 3:], blurred[y], costs[: width - 1], y * width, RIGHT, edges[made:]
        )
    for y in range(height - 1):
        made += _make_row(blurred[y + 1], blurred[y], costs, y * width, DOWN, edges[made:])
    for y in range(height - 1):
        made += _make_row(
            blurred[y + 1, 3:], blurred[y], costs[: width - 1], y * width, DOWN_RIGHT, edges[made:]
        )
    for y in range(height - 1):
        # From the second pixel of the row: the first has no neighbour below on the left.
        first = y * width + 1
        made += _make_row(
            blurred[y + 1], blurred[y, 3:], costs[: width - 1], first, DOWN_LEFT, edges[made:]
        )


@compiled
def _make_row(
    a: Doubles, b: Doubles, costs: Doubles, first: int, direction: int, edges: Ints
) -> int:
    """Make the edges between two rows of pixels, from the pixel `first`; return their number."""
    for x in range(len(costs)):
        red, green = a[3 * x] - b[3 * x], a[3 * x + 1] - b[3 * x + 1]
        blue = a[3 * x + 2] - b[3 * x + 2]
        costs[x] = math.sqrt(red * red + green * green + blue * blue)
    # The bits of positive doubles, read as integers, are in the order of the doubles.
    bits = costs.view(np.int64)
    for x in range(len(costs)):
        key = max((bits[x] >> _DROPPED_BITS) - _LEAST_EXPONENT, 1) if bits[x] else 0
        # 31 bits of key, 30 of pixel, 2 of direction.
        edges[x] = (key << 32) | ((first + x) << 2) | direction
    return len(costs)


@compiled
def pixels_of_edge(edge: int, width: int) -> tuple[int, int]:
    """The two pixels of an edge, as places in a row-major scan."""
    pixel, direction = (edge & _PLACE) >> 2, edge & 3
    if direction == RIGHT:
        return pixel, pixel + 1
    if direction == DOWN:
        return pixel, pixel + width
    if direction == DOWN_RIGHT:
        return pixel, pixel + width + 1
    return pixel, pixel + width - 1


@compiled
def edge_cost(colours: Doubles, p: int, q: int) -> float:
    """The Euclidean distance between the colours of two pixels of the flattened blurred image."""
    red, green = colours[3 * p] - colours[3 * q], colours[3 * p + 1] - colours[3 * q + 1]
    blue = colours[3 * p + 2] - colours[3 * q + 2]
    return math.sqrt(red * red + green * green + blue * blue)


@compiled
def _radix_sort(edges: Ints, scratch: Ints) -> Ints:
    """Sort stably by key, in three passes back and forth; return the array with the result."""
    # All digits are counted in one pass: moving the edges does not change the counts.
    counts = np.zeros((_PASSES, _DIGITS), np.int64)
    for edge in edges:
        for digit in range(_PASSES):
            counts[digit, (edge >> (32 + _DIGIT_BITS * digit)) & (_DIGITS - 1)] += 1
    source, sorted_edges = edges, scratch
    for digit in range(_PASSES):
        places, shift = counts[digit], 32 + _DIGIT_BITS * digit
        before = 0
        for value in range(_DIGITS):
            # Counts become first places.
            before, places[value] = before + places[value], before
        for edge in source:
            # From the lowest digit up, each pass stable: equal keys keep scikit-image's order.
            value = (edge >> shift) & (_DIGITS - 1)
            sorted_edges[places[value]] = edge
            places[value] += 1
        source, sorted_edges = sorted_edges, source
    return source


@compiled
def sort_ties(edges: Ints, colours: Doubles, width: int) -> None:
    """Sort edges of equal keys by their exact costs; equal costs keep scikit-image's order."""
    start = np.searchsorted(edges, np.int64(1) << 32)  # key 0 is a cost of exactly 0
    while start < len(edges):
        stop = start + 1
        while stop < len(edges) and edges[stop] >> 32 == edges[start] >> 32:
            stop += 1
        if stop - start > 1:
            _sort_by_cost(edges[start:stop], colours, width)
        start = stop


@compiled
def _sort_by_cost(tied: Ints, colours: Doubles, width: int) -> None:
    costs, rises = np.empty(len(tied)), True
    for place in range(len(tied)):
        p, q = pixels_of_edge(tied[place], width)
        costs[place] = edge_cost(colours, p, q)
        rises &= place == 0 or costs[place - 1] <= costs[place]
    # Checked first: ties are often in order already, and a sort allocates.
    if not rises:
        tied[:] = tied[np.argsort(costs, kind="mergesort")]
