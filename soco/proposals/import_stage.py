"""The import stage: boxes that others made take the place of the search's regions."""

import itertools
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from soco.config import ImagesConfig
from soco.data import SHARD_SCHEMA, UnreadableImageError
from soco.data.read import LONGEST_SIDE, check_pixels
from soco.data.stores.parquet import read_table
from soco.data.stores.schema import entries_of
from soco.errors import UserError
from soco.proposals.exchange import Boxes, read_boxes
from soco.proposals.names import ImageNames
from soco.proposals.raw import Found, write_found

log = logging.getLogger(__name__)

Size = tuple[int, int]
Rects = npt.NDArray[np.int16]
Paths = Sequence[str | Path]
_NO_RECTS: Rects = np.empty((0, 4), np.int16)


def import_shards(
    shards: Paths, file: str | Path, images: ImagesConfig, raw: Paths, skipped: Paths
) -> None:
    """Give the images of all shards the boxes of a file, rounded to whole pixels and cut at the
    image's edge.

    An image goes in the file by its whole key, by its base name, or by its base name without
    suffix; the first of these that is there counts. An image that the file does not name gets no
    region.

    Args:
        shards: The shards' Parquet files, `SHARD_SCHEMA`; they tell the images' sizes.
        file: Parquet or JSON, see `read_boxes`.
        images: How large an image may be.
        raw: Receive, for each shard, one row an image that can be read, `RAW_SCHEMA`.
        skipped: Receive, for each shard, one row an image that cannot, `SKIPPED_SCHEMA`.

    Raises:
        UserError: The file is missing or holds something else, or names an image in a way that fits
            two.
    """
    tables = [read_table(shard, SHARD_SCHEMA) for shard in shards]
    entries, sizes = [entries_of(table) for table in tables], [_sizes(table) for table in tables]
    names = ImageNames(entry.key for of_shard in entries for entry in of_shard)
    rects = _read_rects(names, list(itertools.chain.from_iterable(sizes)), file)
    number = itertools.count()
    for of_shard, of_sizes, to_raw, to_skipped in zip(entries, sizes, raw, skipped, strict=True):
        results = [
            _found(size, rects.get(next(number), _NO_RECTS), images.max_pixels) for size in of_sizes
        ]
        write_found(of_shard, results, to_raw, to_skipped)


def _sizes(table: pa.Table) -> list[Size]:
    """Width and height of each image; 0 where the shard does not know."""
    return [
        (row["width"] or 0, row["height"] or 0)
        for row in table.select(["width", "height"]).to_pylist()
    ]


def _found(size: Size, rects: Rects, max_pixels: int) -> Found:
    width, height = size
    if width < 1 or height < 1:
        return "its size is not known"
    if max(size) > LONGEST_SIDE:
        return f"longer than {LONGEST_SIDE} pixels"
    try:
        check_pixels(width * height, max_pixels)
    except UnreadableImageError as error:
        return str(error)
    return width, height, np.column_stack([rects, np.zeros(len(rects), np.int32)]).astype(np.int32)


def _read_rects(names: ImageNames, sizes: Sequence[Size], file: str | Path) -> dict[int, Rects]:
    """The rects of each image that the file names, by the image's number; logs what did not fit."""
    rects: dict[int, Rects] = {}
    levels: dict[int, int] = {}
    cut: dict[int, int] = {}
    left = 0
    for name, boxes in read_boxes(file):
        match = names.find(name)
        if match is None:
            left += 1
            continue
        number, level = match
        if levels.get(number) == level:
            raise UserError(f"{file} has two entries {name!r}; remove one of them.")
        left += number in levels
        if level < levels.get(number, level + 1):
            levels[number] = level
            rects[number], cut[number] = _to_rects(boxes, sizes[number])
    log.info("%d of %d images have an entry in %s", len(rects), len(sizes), file)
    _warn(len(sizes) - len(rects), "images have no entry in %s and get no region", file)
    _warn(
        left,
        "entries of %s were left: no image has their name, or another entry names it more fully",
        file,
    )
    _warn(
        sum(cut.values()), "boxes of %s reached beyond their image and were cut at its edge", file
    )
    return rects


def _warn(count: int, message: str, file: str | Path) -> None:
    if count:
        log.warning("%d " + message, count, file)


def _to_rects(boxes: Boxes, size: Size) -> tuple[Rects, int]:
    """Round boxes and cut them at the image's edge.

    (N, 4) left, top, width, height, and how many were cut.
    """
    rounded = np.rint(boxes)
    corner, opposite = rounded[:, :2], rounded[:, :2] + rounded[:, 2:]
    inner_corner, inner_opposite = np.clip(corner, 0, size), np.clip(opposite, 0, size)
    cut = ((corner != inner_corner) | (opposite != inner_opposite)).any(axis=1)
    sides = np.maximum(inner_opposite - inner_corner, 0)
    return np.concatenate([inner_corner, sides], axis=1).astype(np.int16), int(cut.sum())
