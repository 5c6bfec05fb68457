"""What the regions and proposals of a run are like.

How many an image, how large, of what shape, and where none is.
"""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from soco.config import FilterConfig
from soco.data.stores.parquet import read_table
from soco.data.stores.schema import PROPOSAL_SCHEMA, RAW_SCHEMA, rects_of
from soco.errors import UserError
from soco.io import write_result
from soco.proposals.filters import left_empty
from soco.proposals.quality.histogram import Histogram, whole_numbers

Paths = Sequence[str | Path]

_SIZE_BINS, _RATIO_BINS = 50, 50
# log2 of the most extreme width over height that has a bin of its own: 1 to 32.
_RATIO_END = 5.0


def describe_proposals(
    raw: Paths, fixed: Paths, settings: FilterConfig, output: str | Path
) -> dict[str, Any]:
    """Describe the boxes of all shards, one shard in memory at a time.

    Args:
        raw: The shards of regions.
        fixed: The same shards after filter and fix-up, in the same order.
        settings: The filter that made them.
        output: Receives the description as JSON, which is returned as well.

    Returns:
        `images`; `regions` and `proposals`, see `Boxes.shown`; `without_proposals`, see `_without`.

    Raises:
        UserError: A store is missing, or a pair of shards holds different images.
    """
    regions, proposals, strategies = Boxes(), Boxes(), Counter[str]()
    for raw_shard, fixed_shard in zip(raw, fixed, strict=True):
        raw_table, fixed_table = (
            read_table(raw_shard, RAW_SCHEMA),
            read_table(fixed_shard, PROPOSAL_SCHEMA),
        )
        if not raw_table["key"].equals(fixed_table["key"]):
            raise UserError(
                f"{raw_shard} and {fixed_shard} hold different images; make the proposals again."
            )
        regions.add(raw_table)
        proposals.add(fixed_table)
        strategies.update(fixed_table["strategy"].to_pylist())
    description = {
        "images": strategies.total(),
        "regions": regions.shown(),
        "proposals": proposals.shown(),
        "without_proposals": _without(strategies, settings),
    }
    write_result(output, description)
    return description


class Boxes:
    """The distributions of number, size and shape of the boxes of many images."""

    def __init__(self) -> None:
        self._per_image: list[npt.NDArray[np.int64]] = []
        self._sizes = Histogram(0.0, 1.0, _SIZE_BINS)
        self._ratios = Histogram(-_RATIO_END, _RATIO_END, _RATIO_BINS)

    def add(self, table: pa.Table) -> None:
        """Count the boxes of a store's table."""
        of_images = rects_of(table)
        counts = np.array([len(rects) for rects in of_images], np.int64)
        sides = np.concatenate([np.empty((0, 4), np.int16), *of_images])[:, 2:].astype(np.float64)
        areas = table["width"].to_numpy().astype(np.float64) * table["height"].to_numpy()
        self._per_image.append(counts)
        self._sizes.add(np.sqrt(sides.prod(axis=1) / np.repeat(areas, counts)))
        at_least_one = np.maximum(
            sides, 1.0
        )  # a side of 0, one pixel of the release's, has no ratio
        self._ratios.add(np.log2(at_least_one[:, 0] / at_least_one[:, 1]))

    def shown(self) -> dict[str, Any]:
        """The distributions as JSON holds them.

        Returns:
            `boxes`, their number, and three histograms of `edges`, `counts` and `median`:
            `per_image`; `relative_size`, sqrt(w h) / sqrt(image), the filter's own measure;
            `aspect_ratio`, w / h, whose bins are of equal width in its logarithm.
        """
        ratios = self._ratios.shown()
        ratios["edges"] = [round(2**edge, 6) for edge in ratios["edges"]]
        ratios["median"] = None if ratios["median"] is None else math.exp2(ratios["median"])
        return {
            "boxes": self._sizes.total(),
            "per_image": whole_numbers(np.concatenate([np.empty(0, np.int64), *self._per_image])),
            "relative_size": self._sizes.shown(),
            "aspect_ratio": ratios,
        }


def _without(strategies: Counter[str], settings: FilterConfig) -> list[dict[str, Any]]:
    """Images still without a proposal after the filter and after each fallback.

    `after`, `images`, `share`.
    """
    return [
        {"after": name, "images": left, "share": left / max(1, strategies.total())}
        for name, left in dict(
            left_empty(strategies, settings)
        ).items()  # a strategy that stands twice, once
    ]
