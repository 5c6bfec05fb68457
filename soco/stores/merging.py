"""Rows of many shards to the rows of one store, sorted by key, so that no trace of the shards is left."""

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from soco.errors import UserError
from soco.stores.merged import MOST_RECTS, STORE_SCHEMA
from soco.stores.schema import PICTURE_COLUMNS, PROPOSAL_SCHEMA, RECT_COLUMNS, flat_rect_columns, flat_rects

ROWS_AT_ONCE = 1 << 16
_COUNTED = ("regions", "strategy")

Counts = npt.NDArray[np.int64]
Rects = npt.NDArray[np.int16]


def merge_tables(tables: Iterable[pa.Table]) -> pa.RecordBatch:
    """Put proposal tables together, sorted by key.

    At most two copies of the rects are held at a time, beside the table that was read last.

    Args:
        tables: Of `PROPOSAL_SCHEMA`; taken one by one.

    Returns:
        One batch of `STORE_SCHEMA`. The same rows give the same batch, however they were dealt into tables.

    Raises:
        UserError: Two rows have one key, or there are more rects than a store can hold.
    """
    pictures = [PROPOSAL_SCHEMA.empty_table().drop_columns(RECT_COLUMNS)]
    parts: deque[tuple[Rects, Counts]] = deque()
    for table in tables:
        pictures.append(table.drop_columns(RECT_COLUMNS))
        parts.append(flat_rects(table))
    together = pa.concat_tables(pictures).combine_chunks()
    order = pc.sort_indices(together["key"]).to_numpy()
    counts = np.concatenate([np.empty(0, np.int64), *(counts for _, counts in parts)])
    _check_rects(int(counts.sum()))
    offsets = np.concatenate([[0], np.cumsum(counts[order])])
    starts = np.empty(len(order), np.int64)
    starts[order] = offsets[:-1]
    flat = pa.FixedSizeListArray.from_arrays(pa.array(_place(parts, starts, int(offsets[-1])).reshape(-1)), 4)
    return _batch(together.take(pa.array(order)), pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), flat))


def proposal_tables(batch: pa.RecordBatch, rows: int = ROWS_AT_ONCE) -> Iterator[pa.Table]:
    """Yield a store's rows as tables of `PROPOSAL_SCHEMA`, so many at a time."""
    offsets = batch["rects"].offsets.to_numpy()
    rects = batch["rects"].values.values.to_numpy().reshape(-1, 4)
    for first in range(0, len(batch), rows):
        part = pa.table(batch.slice(first, rows))
        last = first + len(part)
        columns = flat_rect_columns(rects[offsets[first] : offsets[last]], np.diff(offsets[first : last + 1]))
        held = {name: part[name].cast(PROPOSAL_SCHEMA.field(name).type) for name in (*PICTURE_COLUMNS, *_COUNTED)}
        yield pa.table({**held, **columns}, schema=PROPOSAL_SCHEMA)


def _place(parts: deque[tuple[Rects, Counts]], starts: Counts, total: int) -> Rects:
    """Copy each row's rects to where its place in the sorted order begins; parts are let go one by one."""
    placed: Rects = np.empty((total, 4), np.int16)
    row = 0
    while parts:
        rects, counts = parts.popleft()
        own_starts = np.cumsum(counts) - counts
        shift = np.repeat(starts[row : row + len(counts)] - own_starts, counts)
        placed[np.arange(len(rects)) + shift] = rects
        row += len(counts)
    return placed


def _batch(pictures: pa.Table, rects: pa.ListArray) -> pa.RecordBatch:
    columns = {name: pictures[name].combine_chunks() for name in pictures.column_names}
    _check_keys(columns["key"])
    # Encoded in the sorted order: a dictionary lists its words as they come.
    for name in ("container", "strategy"):
        words, kind = columns[name].dictionary_encode(), STORE_SCHEMA.field(name).type
        columns[name] = pa.DictionaryArray.from_arrays(words.indices.cast(kind.index_type), words.dictionary)
    columns["rects"] = rects
    return pa.RecordBatch.from_arrays(
        [columns[field.name].cast(field.type) for field in STORE_SCHEMA], schema=STORE_SCHEMA
    )


def _check_rects(total: int) -> None:
    if total > MOST_RECTS:
        raise UserError(
            f"The shards hold {total} proposals and a store at most {MOST_RECTS}; "
            "choose a filter that keeps fewer, or pretrain on fewer pictures."
        )


def _check_keys(keys: pa.StringArray) -> None:
    """Sorted, equal keys are neighbours."""
    same = pc.equal(keys[1:], keys[:-1])
    if pc.any(same).as_py():
        twice = keys[pc.index(same, True).as_py()].as_py()
        raise UserError(f"The shards hold the picture {twice!r} twice; remove one of the two and run `shards` again.")
