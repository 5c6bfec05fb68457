"""The raw stores of a shard, made by search or import: its regions and its skipped images."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from soco.data import Entry
from soco.data.stores.parquet import write_table
from soco.data.stores.schema import RAW_SCHEMA, SKIPPED_SCHEMA, image_columns, rect_columns
from soco.io import Origin

log = logging.getLogger(__name__)

SearchResult = tuple[int, int, npt.NDArray[np.int32]] | str
"""Width, height and regions of an image, or the reason why it is skipped.

Regions are (R, 5): left, top, width, height, size.
"""


def write_raw(
    entries: Sequence[Entry],
    results: Sequence[SearchResult],
    raw: str | Path,
    skipped: str | Path,
    origin: Origin | None = None,
) -> None:
    """Write the two stores of a shard, and log every skipped image.

    Args:
        entries: The shard's images.
        results: The result of each image.
        raw: Receives one row for each image with a result, `RAW_SCHEMA`.
        skipped: Receives one row for each skipped image, `SKIPPED_SCHEMA`.
        origin: What made the stores.
    """
    searched, reasons = [], []
    for entry, result in zip(entries, results, strict=True):
        if isinstance(result, str):
            log.warning("skipped %r: %s", entry.key, result)
            reasons.append({"key": entry.key, "reason": result})
        else:
            searched.append((entry, *result))
    sizes = [(width, height) for _, width, height, _ in searched]
    regions = [of_image for *_, of_image in searched]
    columns = {
        **image_columns([entry for entry, *_ in searched], sizes),
        **rect_columns([of_image[:, :4] for of_image in regions]),
        # 32 bits, unlike the rects' 16: a region may have all pixels of its image.
        "size": pa.array([of_image[:, 4] for of_image in regions], pa.list_(pa.int32())),
    }
    write_table(raw, pa.table(columns, schema=RAW_SCHEMA), origin=origin)
    write_table(skipped, pa.Table.from_pylist(reasons, SKIPPED_SCHEMA), origin=origin)
