"""Hierarchical grouping: merge the most similar neighbours until no pair is left."""

import heapq
import itertools

import numpy as np
import numpy.typing as npt

from soco.proposals.regions import COLOUR_BINS, Regions, neighbours

_COLOUR = 3 * COLOUR_BINS


def group(regions: Regions, pixels: int) -> Regions:
    """Merge neighbouring regions by similarity (colour + texture + size + fill) until no pair is left.

    Of equal similarities the pair found last goes first, as in the authors' stable sort of a table; a merged region's
    neighbours are those of both its parts.

    Args:
        regions: The N first segments, in order of first appearance.
        pixels: Width times height of the picture.

    Returns:
        The N first regions, then every merged one in the order it was made.
    """
    tree = _Tree(regions, pixels)
    while tree.merge_most_similar():
        pass
    return tree.regions()


class _Tree:
    def __init__(self, regions: Regions, pixels: int) -> None:
        first = len(regions.sizes)
        room = max(1, 2 * first)  # each merge makes one region and ends two
        self._bounds = np.empty((room, 4), np.int64)
        self._sizes = np.empty(room, np.int64)
        self._histograms = np.empty((len(regions.histograms), room))
        self._bounds[:first], self._sizes[:first] = regions.bounds, regions.sizes
        self._histograms[:, :first] = regions.histograms
        self._count, self._pixels = first, pixels
        # Pairs by age: `_age[a][b]` tells how long ago a pair was found, and which of the heap's entries still hold.
        self._age: list[dict[int, int]] = [{} for _ in range(first)]
        self._found = itertools.count()
        self._heap: list[tuple[float, int, int, int]] = []
        pairs = neighbours(regions.bounds)
        for (a, b), similarity in zip(pairs.tolist(), self._similarity(pairs[:, 0], pairs[:, 1]), strict=True):
            self._add_pair(a, b, similarity)

    def regions(self) -> Regions:
        made = self._count
        return Regions(self._bounds[:made], self._sizes[:made], self._histograms[:, :made])

    def merge_most_similar(self) -> bool:
        while self._heap:
            _, age, a, b = heapq.heappop(self._heap)
            if self._age[a].get(b) == -age:
                self._merge(a, b)
                return True
        return False

    def _merge(self, a: int, b: int) -> None:
        new = self._count
        size = self._sizes[a] + self._sizes[b]
        self._bounds[new, :2] = np.minimum(self._bounds[a, :2], self._bounds[b, :2])
        self._bounds[new, 2:] = np.maximum(self._bounds[a, 2:], self._bounds[b, 2:])
        parts = self._histograms[:, a] * self._sizes[a] + self._histograms[:, b] * self._sizes[b]
        self._histograms[:, new] = parts / size
        self._sizes[new] = size
        self._count += 1
        self._age.append({})
        inherited = self._drop_pairs(a, b)
        if inherited:
            others = np.array(inherited)
            for other, similarity in zip(inherited, self._similarity(np.full_like(others, new), others), strict=True):
                self._add_pair(new, other, similarity)

    def _drop_pairs(self, a: int, b: int) -> list[int]:
        """Forget all pairs of a and b; return their other members, each once, by the age of the pair."""
        del self._age[a][b], self._age[b][a]
        by_age = sorted([(age, other) for part in (a, b) for other, age in self._age[part].items()])
        for part in (a, b):
            for other in self._age[part]:
                del self._age[other][part]
            self._age[part] = {}
        return list(dict.fromkeys(other for _, other in by_age))

    def _add_pair(self, a: int, b: int, similarity: float) -> None:
        age = next(self._found)
        self._age[a][b] = self._age[b][a] = age
        heapq.heappush(self._heap, (-similarity, -age, a, b))

    def _similarity(self, a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        common = np.minimum(self._histograms[:, a], self._histograms[:, b])
        # Sums over the first axis add bin by bin, as the authors' do, so that ties fall the same way.
        colour, texture = common[:_COLOUR].sum(axis=0), common[_COLOUR:].sum(axis=0)
        together = self._sizes[a] + self._sizes[b]
        low = np.minimum(self._bounds[a, :2], self._bounds[b, :2])
        high = np.maximum(self._bounds[a, 2:], self._bounds[b, 2:])
        hull = (high - low).prod(axis=1)
        size, fill = 1.0 - together / self._pixels, 1.0 - (hull - together) / self._pixels
        return colour + texture + size + fill
