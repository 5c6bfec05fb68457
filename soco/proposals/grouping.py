"""Hierarchical grouping: merge the most similar neighbours until no pair is left.

Pairs are numbered as they are found, and each region has a chain of its pairs, the newest first. A
pair ends when one of its regions is merged; it then stays in heap and chains until met, so that
every step costs its own pairs alone.
"""

import numpy as np

from soco.proposals.compiled import Flags, Real, Whole, compiled
from soco.proposals.heap import pop, push
from soco.proposals.regions import BINS, VALUE_BINS, Regions, neighbours

# Hue and saturation: two histograms whose common part is always 1.
_HUE_AND_SATURATION = 2.0
_NONE = -1


def group(regions: Regions, pixels: int) -> Regions:
    """Merge neighbouring regions by similarity (colour + texture + size + fill) until no pair is
    left.

    Of equal similarities the pair found last goes first, as in the authors' stable sort of a table;
    a merged region's neighbours are those of both its parts.

    Args:
        regions: The N first segments, in order of first appearance.
        pixels: Width times height of the image.

    Returns:
        The N first regions, then every merged one in the order it was made.
    """
    return Regions(
        *_group(
            regions.bounds, regions.sizes, regions.histograms, neighbours(regions.bounds), pixels
        )
    )


@compiled
def _group(
    first_bounds: Whole, first_sizes: Whole, first_histograms: Real, first_pairs: Whole, pixels: int
) -> tuple[Whole, Whole, Real]:
    first = len(first_sizes)
    room = 2 * first  # each merge makes one region and ends two
    bounds, sizes, histograms = (
        np.empty((room, 4), np.int64),
        np.empty(room, np.int64),
        np.empty((room, BINS)),
    )
    bounds[:first], sizes[:first], histograms[:first] = first_bounds, first_sizes, first_histograms
    merged, newest, met = np.zeros(room, np.bool_), np.full(room, _NONE), np.full(room, _NONE)
    made = first

    # A pair: its two regions, and the next older pair in the chain of either.
    pairs = np.empty((max(16, 2 * len(first_pairs)), 4), np.int64)
    similarities, heap = np.empty(len(pairs)), np.empty(len(pairs), np.int64)
    found = waiting = 0
    for number in range(len(first_pairs)):
        a, b = first_pairs[number]
        similarities[found] = _similarity(bounds, sizes, histograms, a, b, pixels)
        _link(pairs, newest, found, a, b)
        waiting = push(heap, waiting, similarities, found)
        found += 1

    others = np.empty(room, np.int64)
    while waiting:
        best = heap[0]
        waiting = pop(heap, waiting, similarities)
        a, b = pairs[best, 0], pairs[best, 1]
        if merged[a] or merged[b]:
            continue
        merged[a] = merged[b] = True
        _merge(bounds, sizes, histograms, a, b, made)
        inherited = _inherit(pairs, newest, merged, met, a, b, made, others)
        if found + inherited > len(pairs):
            pairs, similarities, heap = _grown(pairs, similarities, heap, found + inherited)
        for place in range(inherited):
            other = others[place]
            similarities[found] = _similarity(bounds, sizes, histograms, made, other, pixels)
            _link(pairs, newest, found, made, other)
            waiting = push(heap, waiting, similarities, found)
            found += 1
        made += 1
    return bounds[:made], sizes[:made], histograms[:made]


@compiled
def _similarity(
    bounds: Whole, sizes: Whole, histograms: Real, a: int, b: int, pixels: int
) -> float:
    # Sums add bin by bin, as the authors' do, so that ties fall the same way.
    colour, texture = _HUE_AND_SATURATION, 0.0
    for value in range(VALUE_BINS):
        colour += min(histograms[a, value], histograms[b, value])
    for value in range(VALUE_BINS, BINS):
        texture += min(histograms[a, value], histograms[b, value])
    together = sizes[a] + sizes[b]
    across = max(bounds[a, 2], bounds[b, 2]) - min(bounds[a, 0], bounds[b, 0])
    down = max(bounds[a, 3], bounds[b, 3]) - min(bounds[a, 1], bounds[b, 1])
    size, fill = 1.0 - together / pixels, 1.0 - (across * down - together) / pixels
    return colour + texture + size + fill


@compiled
def _merge(bounds: Whole, sizes: Whole, histograms: Real, a: int, b: int, new: int) -> None:
    size = sizes[a] + sizes[b]
    bounds[new, :2] = np.minimum(bounds[a, :2], bounds[b, :2])
    bounds[new, 2:] = np.maximum(bounds[a, 2:], bounds[b, 2:])
    histograms[new] = (histograms[a] * sizes[a] + histograms[b] * sizes[b]) / size
    sizes[new] = size


@compiled
def _link(pairs: Whole, newest: Whole, pair: int, a: int, b: int) -> None:
    pairs[pair] = a, b, newest[a], newest[b]
    newest[a] = newest[b] = pair


@compiled
def _inherit(
    pairs: Whole,
    newest: Whole,
    merged: Flags,
    met: Whole,
    a: int,
    b: int,
    new: int,
    neighbours_of_new: Whole,
) -> int:
    """List the unmerged neighbours of a and b, each once, by the age of its oldest pair.

    Returns how many.
    """
    by_age, count = np.empty(2 * len(neighbours_of_new), np.int64), 0
    of_a, of_b = newest[a], newest[b]
    while of_a != _NONE or of_b != _NONE:  # down both chains, the newer pair first
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
    for other in by_age[:count][::-1]:
        if met[other] != new:
            met[other] = new
            neighbours_of_new[kept] = other
            kept += 1
    return kept


@compiled
def _grown(pairs: Whole, similarities: Real, heap: Whole, needed: int) -> tuple[Whole, Real, Whole]:
    room = max(2 * len(pairs), needed)
    more_pairs, more_similarities, more_heap = (
        np.empty((room, 4), np.int64),
        np.empty(room),
        np.empty(room, np.int64),
    )
    more_pairs[: len(pairs)], more_similarities[: len(pairs)], more_heap[: len(pairs)] = (
        pairs,
        similarities,
        heap,
    )
    return more_pairs, more_similarities, more_heap
