"""A histogram that grows value by value.

What a distribution over hundreds of millions of boxes is kept as.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

# Values are counted this much finer than they are shown, so that the median is exact to a hair.
_FINER = 50


class Histogram:
    """Counts of values between two ends, in bins of equal width.

    Values beyond an end count in its bin.
    """

    def __init__(self, low: float, high: float, bins: int) -> None:
        """Start empty, with `bins` bins to be shown from `low` to `high`."""
        self._edges = np.linspace(low, high, bins * _FINER + 1)
        self._counts = np.zeros(bins * _FINER, np.int64)

    def add(self, values: npt.NDArray[np.floating]) -> None:
        """Count values; (N,)."""
        low, high = self._edges[[0, -1]]
        places = ((values - low) / (high - low) * len(self._counts)).astype(np.int64)
        self._counts += np.bincount(
            np.clip(places, 0, len(self._counts) - 1), minlength=len(self._counts)
        )

    def total(self) -> int:
        """How many values were counted."""
        return int(self._counts.sum())

    def median(self) -> float | None:
        """The median (the lower of two middle values) to a fiftieth of a bin.

        None where nothing was counted.
        """
        if not self.total():
            return None
        place = int(np.searchsorted(np.cumsum(self._counts), self.total() / 2))
        return float(self._edges[place : place + 2].mean())

    def shown(self) -> dict[str, Any]:
        """`edges` (B + 1), `counts` (B) and `median`, as JSON holds them."""
        return {
            "edges": [round(float(edge), 6) for edge in self._edges[::_FINER]],
            "counts": self._counts.reshape(-1, _FINER).sum(axis=1).tolist(),
            "median": self.median(),
        }


def whole_numbers(counts: npt.NDArray[np.int64], most_bins: int = 30) -> dict[str, Any]:
    """`edges`, `counts` and `median` of whole numbers, in at most `most_bins` bins of as many
    numbers each.

    Args:
        counts: (N,) whole numbers.
        most_bins: Most bins.
    """
    if not len(counts):
        return {"edges": [-0.5, 0.5], "counts": [0], "median": None}
    low, high = int(counts.min()), int(counts.max())
    width = max(1, -(-(high - low + 1) // most_bins))
    edges = np.arange(low, high + width + 1, width) - 0.5
    found, _ = np.histogram(counts, edges)
    return {"edges": edges.tolist(), "counts": found.tolist(), "median": float(np.median(counts))}
