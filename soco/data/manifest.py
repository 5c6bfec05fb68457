"""List the images of a source, with size and content hash, and deal them into shards."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from soco.config import ImagesConfig
from soco.config.known import KNOWN
from soco.data.contents import contents, modified
from soco.data.shards import Loads, deal, loads_of, rebalance_shards, shard_loads
from soco.data.sources import Entry, ImageSource
from soco.data.stores.parquet import write_table
from soco.errors import UserError
from soco.progress import progress

log = logging.getLogger(__name__)

_ENTRY = [
    ("key", pa.string()),
    ("container", pa.string()),
    ("offset", pa.int64()),
    ("bytes", pa.int64()),
]
_CONTENT = [("width", pa.int32()), ("height", pa.int32()), ("sha256", pa.binary(32))]

# A row an image: where it lies, its upright size in pixels (0 where its header cannot be read: the
# search then says why), and the hash of its encoded bytes.
SHARD_SCHEMA = pa.schema([*_ENTRY, *_CONTENT])

# The same for all images, with the shard of each and when its file or container was written, in
# nanoseconds.
MANIFEST_SCHEMA = pa.schema([*SHARD_SCHEMA, ("shard", pa.int32()), ("modified", pa.int64())])

_UNCHANGED = (
    "container",
    "offset",
    "bytes",
    "modified",
)  # what shows that the image of a key is as it was
# In a manifest's metadata: how many shards it was dealt into, empty ones too, and the source that
# it lists.
_SHARDS, _SOURCE = b"soco.shards", b"soco.source"

Rows = npt.NDArray[np.int64]


def deal_images(
    source: ImageSource,
    settings: ImagesConfig,
    manifest: str | Path,
    shards: Sequence[str | Path],
    threads: int,
) -> dict[str, int]:
    """List a source's images and deal them into shards with equal shares of the pixels.

    Where a manifest of an earlier listing lies at `manifest`, only new and changed images are read,
    and images keep their shard as long as the shards stay fair.

    Args:
        source: The images.
        settings: Where they are, and their layout.
        manifest: Receives all rows, `MANIFEST_SCHEMA`.
        shards: Each receives its rows, `SHARD_SCHEMA`; the same rows give the same bytes.
        threads: How many images are read at once.

    Returns:
        Counts by name: images, read, taken_over, unreadable, shards.

    Raises:
        UserError: The source is missing, broken, holds no image, or not as many as the set that it
            is said to be.
    """
    previous = _previous(manifest, settings)
    table = _listed(source, settings, threads)
    _refuse_another_count(len(table), settings)
    places = pc.index_in(table["key"], previous["key"]).fill_null(-1).to_numpy().astype(np.int64)
    table, read = _with_contents(table, previous, places, source, threads)
    loads = loads_of(table["width"].to_numpy(), table["height"].to_numpy())
    numbers = _numbers(previous, places, loads, len(shards))
    _write(table.append_column("shard", pa.array(numbers, pa.int32())), settings, manifest, shards)
    totals = shard_loads(numbers, loads, len(shards))
    counts = {
        "images": len(table),
        "read": read,
        "taken_over": len(table) - read,
        "unreadable": pc.sum(pc.equal(table["width"], 0)).as_py(),
        "shards": len(shards),
    }
    log.info(
        "%s; the heaviest shard has %.2f times the mean pixels",
        counts,
        totals.max() / totals.mean(),
    )
    return counts


def _refuse_another_count(found: int, settings: ImagesConfig) -> None:
    """A published set with images missing would spoil a long training without a word."""
    if settings.known_as is None:
        return
    known = KNOWN.images[settings.known_as]
    if found != known.images:
        raise UserError(
            f"{settings.path}, which images.path names, holds {found:,} images, and"
            f" {known.path.title} are {known.images:,} ({known.path.source}); unpack or fetch them"
            " again, or set images.known_as to null to take these."
        )


def _source(settings: ImagesConfig) -> bytes:
    """What tells one source from another; equal keys in two sources are two images."""
    return json.dumps([settings.path, settings.layout, settings.names, settings.column]).encode()


def _previous(path: str | Path, settings: ImagesConfig) -> pa.Table:
    """An earlier manifest.

    An empty one where there is none, or a broken one, or of another version or source.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
    except (OSError, pa.ArrowException):
        return MANIFEST_SCHEMA.empty_table()
    is_ours = table.schema.equals(MANIFEST_SCHEMA) and (table.schema.metadata or {}).get(
        _SOURCE
    ) == _source(settings)
    return table if is_ours else MANIFEST_SCHEMA.empty_table()


def _listed(source: ImageSource, settings: ImagesConfig, threads: int) -> pa.Table:
    """The entries and when each was written.

    By key for a folder tree, else as they lie in their containers.
    """
    columns: tuple[list, ...] = ([], [], [], [])
    for entry in source.entries():
        for column, value in zip(
            columns, (entry.key, entry.container, entry.offset, entry.bytes), strict=True
        ):
            column.append(value)
    order = ("key",) if settings.layout == "folder" else ("container", "offset")
    table = pa.table([*columns], pa.schema(_ENTRY)).sort_by([(name, "ascending") for name in order])
    return table.append_column("modified", _modified(table, settings, threads))


def _modified(table: pa.Table, settings: ImagesConfig, threads: int) -> pa.Array:
    """When the file of each image was written, or its container."""
    files = (
        table["key" if settings.layout == "folder" else "container"]
        .combine_chunks()
        .dictionary_encode()
    )
    times = modified(settings.path, files.dictionary.to_pylist(), threads)
    return pa.array(times, pa.int64()).take(files.indices)


def _changed(table: pa.Table, previous: pa.Table, places: Rows) -> Rows:
    """Rows of images that are new, were written again since, or could not be read: a disk may have
    been away.

    Args:
        table: The images as listed now.
        previous: The earlier manifest.
        places: (N,) the row of each image in the earlier manifest, -1 for a new one.
    """
    old = np.flatnonzero(places >= 0)
    now, before = table.take(old), previous.take(places[old])
    same = before["width"].to_numpy() > 0
    for name in _UNCHANGED:
        same &= pc.equal(now[name], before[name]).to_numpy()
    return np.setdiff1d(np.arange(len(table)), old[same], assume_unique=True)


def _with_contents(
    table: pa.Table, previous: pa.Table, places: Rows, source: ImageSource, threads: int
) -> tuple[pa.Table, int]:
    """The images with size and hash, taken over from the earlier manifest or read, and how many were read."""
    changed = _changed(table, previous, places)
    entries = [
        Entry(**row) for row in table.select([name for name, _ in _ENTRY]).take(changed).to_pylist()
    ]
    read = list(progress(contents(source, entries, threads), len(entries), "reading images"))
    names = [name for name, _ in _CONTENT]
    columns = [
        pa.array([content[n] for content in read], kind) for n, (_, kind) in enumerate(_CONTENT)
    ]
    known = pa.concat_tables([previous.select(names), pa.table(columns, names)])
    rows = places.copy()
    rows[changed] = len(previous) + np.arange(len(changed))
    found = known.take(rows)
    for name in names:
        table = table.append_column(name, found[name])
    return table, len(changed)


def _numbers(previous: pa.Table, places: Rows, loads: Loads, shards: int) -> npt.NDArray[np.int32]:
    """The shard of each image: as in the earlier manifest where that was dealt into as many."""
    if int((previous.schema.metadata or {}).get(_SHARDS, 0)) != shards:
        return deal(loads, shards)
    before = np.full(len(places), -1, np.int32)
    old = places >= 0
    before[old] = previous["shard"].to_numpy()[places[old]]
    return rebalance_shards(before, loads, shards)


def _write(
    table: pa.Table, settings: ImagesConfig, manifest: str | Path, shards: Sequence[str | Path]
) -> None:
    """Write every shard, then the manifest, so that a run that is cut short is not taken for a whole one."""
    numbers = table["shard"].to_numpy()
    by_shard = (
        table.select(SHARD_SCHEMA.names).take(np.argsort(numbers, kind="stable")).combine_chunks()
    )
    stops = np.cumsum(np.bincount(numbers, minlength=len(shards))).tolist()
    for path, start, stop in zip(shards, [0, *stops], stops, strict=False):
        write_table(path, by_shard.slice(start, stop - start), short_origin=True)
    metadata = {_SHARDS: str(len(shards)).encode(), _SOURCE: _source(settings)}
    write_table(manifest, table.select(MANIFEST_SCHEMA.names).replace_schema_metadata(metadata))
