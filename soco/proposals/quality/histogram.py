"""Histograms that are filled shard by shard, for hundreds of millions of boxes."""

from typing import Any

import numpy as np
import numpy.typing as npt

# Bins that are counted for each bin that is shown, for a precise median.
_FINE_BINS = 50


class Histogram:
    """Counts of values in bins of equal width; values out of range count in the outermost bins."""

    def __init__(self, low: float, high: float, bins: int) -> None:
        """Make an empty histogram with this number of bins from `low` to `high`."""
        self._edges = np.linspace(low, high, bins * _FINE_BINS + 1)
        self._counts = np.zeros(bins * _FINE_BINS, np.int64)

    def add(self, values: npt.NDArray[np.floating]) -> None:
        """Count values, (N,)."""
        low, high = self._edges[[0, -1]]
        # Computed, since the bins are equal; np.histogram would leave out values beyond the ends.
        places = ((values - low) / (high - low) * len(self._counts)).astype(np.int64)
        self._counts += np.bincount(
            np.clip(places, 0, len(self._counts) - 1), minlength=len(self._counts)
        )

    def total(self) -> int:
        """The number of values counted."""
        return int(self._counts.sum())

    def median(self) -> float | None:
        """The median (the lower of two middle values) to a fiftieth of a bin; None if empty."""
        if not self.total():
            return None
        place = int(np.searchsorted(np.cumsum(self._counts), self.total() / 2))
        return float(self._edges[place : place + 2].mean())

    def as_json(self) -> dict[str, Any]:
        """The histogram for a JSON file: `edges` (B + 1), `counts` (B) and `median`."""
        return {
            "edges": [round(float(edge), 6) for edge in self._edges[::_FINE_BINS]],
            "counts": self._counts.reshape(-1, _FINE_BINS).sum(axis=1).tolist(),
            "median": self.median(),
        }


def integer_histogram(values: npt.NDArray[np.int64], max_bins: int = 30) -> dict[str, Any]:
    """Make a histogram of integers, as `Histogram.as_json`, with equally many integers per bin.

    Args:
        values: (N,) integers.
        max_bins: Largest number of bins.
    """
    if not len(values):
        return {"edges": [-0.5, 0.5], "counts": [0], "median": None}
    low, high = int(values.min()), int(values.max())
    width = max(1, -(-(high - low + 1) // max_bins))  # rounded up
    # Between integers, so that none lies on an edge.
    edges = np.arange(low, high + width + 1, width) - 0.5
    counts, _ = np.histogram(values, edges)
    return {"edges": edges.tolist(), "counts": counts.tolist(), "median": float(np.median(values))}
