"""Edges between neighbouring pixels, from the most alike to the least: what segmentation reads.

An edge is one int64: its cost's leading bits above, the pixel and the direction of its neighbour
below. Sorting moves eight bytes an edge, and the exact cost is made again from the blurred image
where it is asked for. Large arrays are NumPy's, which asks for huge pages; numba's own cost a fifth
of the search in page faults.
"""

import math

import numpy as np

from soco.proposals.compiled import Real, Whole, compiled

# A cost is a distance of colours in 0..1, below 2. Its key holds 6 bits of exponent and 25 of
# mantissa, so that an edge is never negative.
_MANTISSA_BITS = 25
_DROPPED_BITS = 52 - _MANTISSA_BITS
_LEAST_EXPONENT = (1023 - 62) << _MANTISSA_BITS  # smaller costs than 2**-62 share the least key
_DIGIT_BITS = 11
_DIGITS = 1 << _DIGIT_BITS
_PASSES = 3
_PLACE = 0xFFFFFFFF
MOST_PIXELS = 1 << 30  # a place and a direction share 32 bits

RIGHT, DOWN, DOWN_RIGHT, DOWN_LEFT = range(4)


def make_edges(blurred: Real) -> Whole:
    """Make the edges of the 8-connected grid, in scikit-image's order: by direction, then by row.

    Args:
        blurred: (H, 3 W) float64 in 0..1; at most `MOST_PIXELS`.

    Returns:
        (E,) int64.
    """
    height, width = blurred.shape[0], blurred.shape[1] // 3
    edges = np.empty(
        height * (width - 1) + (height - 1) * width + 2 * (height - 1) * (width - 1), np.int64
    )
    _make_edges(blurred, edges)
    return edges


def sort_edges(edges: Whole) -> Whole:
    """Sort by key; the array passed in is used as scratch."""
    return _radix_sort(edges, np.empty_like(edges))


@compiled
def _make_edges(blurred: Real, edges: Whole) -> None:
    height, width = blurred.shape[0], blurred.shape[1] // 3
    costs = np.empty(width)
    made = 0
    for y in range(height):
        made = _make_row(
            blurred[y, 3:], blurred[y], costs[: width - 1], y * width, RIGHT, edges, made
        )
    for y in range(height - 1):
        made = _make_row(blurred[y + 1], blurred[y], costs, y * width, DOWN, edges, made)
    for y in range(height - 1):
        made = _make_row(
            blurred[y + 1, 3:], blurred[y], costs[: width - 1], y * width, DOWN_RIGHT, edges, made
        )
    for y in range(height - 1):
        made = _make_row(
            blurred[y + 1],
            blurred[y, 3:],
            costs[: width - 1],
            y * width + 1,
            DOWN_LEFT,
            edges,
            made,
        )


@compiled
def _make_row(
    a: Real, b: Real, costs: Real, first: int, direction: int, edges: Whole, made: int
) -> int:
    for x in range(len(costs)):
        red, green, blue = (
            a[3 * x] - b[3 * x],
            a[3 * x + 1] - b[3 * x + 1],
            a[3 * x + 2] - b[3 * x + 2],
        )
        costs[x] = math.sqrt(red * red + green * green + blue * blue)
    bits = costs.view(np.int64)
    for x in range(len(costs)):
        key = max((bits[x] >> _DROPPED_BITS) - _LEAST_EXPONENT, 1) if bits[x] else 0
        edges[made + x] = (key << 32) | ((first + x) << 2) | direction
    return made + len(costs)


@compiled
def ends(edge: int, width: int) -> tuple[int, int]:
    """The two pixels of an edge, by their places in a row-major scan."""
    pixel, direction = (edge & _PLACE) >> 2, edge & 3
    if direction == RIGHT:
        return pixel, pixel + 1
    if direction == DOWN:
        return pixel, pixel + width
    if direction == DOWN_RIGHT:
        return pixel, pixel + width + 1
    return pixel, pixel + width - 1


@compiled
def cost_between(colours: Real, p: int, q: int) -> float:
    """The distance between the colours of two pixels of the flattened blurred image."""
    red, green, blue = (
        colours[3 * p] - colours[3 * q],
        colours[3 * p + 1] - colours[3 * q + 1],
        colours[3 * p + 2] - colours[3 * q + 2],
    )
    return math.sqrt(red * red + green * green + blue * blue)


@compiled
def _radix_sort(edges: Whole, scratch: Whole) -> Whole:
    """A stable sort by key in three passes from one array to the other.

    Returns the one that it ends in.
    """
    counts = np.zeros((_PASSES, _DIGITS), np.int64)
    for edge in edges:
        for digit in range(_PASSES):
            counts[digit, (edge >> (32 + _DIGIT_BITS * digit)) & (_DIGITS - 1)] += 1
    source, sorted_edges = edges, scratch
    for digit in range(_PASSES):
        places, shift = counts[digit], 32 + _DIGIT_BITS * digit
        before = 0
        for value in range(_DIGITS):
            before, places[value] = before + places[value], before
        for edge in source:
            value = (edge >> shift) & (_DIGITS - 1)
            sorted_edges[places[value]] = edge
            places[value] += 1
        source, sorted_edges = sorted_edges, source
    return source


@compiled
def order_ties(edges: Whole, colours: Real, width: int) -> None:
    """Put sorted edges of equal keys in the order of their exact costs.

    Edges of equal cost stay as they were made.
    """
    start = np.searchsorted(edges, np.int64(1) << 32)  # key 0 is a cost of exactly 0
    while start < len(edges):
        stop = start + 1
        while stop < len(edges) and edges[stop] >> 32 == edges[start] >> 32:
            stop += 1
        if stop - start > 1:
            _sort_by_cost(edges[start:stop], colours, width)
        start = stop


@compiled
def _sort_by_cost(tied: Whole, colours: Real, width: int) -> None:
    costs, rises = np.empty(len(tied)), True
    for place in range(len(tied)):
        p, q = ends(tied[place], width)
        costs[place] = cost_between(colours, p, q)
        rises &= place == 0 or costs[place - 1] <= costs[place]
    if not rises:
        tied[:] = tied[np.argsort(costs, kind="mergesort")]
