"""The columns of each proposal store: one row per image, regions or proposals in list columns."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from soco.data.contents import content_of
from soco.data.sources import Entry

# A rect is left, top, width, height, in pixels of the image; int16 allows for sides up to
# `LONGEST_SIDE`.
RECT_COLUMNS = ("left", "top", "box_width", "box_height")

# The location of an image in its source (an `Entry`), and its size in pixels, upright.
_IMAGE = [
    pa.field("key", pa.string()),
    pa.field("container", pa.string()),
    pa.field("offset", pa.int64()),
    pa.field("bytes", pa.int64()),
    pa.field("content", pa.int64()),
    pa.field("width", pa.int32()),
    pa.field("height", pa.int32()),
]
_PLACE = ("key", "container", "offset", "bytes")
_RECTS = [pa.field(name, pa.list_(pa.int16())) for name in RECT_COLUMNS]
IMAGE_COLUMNS = tuple(field.name for field in _IMAGE)

# Every region of selective search, in the order of its output; `size` is the number of a region's
# pixels (0: unknown).
RAW_SCHEMA = pa.schema([*_IMAGE, *_RECTS, pa.field("size", pa.list_(pa.int32()))])

# The regions that a filter kept; `regions` is their number before the filter, `strategy` the one
# that kept these ("" if none did).
PROPOSAL_SCHEMA = pa.schema(
    [*_IMAGE, pa.field("regions", pa.int32()), pa.field("strategy", pa.string()), *_RECTS]
)

SKIPPED_SCHEMA = pa.schema([("key", pa.string()), ("reason", pa.string())])


def entry_of(row: Mapping[str, Any]) -> Entry:
    """The image of a row; a row of a shard has its whole hash, a row of a store the first bytes."""
    content = row["content"] if "content" in row else content_of(row["sha256"])
    return Entry(row["key"], row["container"], row["offset"], row["bytes"], content)


def entries_of(table: pa.Table) -> list[Entry]:
    """`entry_of` for each row of a shard or store."""
    hashed = "content" if "content" in table.schema.names else "sha256"
    return [entry_of(row) for row in table.select([*_PLACE, hashed]).to_pylist()]


def image_columns(
    entries: Sequence[Entry], sizes: Sequence[tuple[int, int]]
) -> dict[str, list[Any]]:
    """The columns that identify each row's image.

    Args:
        entries: One per row.
        sizes: Width and height of each, in pixels.
    """
    places = {name: [getattr(entry, name) for entry in entries] for name in (*_PLACE, "content")}
    return {
        **places,
        "width": [width for width, _ in sizes],
        "height": [height for _, height in sizes],
    }


def rect_columns(rects: Sequence[npt.NDArray[np.integer]]) -> dict[str, pa.Array]:
    """Turn one (N, 4) array per image, of sides up to `LONGEST_SIDE`, into four list columns."""
    counts = np.array([len(of_image) for of_image in rects], np.int64)
    # The empty array first: a table may have no row, and NumPy refuses to concatenate none.
    return flat_rect_columns(np.concatenate([np.empty((0, 4), np.int64), *rects]), counts)


def flat_rect_columns(
    rects: npt.NDArray[np.integer], counts: npt.NDArray[np.integer]
) -> dict[str, pa.Array]:
    """The same from the concatenated rects of all images, (N, 4), and the number in each image."""
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
    return {
        name: pa.ListArray.from_arrays(offsets, pa.array(rects[:, column].astype(np.int16)))
        for column, name in enumerate(RECT_COLUMNS)
    }


def flat_rects(table: pa.Table) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int64]]:
    """The inverse of `flat_rect_columns`: the rects of all rows, (N, 4), and the number in each."""
    columns = [table[name].combine_chunks() for name in RECT_COLUMNS]
    flat = np.stack([column.flatten().to_numpy() for column in columns], axis=1)
    return flat, columns[0].value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)


def rects_of(table: pa.Table) -> list[npt.NDArray[np.int16]]:
    """The inverse of `rect_columns`: one (N, 4) int16 array per row of the table."""
    flat, counts = flat_rects(table)
    return np.split(flat, np.cumsum(counts)[:-1]) if len(table) else []
