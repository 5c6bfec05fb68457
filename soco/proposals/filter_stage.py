"""The filter stage and the fallback stage: from raw regions to proposals."""

from collections.abc import Sequence
from pathlib import Path

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
from soco.io import Origin
from soco.proposals.boxes import Rects
from soco.proposals.filters import filter_mask, first_that_keeps


def filter_shard(
    raw: str | Path, settings: FilterConfig, output: str | Path, origin: Origin | None = None
) -> None:
    """Keep the regions of a shard that the configured strategy accepts.

    Args:
        raw: The shard's regions, `RAW_SCHEMA`.
        settings: The strategy; its fallbacks are not used.
        output: Receives one row for each image, `PROPOSAL_SCHEMA`; some may have no proposal.
        origin: What makes the store.
    """
    table = read_table(raw, RAW_SCHEMA)
    regions = rects_of(table)
    kept = [
        rects[filter_mask(rects, image, settings.strategy, settings.min_side)]
        for rects, image in zip(regions, _image_sizes(table), strict=True)
    ]
    strategies = [settings.strategy.name if len(rects) else "" for rects in kept]
    write_table(output, _proposal_table(table, regions, kept, strategies), origin=origin)


def apply_fallbacks(
    raw: str | Path,
    filtered: str | Path,
    settings: FilterConfig,
    output: str | Path,
    origin: Origin | None = None,
) -> None:
    """Give images without a proposal the regions of the first fallback that keeps any.

    An image for which no fallback keeps any stays empty; pretraining then uses the whole image as
    its one box.

    Args:
        raw: The shard's regions, `RAW_SCHEMA`.
        filtered: The shard after the filter, `PROPOSAL_SCHEMA`.
        settings: The fallbacks.
        output: Receives one row for each image, `PROPOSAL_SCHEMA`.
        origin: What makes the store.
    """
    raw_table, table = read_table(raw, RAW_SCHEMA), read_table(filtered, PROPOSAL_SCHEMA)
    proposals: list[Rects] = [*rects_of(table)]
    strategies = table["strategy"].to_pylist()
    regions = rects_of(raw_table)
    for number, image in enumerate(_image_sizes(table)):
        if not len(proposals[number]):
            strategies[number], proposals[number] = first_that_keeps(
                settings.fallbacks, regions[number], image, settings.min_side
            )
    write_table(output, _proposal_table(table, regions, proposals, strategies), origin=origin)


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
