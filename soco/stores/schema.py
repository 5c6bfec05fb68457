"""What a row of each proposal store holds: one row a picture, its regions or proposals in list columns."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

# A rect is left, top, width, height, in pixels of the picture; int16 holds pictures up to 32767 pixels a side.
RECT_COLUMNS = ("left", "top", "box_width", "box_height")
LONGEST_SIDE = int(np.iinfo(np.int16).max)

_PICTURE = [pa.field("key", pa.string()), pa.field("width", pa.int32()), pa.field("height", pa.int32())]
_RECTS = [pa.field(name, pa.list_(pa.int16())) for name in RECT_COLUMNS]

# Every region that selective search made, in the order it made them; `size` counts a region's pixels (0: not told).
RAW_SCHEMA = pa.schema([*_PICTURE, *_RECTS, pa.field("size", pa.list_(pa.int32()))])

# The regions that a strategy kept; `regions` is how many there were, `strategy` the one that kept these ("": none did).
PROPOSAL_SCHEMA = pa.schema([*_PICTURE, pa.field("regions", pa.int32()), pa.field("strategy", pa.string()), *_RECTS])

SKIPPED_SCHEMA = pa.schema([("key", pa.string()), ("reason", pa.string())])


def rect_columns(rects: Sequence[npt.NDArray[np.integer]]) -> dict[str, pa.Array]:
    """Turn one (N, 4) array a picture, of sides up to `LONGEST_SIDE`, into the four list columns."""
    counts = [len(of_picture) for of_picture in rects]
    together = np.concatenate([np.empty((0, 4), np.int64), *rects])
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
    return {
        name: pa.ListArray.from_arrays(offsets, pa.array(together[:, column].astype(np.int16)))
        for column, name in enumerate(RECT_COLUMNS)
    }


def rects_of(table: pa.Table) -> list[npt.NDArray[np.int16]]:
    """The inverse of `rect_columns`: one (N, 4) int16 array for each row of the table."""
    columns = [table[name].combine_chunks() for name in RECT_COLUMNS]
    flat = np.stack([column.flatten().to_numpy() for column in columns], axis=1)
    counts = columns[0].value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
    return np.split(flat, np.cumsum(counts)[:-1]) if len(table) else []
