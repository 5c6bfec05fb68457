"""The filter stage and the fix-up stage.

Raw regions to proposals, and a fallback for images left with none.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from soco.config import FilterConfig
from soco.data.stores.parquet import read_table, write_table
from soco.data.stores.schema import (
    IMAGE_COLUMNS,
    PROPOSAL_SCHEMA,
    RAW_SCHEMA,
    rect_columns,
    rects_of,
)
from soco.proposals.filters import filter_mask, first_that_keeps

Rects = npt.NDArray[np.integer]


def filter_shard(raw: str | Path, settings: FilterConfig, output: str | Path) -> None:
    """Keep the regions that the configured strategy accepts; an image may be left with none."""
    table = read_table(raw, RAW_SCHEMA)
    kept = [
        rects[filter_mask(rects, image, settings.strategy, settings.min_side)]
        for rects, image in zip(rects_of(table), _image_sizes(table), strict=True)
    ]
    strategies = [settings.strategy.name if len(rects) else "" for rects in kept]
    write_table(output, _proposal_table(table, rects_of(table), kept, strategies))


def fix_up_shard(
    raw: str | Path, filtered: str | Path, settings: FilterConfig, output: str | Path
) -> None:
    """Give each image that the filter left with none the regions of the first fallback that keeps
    any.

    An image that every fallback leaves with none stays empty; training then takes the whole image
    as its one box.
    """
    raw_table, table = read_table(raw, RAW_SCHEMA), read_table(filtered, PROPOSAL_SCHEMA)
    proposals: list[Rects] = [*rects_of(table)]
    strategies = table["strategy"].to_pylist()
    all_regions = rects_of(raw_table)
    for number, image in enumerate(_image_sizes(table)):
        if not len(proposals[number]):
            strategies[number], proposals[number] = first_that_keeps(
                settings.fallbacks, all_regions[number], image, settings.min_side
            )
    write_table(output, _proposal_table(table, all_regions, proposals, strategies))


def _image_sizes(table: pa.Table) -> list[tuple[int, int]]:
    return list(zip(table["width"].to_pylist(), table["height"].to_pylist(), strict=True))


def _proposal_table(
    images: pa.Table, regions: Sequence[Rects], proposals: Sequence[Rects], strategies: list[str]
) -> pa.Table:
    columns = {
        **{name: images[name].combine_chunks() for name in IMAGE_COLUMNS},
        "regions": [len(of_image) for of_image in regions],
        "strategy": strategies,
        **rect_columns(proposals),
    }
    return pa.table(columns, schema=PROPOSAL_SCHEMA)
