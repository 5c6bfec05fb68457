"""The import stage: boxes from a file replace the regions of the search."""

import itertools
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from soco.config import ImagesConfig
from soco.data import SHARD_SCHEMA, UnreadableImageError
from soco.data.read import LONGEST_SIDE, check_pixels
from soco.data.stores.parquet import read_table
from soco.data.stores.schema import entries_of
from soco.errors import UserError
from soco.io import Origin
from soco.proposals.exchange import FileBoxes, read_boxes
from soco.proposals.raw import SearchResult, write_raw

log = logging.getLogger(__name__)

Size = tuple[int, int]
Rects = npt.NDArray[np.int16]
Paths = Sequence[str | Path]
_NO_RECTS: Rects = np.empty((0, 4), np.int16)


def import_shards(
    shards: Paths,
    file: str | Path,
    images: ImagesConfig,
    raw: Paths,
    skipped: Paths,
    origin: Origin | None = None,
) -> None:
    """Give the images of all shards the boxes of a file, rounded and clipped to the image.

    The file names an image by its key, by its base name, or by its base name without suffix; if
    several match, the fullest name counts. An image that the file does not name gets no region.

    Args:
        shards: The shards' Parquet files, `SHARD_SCHEMA`; they have the images' sizes.
        file: Parquet or JSON, see `read_boxes`.
        images: How large an image may be.
        raw: For each shard, receives one row for each readable image, `RAW_SCHEMA`.
        skipped: For each shard, receives one row for each unreadable image, `SKIPPED_SCHEMA`.
        origin: What makes the stores.

    Raises:
        UserError: The file is missing or in another format, or a name in it fits two images.
    """
    tables = [read_table(shard, SHARD_SCHEMA) for shard in shards]
    entries, sizes = [entries_of(table) for table in tables], [_sizes(table) for table in tables]
    names = ImageNames(entry.key for of_shard in entries for entry in of_shard)
    rects = _read_rects(names, list(itertools.chain.from_iterable(sizes)), file)
    # Counts through all shards, as `names` numbered the images.
    number = itertools.count()
    for of_shard, of_sizes, to_raw, to_skipped in zip(entries, sizes, raw, skipped, strict=True):
        results = [
            _as_result(size, rects.get(next(number), _NO_RECTS), images.max_pixels)
            for size in of_sizes
        ]
        write_raw(of_shard, results, to_raw, to_skipped, origin)


class ImageNames:
    """Finds images by key, by base name, or by base name without suffix."""

    def __init__(self, keys: Iterable[str]) -> None:
        """Take the images' keys, in the order of their numbers."""
        self._keys = list(keys)
        self._numbers: tuple[dict[str, int], ...] = ({}, {}, {})
        self._shared: tuple[dict[str, int], ...] = ({}, {}, {})
        for number, key in enumerate(self._keys):
            base = PurePosixPath(key).name
            for level, name in enumerate((key, base, PurePosixPath(base).stem)):
                # The first image keeps the name. The second only marks it as shared: an error if it
                # is used.
                if self._numbers[level].setdefault(name, number) != number:
                    self._shared[level][name] = number

    def find(self, name: str) -> tuple[int, int] | None:
        """Find the image of a name.

        Returns:
            The image's number, and the kind of name: 0 the key, 1 the base name, 2 its stem. None
            if no image has the name.

        Raises:
            UserError: Two images have it.
        """
        for level, (numbers, shared) in enumerate(zip(self._numbers, self._shared, strict=True)):
            if name in shared:
                raise UserError(
                    "proposals.ambiguous_name",
                    "The name {name!r} in the file of boxes fits two images, {first!r} and"
                    " {second!r}; name images by their keys, the paths below images.path.",
                    name=name,
                    first=self._keys[numbers[name]],
                    second=self._keys[shared[name]],
                )
            if name in numbers:
                return numbers[name], level
        return None


def _sizes(table: pa.Table) -> list[Size]:
    """Width and height of each image; 0 if unknown."""
    return [
        (row["width"] or 0, row["height"] or 0)
        for row in table.select(["width", "height"]).to_pylist()
    ]


def _as_result(size: Size, rects: Rects, max_pixels: int) -> SearchResult:
    width, height = size
    # The listing has 0 where it could not read the image's header.
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
    """Read the rects of each image in the file, by the image's number, and log what did not fit."""
    rects: dict[int, Rects] = {}
    levels: dict[int, int] = {}
    clipped: dict[int, int] = {}
    unused = 0
    for name, boxes in read_boxes(file):
        match = names.find(name)
        if match is None:
            unused += 1
            continue
        number, level = match
        if levels.get(number) == level:
            raise UserError(
                "proposals.duplicate_entry",
                "{file} has two entries for {name!r}; remove one of them.",
                file=file,
                name=name,
            )
        # Whichever name of an image is fuller, one of its two entries is unused.
        unused += number in levels
        if level < levels.get(number, level + 1):
            levels[number] = level
            rects[number], clipped[number] = _to_rects(boxes, sizes[number])
    log.info("%d of %d images have an entry in %s", len(rects), len(sizes), file)
    _warn(len(sizes) - len(rects), "images have no entry in %s and get no region", file)
    _warn(unused, "entries of %s are unused: no image, or a fuller name of the same image", file)
    _warn(sum(clipped.values()), "boxes of %s were clipped to their image", file)
    return rects


def _warn(count: int, message: str, file: str | Path) -> None:
    if count:
        log.warning("%d " + message, count, file)


def _to_rects(boxes: FileBoxes, size: Size) -> tuple[Rects, int]:
    """Round boxes and clip them to the image.

    Returns:
        (N, 4) left, top, width, height; and how many boxes were clipped.
    """
    rounded = np.rint(boxes)
    corner, opposite = rounded[:, :2], rounded[:, :2] + rounded[:, 2:]
    inner_corner, inner_opposite = np.clip(corner, 0, size), np.clip(opposite, 0, size)
    clipped = ((corner != inner_corner) | (opposite != inner_opposite)).any(axis=1)
    sides = np.maximum(inner_opposite - inner_corner, 0)
    # Sides beyond 16 bits overflow here; `_as_result` then skips the image.
    return np.concatenate([inner_corner, sides], axis=1).astype(np.int16), int(clipped.sum())
