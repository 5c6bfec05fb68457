"""The merge stage: the shards' proposals to one store, with the counts that the report shows."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from soco.config import FilterConfig
from soco.data.stores.merged import ProposalStore, write_arrow
from soco.data.stores.merging import merge_files, proposal_tables
from soco.data.stores.parquet import read_table, write_table, write_tables
from soco.data.stores.schema import PROPOSAL_SCHEMA, RECT_COLUMNS, SKIPPED_SCHEMA
from soco.data.stores.without_proposals import count_without
from soco.errors import UserError
from soco.io import write_result
from soco.proposals.filters import left_empty

log = logging.getLogger(__name__)

Paths = Sequence[str | Path]


def merge_shards(
    filtered: Paths,
    fixed: Paths,
    skipped: Paths,
    settings: FilterConfig,
    max_skipped: float,
    store: str | Path,
    arrow: str | Path,
    skipped_store: str | Path,
    summary: str | Path,
) -> dict[str, Any]:
    """Merge the shards, sorted by key, into the Parquet store and the Arrow file that training
    maps.

    Args:
        filtered: The shards after the filter; only counted.
        fixed: The shards after the fix-up; these are merged.
        skipped: The shards' unreadable images.
        settings: The filter and fallbacks that made the shards.
        max_skipped: Largest share of unreadable images allowed.
        store: Receives the merged Parquet store.
        arrow: Receives the same as an Arrow IPC file.
        skipped_store: Receives the merged table of unreadable images.
        summary: Receives the counts as JSON, which are returned as well.

    Raises:
        UserError: Too many images were skipped, none could be read, or two shards hold one image.
    """
    unreadable = pa.concat_tables([read_table(path, SKIPPED_SCHEMA) for path in skipped]).sort_by(
        "key"
    )
    merged = merge_files(fixed)
    _check_skipped(len(merged), unreadable, max_skipped)
    kept = (
        read_table(path, PROPOSAL_SCHEMA, [RECT_COLUMNS[0]])[RECT_COLUMNS[0]] for path in filtered
    )
    counts = _summary(kept, merged, unreadable, settings)
    write_tables(store, PROPOSAL_SCHEMA, proposal_tables(merged))
    write_arrow(arrow, merged)
    _log_without_proposals(ProposalStore(arrow), settings)
    write_table(skipped_store, unreadable)
    write_result(summary, counts)
    return counts


def _log_without_proposals(store: ProposalStore, settings: FilterConfig) -> None:
    found = count_without(store)
    if found.without:
        log.warning(
            "%s; pretraining takes each of them as one box, the whole image, and refuses more than "
            "pretrain.NAME.max_without_proposals",
            found.words(settings),
        )


def _check_skipped(read: int, unreadable: pa.Table, max_skipped: float) -> None:
    share = len(unreadable) / max(1, read + len(unreadable))
    if read and share <= max_skipped:
        return
    first = "; ".join(
        f"{row['key']!r}: {row['reason']}" for row in unreadable.slice(0, 3).to_pylist()
    )
    raise UserError(
        f"{len(unreadable)} of {read + len(unreadable)} images could not be read, more than"
        f" images.max_skipped = {max_skipped} allows ({first}); mend or remove them, or raise"
        " images.max_skipped."
    )


def _summary(
    filtered: Iterable[pa.ChunkedArray],
    merged: pa.RecordBatch,
    unreadable: pa.Table,
    settings: FilterConfig,
) -> dict[str, Any]:
    boxes, empty = _count(filtered)
    boxes_fixed, empty_fixed = _count([merged["rects"]])
    strategies = {
        row["values"]: row["counts"] for row in merged["strategy"].value_counts().to_pylist()
    }
    return {
        "images": len(merged),
        "skipped": len(unreadable),
        "regions": pc.sum(merged["regions"]).as_py(),
        "proposals_after_filter": boxes,
        "proposals_after_fix_up": boxes_fixed,
        "images_without_proposals_after_filter": empty,
        "images_without_proposals_after_fix_up": empty_fixed,
        "images_without_proposals_after": [[*step] for step in left_empty(strategies, settings)],
        "images_by_strategy": {
            name or "no proposals": count for name, count in sorted(strategies.items())
        },
    }


def _count(lists: Iterable[pa.ChunkedArray | pa.Array]) -> tuple[int, int]:
    """How many boxes some list columns hold together, and how many rows hold none."""
    boxes = empty = 0
    for column in lists:
        lengths = pc.list_value_length(column)
        boxes += pc.sum(lengths).as_py() or 0
        empty += pc.sum(pc.equal(lengths, 0)).as_py() or 0
    return boxes, empty
