"""The merge stage: put the shards' proposals into one store, and count them for the report."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from soco.config import FilterConfig
from soco.data.stores.merging import merge_files, proposal_tables
from soco.data.stores.parquet import read_table, write_table, write_tables
from soco.data.stores.proposal_store import ProposalStore, write_arrow
from soco.data.stores.schema import PROPOSAL_SCHEMA, RECT_COLUMNS, SKIPPED_SCHEMA
from soco.data.stores.without_proposals import count_without
from soco.errors import UserError
from soco.io import Origin, write_json
from soco.proposals.filters import left_empty

log = logging.getLogger(__name__)

Paths = Sequence[str | Path]


@dataclass(frozen=True)
class MergeJob:
    """The merge of all shards.

    Attributes:
        filtered: The shards after the filter; they are only counted.
        fixed: The shards after the fallbacks; these are merged.
        skipped: The shards' unreadable images.
        settings: The filter and fallbacks that made the shards.
        max_skipped: Largest share of unreadable images allowed.
        store: Receives the merged Parquet store.
        arrow: Receives the same as an Arrow IPC file, which training maps.
        skipped_store: Receives the merged table of unreadable images.
        summary: Receives the counts as JSON.
        origin: What makes the files.
    """

    filtered: Paths
    fixed: Paths
    skipped: Paths
    settings: FilterConfig
    max_skipped: float
    store: str | Path
    arrow: str | Path
    skipped_store: str | Path
    summary: str | Path
    origin: Origin | None = None


def merge_shards(job: MergeJob) -> dict[str, Any]:
    """Merge the shards into stores that are sorted by key.

    Returns:
        The counts of `job.summary`.

    Raises:
        UserError: Too many images were skipped, none could be read, or two shards have one image.
    """
    skipped = [read_table(path, SKIPPED_SCHEMA) for path in job.skipped]
    # Sorted, so that the table does not depend on the number of shards.
    unreadable = pa.concat_tables(skipped).sort_by("key")
    merged = merge_files(job.fixed)
    _check_skipped(len(merged), unreadable, job.max_skipped)
    # One list column is enough to count boxes: all four have the same lengths.
    column = RECT_COLUMNS[0]
    kept = (read_table(path, PROPOSAL_SCHEMA, [column])[column] for path in job.filtered)
    counts = _summary(kept, merged, unreadable, job.settings)
    write_tables(job.store, PROPOSAL_SCHEMA, proposal_tables(merged), origin=job.origin)
    write_arrow(job.arrow, merged, job.origin)
    _log_without_proposals(ProposalStore(job.arrow), job.settings)
    write_table(job.skipped_store, unreadable, origin=job.origin)
    write_json(job.summary, counts, job.origin)
    return counts


def _log_without_proposals(store: ProposalStore, settings: FilterConfig) -> None:
    counts = count_without(store)
    if counts.without:
        log.warning(
            "%s; pretraining uses each of these as one box, the whole image, and refuses more than"
            " pretrain.NAME.max_without_proposals",
            counts.words(settings),
        )


def _check_skipped(read: int, unreadable: pa.Table, max_skipped: float) -> None:
    share = len(unreadable) / max(1, read + len(unreadable))
    # Without a single readable image there is nothing to train on, whatever max_skipped allows.
    if read and share <= max_skipped:
        return
    raise UserError(
        "proposals.too_many_skipped",
        "{skipped} of {images} images could not be read, more than images.max_skipped ="
        " {max_skipped} allows ({examples}); repair or remove them, or raise images.max_skipped.",
        skipped=len(unreadable),
        images=read + len(unreadable),
        max_skipped=max_skipped,
        examples="; ".join(
            f"{row['key']!r}: {row['reason']}" for row in unreadable.slice(0, 3).to_pylist()
        ),
    )


def _summary(
    filtered: Iterable[pa.ChunkedArray],
    merged: pa.RecordBatch,
    unreadable: pa.Table,
    settings: FilterConfig,
) -> dict[str, Any]:
    filtered_boxes, filtered_empty = _count(filtered)
    boxes, empty = _count([merged["rects"]])
    strategies = {
        row["values"]: row["counts"] for row in merged["strategy"].value_counts().to_pylist()
    }
    return {
        "images": len(merged),
        "skipped": len(unreadable),
        "regions": pc.sum(merged["regions"]).as_py(),
        "proposals_after_filter": filtered_boxes,
        "proposals_after_fallbacks": boxes,
        "images_without_proposals_after_filter": filtered_empty,
        "images_without_proposals_after_fallbacks": empty,
        "images_without_proposals_after": [[*step] for step in left_empty(strategies, settings)],
        "images_by_strategy": {
            name or "no proposals": count for name, count in sorted(strategies.items())
        },
    }


def _count(lists: Iterable[pa.ChunkedArray | pa.Array]) -> tuple[int, int]:
    """Sum the lengths of list columns, and count the empty rows."""
    boxes = empty = 0
    for column in lists:
        lengths = pc.list_value_length(column)
        # The sum over no rows is null: a shard may be empty.
        boxes += pc.sum(lengths).as_py() or 0
        empty += pc.sum(pc.equal(lengths, 0)).as_py() or 0
    return boxes, empty
