"""What the search and the import leave.

Raw regions of the images they took, and why they skipped the others.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from soco.data import Entry
from soco.data.stores.parquet import write_table
from soco.data.stores.schema import RAW_SCHEMA, SKIPPED_SCHEMA, image_columns, rect_columns

log = logging.getLogger(__name__)

# Width and height of an image and its regions, (R, 5) left, top, width, height, size; or the reason
# to skip it.
Found = tuple[int, int, npt.NDArray[np.int32]] | str


def write_found(
    entries: Sequence[Entry], results: Sequence[Found], raw: str | Path, skipped: str | Path
) -> None:
    """Write the two stores of a shard.

    Args:
        entries: The shard's images.
        results: What was found in each.
        raw: Receives one row an image with its regions, `RAW_SCHEMA`.
        skipped: Receives one row an image that was skipped, `SKIPPED_SCHEMA`.
    """
    found = [
        (entry, *result)
        for entry, result in zip(entries, results, strict=True)
        if not isinstance(result, str)
    ]
    reasons = [
        (entry.key, result)
        for entry, result in zip(entries, results, strict=True)
        if isinstance(result, str)
    ]
    for key, reason in reasons:
        log.warning("skipped %r: %s", key, reason)
    regions = [of_image for _, _, _, of_image in found]
    columns = {
        **image_columns(
            [entry for entry, *_ in found], [(width, height) for _, width, height, _ in found]
        ),
        **rect_columns([of_image[:, :4] for of_image in regions]),
        "size": pa.array([of_image[:, 4] for of_image in regions], pa.list_(pa.int32())),
    }
    write_table(raw, pa.table(columns, schema=RAW_SCHEMA))
    told = {"key": [key for key, _ in reasons], "reason": [reason for _, reason in reasons]}
    write_table(skipped, pa.table(told, schema=SKIPPED_SCHEMA))
