"""Merge the rows of all shards into one store, sorted by key and independent of the shards."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from soco.data.stores.parquet import read_table
from soco.data.stores.proposal_store import MAX_RECTS, STORE_SCHEMA
from soco.data.stores.schema import (
    IMAGE_COLUMNS,
    PROPOSAL_SCHEMA,
    RECT_COLUMNS,
    flat_rect_columns,
    flat_rects,
)
from soco.errors import UserError

ROWS_AT_ONCE = 1 << 16
_COUNTED = ("regions", "strategy")

Counts = npt.NDArray[np.int64]
Rects = npt.NDArray[np.int16]


def merge_files(paths: Sequence[str | Path]) -> pa.RecordBatch:
    """Merge proposal shards, sorted by key.

    Each file is read twice, first without its rects, so that the rects are in memory only once.
    Together with the other columns, this takes about twice the memory of the store.

    Args:
        paths: Parquet files of `PROPOSAL_SCHEMA`.

    Returns:
        One batch of `STORE_SCHEMA`. The same rows give the same batch, however they were split into
        files.

    Raises:
        UserError: A file is missing or has other columns, two rows have the same key, or there are
            too many rects for a store.
    """
    images, counts = _read_images(paths)
    order = pc.sort_indices(images["key"]).to_numpy()
    offsets = np.concatenate([[0], np.cumsum(counts[order])])
    _check_rects(int(offsets[-1]))
    # Rows are read in the order of the files, and their rects stored in the order of the keys.
    starts = np.empty(len(order), np.int64)
    starts[order] = offsets[:-1]
    flat = pa.FixedSizeListArray.from_arrays(
        pa.array(_read_rects(paths, starts, int(offsets[-1])).reshape(-1)), 4
    )
    return _batch(
        images.take(pa.array(order)),
        pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), flat),
    )


def proposal_tables(batch: pa.RecordBatch, rows: int = ROWS_AT_ONCE) -> Iterator[pa.Table]:
    """Yield a store's rows as tables of `PROPOSAL_SCHEMA` of at most `rows` rows."""
    offsets = batch["rects"].offsets.to_numpy()
    rects = batch["rects"].values.values.to_numpy().reshape(-1, 4)
    for first in range(0, len(batch), rows):
        part = pa.table(batch.slice(first, rows))
        last = first + len(part)
        columns = flat_rect_columns(
            rects[offsets[first] : offsets[last]], np.diff(offsets[first : last + 1])
        )
        copied = {
            name: part[name].cast(PROPOSAL_SCHEMA.field(name).type)
            for name in (*IMAGE_COLUMNS, *_COUNTED)
        }
        yield pa.table({**copied, **columns}, schema=PROPOSAL_SCHEMA)


def _read_images(paths: Sequence[str | Path]) -> tuple[pa.Table, Counts]:
    """All columns but the rects, and the number of rects of each row."""
    columns = [name for name in PROPOSAL_SCHEMA.names if name not in RECT_COLUMNS]
    # The empty ones first: without shards there would be nothing to concatenate.
    tables, counts = [PROPOSAL_SCHEMA.empty_table().select(columns)], [np.empty(0, np.int64)]
    for path in paths:
        table = read_table(path, PROPOSAL_SCHEMA, [*columns, RECT_COLUMNS[0]])
        counts.append(pc.list_value_length(table[RECT_COLUMNS[0]]).to_numpy().astype(np.int64))
        tables.append(table.select(columns))
    return pa.concat_tables(tables).combine_chunks(), np.concatenate(counts)


def _read_rects(paths: Sequence[str | Path], starts: Counts, total: int) -> Rects:
    """The rects of all rows; those of row `n` begin at `starts[n]`."""
    placed: Rects = np.empty((total, 4), np.int16)
    row = 0
    for path in paths:
        rects, counts = flat_rects(read_table(path, PROPOSAL_SCHEMA, list(RECT_COLUMNS)))
        own_starts = np.cumsum(counts) - counts
        shift = np.repeat(starts[row : row + len(counts)] - own_starts, counts)  # (rects,)
        placed[np.arange(len(rects)) + shift] = rects
        row += len(counts)
    return placed


def _batch(images: pa.Table, rects: pa.ListArray) -> pa.RecordBatch:
    columns = {name: images[name].combine_chunks() for name in images.column_names}
    _check_keys(columns["key"])
    # Encoded after sorting: a dictionary lists its words in the order of their appearance.
    for name in ("container", "strategy"):
        words, kind = columns[name].dictionary_encode(), STORE_SCHEMA.field(name).type
        columns[name] = pa.DictionaryArray.from_arrays(
            words.indices.cast(kind.index_type), words.dictionary
        )
    columns["rects"] = rects
    return pa.RecordBatch.from_arrays(
        [columns[field.name].cast(field.type) for field in STORE_SCHEMA], schema=STORE_SCHEMA
    )


def _check_rects(total: int) -> None:
    if total > MAX_RECTS:
        raise UserError(
            "data.too_many_proposals",
            "The shards contain {total} proposals, but a store at most {most}; choose a filter that"
            " keeps fewer, or pretrain on fewer images.",
            total=total,
            most=MAX_RECTS,
        )


def _check_keys(keys: pa.StringArray) -> None:
    """Refuse equal keys, which are neighbours because the keys are sorted."""
    same = pc.equal(keys[1:], keys[:-1])
    if pc.any(same).as_py():
        twice = keys[pc.index(same, True).as_py()].as_py()
        raise UserError(
            "data.image_in_two_shards",
            "The shards contain the image {key!r} twice; remove one of the two and run"
            " `snakemake shards` again.",
            key=twice,
        )
