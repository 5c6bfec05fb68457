"""The merge stage: the shards' proposals to one store, with the counts that the report shows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from soco.errors import UserError
from soco.stores.files import write_json
from soco.stores.merged import write_arrow
from soco.stores.parquet import read_table, write_table
from soco.stores.schema import PROPOSAL_SCHEMA, RECT_COLUMNS, SKIPPED_SCHEMA

Paths = Sequence[str | Path]


def merge_shards(
    filtered: Paths,
    fixed: Paths,
    skipped: Paths,
    max_skipped: float,
    store: str | Path,
    arrow: str | Path,
    skipped_store: str | Path,
    summary: str | Path,
) -> dict[str, Any]:
    """Merge the shards, in their order, into the Parquet store and the Arrow file that training maps.

    Args:
        filtered: The shards after the filter; only counted.
        fixed: The shards after the fix-up; these are merged.
        skipped: The shards' unreadable pictures.
        max_skipped: Largest share of unreadable pictures allowed.
        store: Receives the merged Parquet store.
        arrow: Receives the same as an Arrow IPC file.
        skipped_store: Receives the merged table of unreadable pictures.
        summary: Receives the counts as JSON, which are returned as well.

    Raises:
        UserError: Too many pictures were skipped, or none could be read.
    """
    table = pa.concat_tables([read_table(path, PROPOSAL_SCHEMA) for path in fixed])
    unreadable = pa.concat_tables([read_table(path, SKIPPED_SCHEMA) for path in skipped])
    _check_skipped(len(table), unreadable, max_skipped)
    counts = _summary(pa.concat_tables([read_table(path, PROPOSAL_SCHEMA) for path in filtered]), table, unreadable)
    write_table(store, table)
    write_arrow(arrow, table)
    write_table(skipped_store, unreadable)
    write_json(summary, counts)
    return counts


def _check_skipped(read: int, unreadable: pa.Table, max_skipped: float) -> None:
    share = len(unreadable) / max(1, read + len(unreadable))
    if read and share <= max_skipped:
        return
    first = "; ".join(f"{row['key']}: {row['reason']}" for row in unreadable.slice(0, 3).to_pylist())
    raise UserError(
        f"{len(unreadable)} of {read + len(unreadable)} pictures could not be read, more than pictures.max_skipped = "
        f"{max_skipped} allows ({first}); mend or remove them, or raise pictures.max_skipped."
    )


def _summary(filtered: pa.Table, fixed: pa.Table, unreadable: pa.Table) -> dict[str, Any]:
    strategies = fixed["strategy"].value_counts().to_pylist()
    return {
        "pictures": len(fixed),
        "skipped": len(unreadable),
        "regions": pc.sum(fixed["regions"]).as_py(),
        "proposals_after_filter": _boxes(filtered),
        "proposals_after_fix_up": _boxes(fixed),
        "pictures_without_proposals_after_filter": _empty(filtered),
        "pictures_without_proposals_after_fix_up": _empty(fixed),
        "pictures_by_strategy": {row["values"] or "no proposals": row["counts"] for row in strategies},
    }


def _boxes(table: pa.Table) -> int:
    return pc.sum(pc.list_value_length(table[RECT_COLUMNS[0]])).as_py()


def _empty(table: pa.Table) -> int:
    return pc.sum(pc.equal(pc.list_value_length(table[RECT_COLUMNS[0]]), 0)).as_py()
