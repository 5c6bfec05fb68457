"""List the images of a source, with size and content hash, and split them into shards."""

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
from soco.data.shards import Loads, image_loads, rebalance_shards, shard_loads, split_by_load
from soco.data.sources import Entry, ImageSource
from soco.data.stores.parquet import write_table
from soco.errors import UserError
from soco.io import Origin
from soco.progress import progress

log = logging.getLogger(__name__)

_ENTRY = [
    ("key", pa.string()),
    ("container", pa.string()),
    ("offset", pa.int64()),
    ("bytes", pa.int64()),
]
_CONTENT = [("width", pa.int32()), ("height", pa.int32()), ("sha256", pa.binary(32))]

# One row per image: its location, its upright size in pixels (0 if its header cannot be read: the
# search then gives the reason), and the hash of its encoded bytes.
SHARD_SCHEMA = pa.schema([*_ENTRY, *_CONTENT])

# The same for all images, with the shard of each and the modification time of its file or container
# in nanoseconds.
MANIFEST_SCHEMA = pa.schema([*SHARD_SCHEMA, ("shard", pa.int32()), ("modified", pa.int64())])

# An image with a known key is unchanged if all of these are equal.
_UNCHANGED = ("container", "offset", "bytes", "modified")
# Keys of a manifest's metadata: the number of shards, including empty ones, and the source.
_SHARDS, _SOURCE = b"soco.shards", b"soco.source"

Rows = npt.NDArray[np.int64]


def split_into_shards(
    source: ImageSource,
    settings: ImagesConfig,
    manifest: str | Path,
    shards: Sequence[str | Path],
    threads: int,
    origin: Origin | None = None,
) -> dict[str, int]:
    """List a source's images and split them into shards of about equal numbers of pixels.

    If there is a manifest of an earlier listing at `manifest`, only new and changed images are
    read, and images keep their shard as long as the shards stay balanced.

    Args:
        source: The images.
        settings: Where they are, and their layout.
        manifest: Receives all rows, `MANIFEST_SCHEMA`.
        shards: Each receives its rows, `SHARD_SCHEMA`; the same rows give the same bytes.
        threads: Number of images that are read at once.
        origin: What made the files. The shards contain only its rule: an image that another commit
            listed is still the same image, and must not be searched again.

    Returns:
        Counts by name: images, read, reused, unreadable, shards.

    Raises:
        UserError: The source is missing or broken, has no image, or another number of images than
            the published set in `images.known_as`.
    """
    previous = _previous(manifest, settings)
    table = _listed(source, settings, threads)
    # Before any image is read: an incomplete set is refused at once, not after hours.
    _check_count(len(table), settings)
    places = pc.index_in(table["key"], previous["key"]).fill_null(-1).to_numpy().astype(np.int64)
    table, read = _with_contents(table, previous, places, source, threads)
    loads = image_loads(table["width"].to_numpy(), table["height"].to_numpy())
    numbers = _numbers(previous, places, loads, len(shards))
    table = table.append_column("shard", pa.array(numbers, pa.int32()))
    _write_shards(table, shards, origin)
    _write_manifest(table, settings, manifest, len(shards), origin)
    totals = shard_loads(numbers, loads, len(shards))
    counts = {
        "images": len(table),
        "read": read,
        "reused": len(table) - read,
        "unreadable": pc.sum(pc.equal(table["width"], 0)).as_py(),
        "shards": len(shards),
    }
    log.info(
        "%s; the heaviest shard has %.2f times the mean pixels",
        counts,
        totals.max() / totals.mean(),
    )
    return counts


def _check_count(count: int, settings: ImagesConfig) -> None:
    """Refuse an incomplete published set, which would silently ruin a long training."""
    if settings.known_as is None:
        return
    known = KNOWN.images[settings.known_as]
    if count != known.images:
        raise UserError(
            "data.unexpected_count",
            "{path} (images.path) contains {found:,} images, but {title} are {expected:,}"
            " ({source}); unpack or download them again, or set images.known_as to null to use"
            " these.",
            path=settings.path,
            found=count,
            title=known.path.title,
            expected=known.images,
            source=known.path.source,
        )


def _source(settings: ImagesConfig) -> bytes:
    """Identify a source: equal keys in two sources are two images."""
    return json.dumps([settings.path, settings.layout, settings.names, settings.column]).encode()


def _previous(path: str | Path, settings: ImagesConfig) -> pa.Table:
    """The earlier manifest, or an empty one if it is missing, broken, or of another source."""
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
    """The entries with modification times: by key for a folder tree, else in container order."""
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
    """The modification time of each image's file or container."""
    files = (
        table["key" if settings.layout == "folder" else "container"]
        .combine_chunks()
        .dictionary_encode()
    )
    times = modified(settings.path, files.dictionary.to_pylist(), threads)
    return pa.array(times, pa.int64()).take(files.indices)


def _changed(table: pa.Table, previous: pa.Table, places: Rows) -> Rows:
    """Rows of images that are new, were rewritten, or were unreadable before.

    Unreadable images are read again, since a disk may have been unmounted.

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
    """The images with size and hash, reused or read, and the number of those that were read."""
    changed = _changed(table, previous, places)
    entries = [
        Entry(**row) for row in table.select([name for name, _ in _ENTRY]).take(changed).to_pylist()
    ]
    read = list(progress(contents(source, entries, threads), len(entries), "reading images"))
    names = [name for name, _ in _CONTENT]
    columns = [
        pa.array([content[n] for content in read], kind) for n, (_, kind) in enumerate(_CONTENT)
    ]
    # Reused contents, then those just read: one `take` orders both like the images.
    known = pa.concat_tables([previous.select(names), pa.table(columns, names)])
    rows = places.copy()
    rows[changed] = len(previous) + np.arange(len(changed))
    taken = known.take(rows)
    for name in names:
        table = table.append_column(name, taken[name])
    return table, len(changed)


def _numbers(previous: pa.Table, places: Rows, loads: Loads, shards: int) -> npt.NDArray[np.int32]:
    """The shard of each image, kept from the earlier manifest if that has this number of shards."""
    if int((previous.schema.metadata or {}).get(_SHARDS, 0)) != shards:
        return split_by_load(loads, shards)
    before = np.full(len(places), -1, np.int32)
    old = places >= 0
    before[old] = previous["shard"].to_numpy()[places[old]]
    return rebalance_shards(before, loads, shards)


def _write_shards(table: pa.Table, shards: Sequence[str | Path], origin: Origin | None) -> None:
    # The sort below is stable: within a shard, images stay in the order that reads sequentially.
    numbers = table["shard"].to_numpy()
    by_shard = (
        table.select(SHARD_SCHEMA.names).take(np.argsort(numbers, kind="stable")).combine_chunks()
    )
    stops = np.cumsum(np.bincount(numbers, minlength=len(shards))).tolist()
    # Not strict: there is one start more than stops.
    for path, start, stop in zip(shards, [0, *stops], stops, strict=False):
        write_table(path, by_shard.slice(start, stop - start), short_origin=True, origin=origin)


def _write_manifest(
    table: pa.Table, settings: ImagesConfig, path: str | Path, shards: int, origin: Origin | None
) -> None:
    """Write the manifest last: an interrupted run must not count as complete."""
    metadata = {_SHARDS: str(shards).encode(), _SOURCE: _source(settings)}
    table = table.select(MANIFEST_SCHEMA.names).replace_schema_metadata(metadata)
    write_table(path, table, origin=origin)
