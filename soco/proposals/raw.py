"""What the search and the import leave: raw regions of the pictures they took, and why they skipped the others."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from soco.pictures import Entry
from soco.stores.parquet import write_table
from soco.stores.schema import RAW_SCHEMA, SKIPPED_SCHEMA, picture_columns, rect_columns

log = logging.getLogger(__name__)

# Width and height of a picture and its regions, (R, 5) left, top, width, height, size; or the reason to skip it.
Found = tuple[int, int, npt.NDArray[np.int32]] | str


def write_found(entries: Sequence[Entry], results: Sequence[Found], raw: str | Path, skipped: str | Path) -> None:
    """Write the two stores of a shard.

    Args:
        entries: The shard's pictures.
        results: What was found in each.
        raw: Receives one row a picture with its regions, `RAW_SCHEMA`.
        skipped: Receives one row a picture that was skipped, `SKIPPED_SCHEMA`.
    """
    found = [(entry, *result) for entry, result in zip(entries, results, strict=True) if not isinstance(result, str)]
    reasons = [(entry.key, result) for entry, result in zip(entries, results, strict=True) if isinstance(result, str)]
    for key, reason in reasons:
        log.warning("skipped %r: %s", key, reason)
    regions = [of_picture for _, _, _, of_picture in found]
    columns = {
        **picture_columns([entry for entry, *_ in found], [(width, height) for _, width, height, _ in found]),
        **rect_columns([of_picture[:, :4] for of_picture in regions]),
        "size": pa.array([of_picture[:, 4] for of_picture in regions], pa.list_(pa.int32())),
    }
    write_table(raw, pa.table(columns, schema=RAW_SCHEMA))
    told = {"key": [key for key, _ in reasons], "reason": [reason for _, reason in reasons]}
    write_table(skipped, pa.table(told, schema=SKIPPED_SCHEMA))
