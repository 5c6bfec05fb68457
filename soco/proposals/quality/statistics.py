"""Statistics of a run's regions and proposals: their number, size and shape, and empty images."""

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
from soco.io import Origin, write_json
from soco.proposals.filters import left_empty
from soco.proposals.quality.histogram import Histogram, integer_histogram

Paths = Sequence[str | Path]

_SIZE_BINS, _RATIO_BINS = 50, 50
# log2 of the aspect ratio at the last bin: 32.
_RATIO_END = 5.0


def describe_proposals(
    raw: Paths,
    fixed: Paths,
    settings: FilterConfig,
    output: str | Path,
    origin: Origin | None = None,
) -> dict[str, Any]:
    """Describe the boxes of all shards, with one shard in memory at a time.

    Args:
        raw: The shards of regions.
        fixed: The same shards after filter and fallbacks, in the same order.
        settings: The filter that made them.
        output: Receives the description as JSON.
        origin: What makes the file.

    Returns:
        The content of `output`: `images`; `regions` and `proposals`, see `BoxStatistics.as_json`;
        `without_proposals`, see `_without`.

    Raises:
        UserError: A store is missing, or a pair of shards has different images.
    """
    regions, proposals, strategies = BoxStatistics(), BoxStatistics(), Counter[str]()
    for raw_shard, fixed_shard in zip(raw, fixed, strict=True):
        raw_table = read_table(raw_shard, RAW_SCHEMA)
        fixed_table = read_table(fixed_shard, PROPOSAL_SCHEMA)
        if not raw_table["key"].equals(fixed_table["key"]):
            raise UserError(
                "quality.different_images",
                "{raw} and {fixed} have different images; run `snakemake proposals` again.",
                raw=raw_shard,
                fixed=fixed_shard,
            )
        regions.add(raw_table)
        proposals.add(fixed_table)
        strategies.update(fixed_table["strategy"].to_pylist())
    description = {
        "images": strategies.total(),
        "regions": regions.as_json(),
        "proposals": proposals.as_json(),
        "without_proposals": _without(strategies, settings),
    }
    write_json(output, description, origin)
    return description


class BoxStatistics:
    """Distributions of the number, size and shape of the boxes of many images."""

    def __init__(self) -> None:
        self._per_image: list[npt.NDArray[np.int64]] = []
        self._sizes = Histogram(0.0, 1.0, _SIZE_BINS)
        self._ratios = Histogram(-_RATIO_END, _RATIO_END, _RATIO_BINS)

    def add(self, table: pa.Table) -> None:
        """Count the boxes of a store's table."""
        of_images = rects_of(table)
        counts = np.array([len(rects) for rects in of_images], np.int64)
        # The empty array first: NumPy refuses to concatenate none, as for an empty shard.
        sides = np.concatenate([np.empty((0, 4), np.int16), *of_images])[:, 2:].astype(np.float64)
        areas = table["width"].to_numpy().astype(np.float64) * table["height"].to_numpy()
        self._per_image.append(counts)
        # sqrt(w h) / sqrt(W H), the measure that the filter bounds.
        self._sizes.add(np.sqrt(sides.prod(axis=1) / np.repeat(areas, counts)))
        # In the release's convention a rect one pixel wide has a width of 0: no logarithm.
        at_least_one = np.maximum(sides, 1.0)
        # In the logarithm 1:3 and 3:1 are equally far from a square.
        self._ratios.add(np.log2(at_least_one[:, 0] / at_least_one[:, 1]))

    def as_json(self) -> dict[str, Any]:
        """The distributions for a JSON file.

        Returns:
            `boxes`, their number, and three histograms of `edges`, `counts` and `median`:
            `per_image`; `relative_size`, sqrt(w h) / sqrt(image), as in the filter; `aspect_ratio`,
            w / h, with bins of equal width in its logarithm.
        """
        ratios = self._ratios.as_json()
        ratios["edges"] = [round(2**edge, 6) for edge in ratios["edges"]]
        ratios["median"] = None if ratios["median"] is None else math.exp2(ratios["median"])
        return {
            "boxes": self._sizes.total(),
            "per_image": integer_histogram(
                np.concatenate([np.empty(0, np.int64), *self._per_image])
            ),
            "relative_size": self._sizes.as_json(),
            "aspect_ratio": ratios,
        }


def _without(strategies: Counter[str], settings: FilterConfig) -> list[dict[str, Any]]:
    """Count images without a proposal `after` each step: `images` and their `share`."""
    steps = dict(left_empty(strategies, settings))  # a strategy that is listed twice appears once
    return [
        {"after": name, "images": left, "share": left / max(1, strategies.total())}
        for name, left in steps.items()
    ]
