"""Hierarchical grouping: merge the most similar neighbours until no pair is left.

Pairs are numbered as they are found. A heap orders them by similarity, and each region has a linked
list of its pairs, the newest first. Pairs of merged regions are deleted lazily: they stay in the
heap and the lists until they are reached, so that a merge touches only the pairs of its regions.
"""

import numpy as np

from soco.numba_cache import Doubles, Flags, Ints, compiled
from soco.proposals.regions import BINS, VALUE_BINS, Regions, neighbours

# Hue and saturation: two histograms whose intersection is always 1, see `VALUE_BINS`.
_HUE_AND_SATURATION = 2.0
_NONE = -1


def group(regions: Regions, pixels: int) -> Regions:
    """Merge neighbouring regions by similarity: colour + texture + size + fill.

    Among equal similarities, the pair found last is merged first, as the release's stable sort of
    its table does. A merged region's neighbours are those of both its parts.

    Args:
        regions: The N initial segments, in order of first appearance.
        pixels: Width times height of the image.

    Returns:
        The N initial regions, then every merged region in order.
    """
    return Regions(*_group(*regions, neighbours(regions.bounds), pixels))


@compiled
def _group(
    first_bounds: Ints, first_sizes: Ints, first_histograms: Doubles, first_pairs: Ints, pixels: int
) -> tuple[Ints, Ints, Doubles]:
    first = len(first_sizes)
    room = 2 * first  # a merge replaces two regions by one: there are at most first - 1
    bounds, sizes = np.empty((room, 4), np.int64), np.empty(room, np.int64)
    histograms = np.empty((room, BINS))
    bounds[:first], sizes[:first], histograms[:first] = first_bounds, first_sizes, first_histograms
    # Of each region: whether it is part of another, its newest pair, and the last merged region
    # that found it as a neighbour.
    merged, newest, met = np.zeros(room, np.bool_), np.full(room, _NONE), np.full(room, _NONE)
    made = first

    # A pair: its two regions, and the next older pair in the list of each.
    pairs = np.empty((max(16, 2 * len(first_pairs)), 4), np.int64)
    similarities, heap = np.empty(len(pairs)), np.empty(len(pairs), np.int64)
    found = waiting = 0
    for number in range(len(first_pairs)):
        a, b = first_pairs[number]
        similarities[found] = _similarity(bounds, sizes, histograms, a, b, pixels)
        _link(pairs, newest, found, a, b)
        waiting = _push(heap, waiting, similarities, found)
        found += 1

    others = np.empty(room, np.int64)
    while waiting:
        best = heap[0]
        waiting = _pop(heap, waiting, similarities)
        a, b = pairs[best, 0], pairs[best, 1]
        if merged[a] or merged[b]:
            continue
        merged[a] = merged[b] = True
        _merge(bounds, sizes, histograms, a, b, made)
        inherited = _inherit(pairs, newest, merged, met, (a, b, made), others)
        if found + inherited > len(pairs):
            pairs, similarities, heap = _grown(pairs, similarities, heap, found + inherited)
        for place in range(inherited):
            other = others[place]
            similarities[found] = _similarity(bounds, sizes, histograms, made, other, pixels)
            _link(pairs, newest, found, made, other)
            waiting = _push(heap, waiting, similarities, found)
            found += 1
        made += 1
    return bounds[:made], sizes[:made], histograms[:made]


@compiled
def _similarity(
    bounds: Ints, sizes: Ints, histograms: Doubles, a: int, b: int, pixels: int
) -> float:
    # Bin by bin, in the release's order of sums, so that ties are broken in the same way.
    # Uijlings et al.: sum_i min(colour_a, colour_b) + sum_i min(texture_a, texture_b)
    # + (1 - (|a| + |b|) / |image|) + (1 - (|joint box| - |a| - |b|) / |image|).
    colour, texture = _HUE_AND_SATURATION, 0.0
    for value in range(VALUE_BINS):
        colour += min(histograms[a, value], histograms[b, value])
    for value in range(VALUE_BINS, BINS):
        texture += min(histograms[a, value], histograms[b, value])
    together = sizes[a] + sizes[b]
    # The joint box without + 1, as in the release, so that fill may exceed 1 by a little.
    across = max(bounds[a, 2], bounds[b, 2]) - min(bounds[a, 0], bounds[b, 0])
    down = max(bounds[a, 3], bounds[b, 3]) - min(bounds[a, 1], bounds[b, 1])
    size, fill = 1.0 - together / pixels, 1.0 - (across * down - together) / pixels
    return colour + texture + size + fill


@compiled
def _merge(bounds: Ints, sizes: Ints, histograms: Doubles, a: int, b: int, new: int) -> None:
    size = sizes[a] + sizes[b]
    bounds[new, :2] = np.minimum(bounds[a, :2], bounds[b, :2])
    bounds[new, 2:] = np.maximum(bounds[a, 2:], bounds[b, 2:])
    # Averaged by size: the histograms of the union, without reading its pixels again.
    histograms[new] = (histograms[a] * sizes[a] + histograms[b] * sizes[b]) / size
    sizes[new] = size


@compiled
def _link(pairs: Ints, newest: Ints, pair: int, a: int, b: int) -> None:
    pairs[pair] = a, b, newest[a], newest[b]
    newest[a] = newest[b] = pair


@compiled
def _inherit(
    pairs: Ints,
    newest: Ints,
    merged: Flags,
    met: Ints,
    regions: tuple[int, int, int],
    neighbours_of_new: Ints,
) -> int:
    """List the unmerged neighbours of a and b, ordered by their oldest pair; return the count."""
    a, b, new = regions
    by_age, count = np.empty(2 * len(neighbours_of_new), np.int64), 0
    of_a, of_b = newest[a], newest[b]
    while of_a != _NONE or of_b != _NONE:  # walk both lists, the newer pair first
        pair, of = (of_a, a) if of_a > of_b else (of_b, b)
        side = 0 if pairs[pair, 0] == of else 1
        if of == a:
            of_a = pairs[pair, 2 + side]
        else:
            of_b = pairs[pair, 2 + side]
        if not merged[pairs[pair, 1 - side]]:
            by_age[count] = pairs[pair, 1 - side]
            count += 1
    kept = 0
    # The oldest first, the order of the release's table: it decides between equal similarities.
    for other in by_age[:count][::-1]:
        # A neighbour of both parts counts once.
        if met[other] != new:
            met[other] = new
            neighbours_of_new[kept] = other
            kept += 1
    return kept


@compiled
def _grown(
    pairs: Ints, similarities: Doubles, heap: Ints, needed: int
) -> tuple[Ints, Doubles, Ints]:
    room = max(2 * len(pairs), needed)
    more_pairs = np.empty((room, 4), np.int64)
    more_similarities, more_heap = np.empty(room), np.empty(room, np.int64)
    more_pairs[: len(pairs)], more_heap[: len(pairs)] = pairs, heap
    more_similarities[: len(pairs)] = similarities
    return more_pairs, more_similarities, more_heap


@compiled
def _push(heap: Ints, waiting: int, similarities: Doubles, pair: int) -> int:
    """Add a pair to a heap of `waiting` pairs; return their new number."""
    place = waiting
    while place and _before(similarities, pair, heap[(place - 1) // 2]):
        heap[place] = heap[(place - 1) // 2]
        place = (place - 1) // 2
    heap[place] = pair
    return waiting + 1


@compiled
def _pop(heap: Ints, waiting: int, similarities: Doubles) -> int:
    """Remove the top of a heap of `waiting` pairs; return their new number."""
    waiting -= 1
    pair, place = heap[waiting], 0
    while 2 * place + 1 < waiting:
        child = 2 * place + 1
        if child + 1 < waiting and _before(similarities, heap[child + 1], heap[child]):
            child += 1
        if not _before(similarities, heap[child], pair):
            break
        heap[place] = heap[child]
        place = child
    heap[place] = pair
    return waiting


@compiled
def _before(similarities: Doubles, a: int, b: int) -> bool:
    """Whether a is more similar than b, or equally similar and found later."""
    return similarities[a] > similarities[b] or (similarities[a] == similarities[b] and a > b)
