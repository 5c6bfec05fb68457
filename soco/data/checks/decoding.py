"""Decode every image once, for its size, its readability, and a hash that finds copies.

Decoding a large set takes minutes. The results are cached in a Parquet file, so that a later check
decodes only new and changed files.
"""

import hashlib
import logging
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import PIL
import pyarrow as pa
import pyarrow.parquet as pq

from soco.data import UnreadableImageError, decode_reduced, image_header, read_file
from soco.data.stores.parquet import write_table
from soco.errors import UserError
from soco.progress import progress

log = logging.getLogger(__name__)

_STATUS_THREADS = 16  # they wait for the disk
_QUIET_SECONDS = 3.0  # decoding that takes longer shows a progress bar
_SAVE_SECONDS = 60.0  # a check that is killed loses no more than this

_SCHEMA = pa.schema(
    [
        ("path", pa.binary()),  # a file name need not be text
        ("bytes", pa.int64()),
        ("modified", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("orientation", pa.int8()),
        ("content", pa.binary()),
    ]
)
# The decoder, in the metadata: another version may refuse other files, so its results are ignored.
_DECODER_KEY, _DECODER = b"soco.decoder", f"1, Pillow {PIL.__version__}".encode()

Size = tuple[int, int]
# A file as it was decoded: path, length in bytes, time of the last write in nanoseconds.
Version = tuple[bytes, int, int]


@dataclass(frozen=True)
class ImageFile:
    """The file of an image.

    Attributes:
        size: Width and height of the upright image, as every stage sees it; None if it cannot be
            read.
        reason: Why it cannot be read.
        orientation: Its EXIF orientation, 1 to 8.
        content: A hash of its bytes.
    """

    size: Size | None
    reason: str = ""
    orientation: int = 1
    content: bytes = b""

    @property
    def stored_size(self) -> Size | None:
        """Width and height before the EXIF rotation."""
        return self.size[::-1] if self.size and self.orientation >= 5 else self.size


def read_files(
    paths: Sequence[Path], listed: Sequence[Size | None], threads: int, cache: Path | None = None
) -> list[ImageFile]:
    """Decode every image with the detector's reader.

    An image whose header gives another size than its entry is not decoded: it cannot be used, and
    a broken header may claim more pixels than fit into memory.

    Args:
        paths: The images.
        listed: Width and height of each in the annotation file; None if it has none.
        threads: How many are decoded at once.
        cache: Parquet file with the results of earlier checks, which is updated; None: no cache.
            Any other file is replaced.
    """
    versions = _versions(paths)
    known = _read_cache(cache)
    todo = [place for place, version in enumerate(versions) if version and version not in known]
    log.info(
        "%d images to decode; %d have not changed since an earlier check",
        len(todo),
        len(paths) - len(todo),
    )
    decoded: dict[int, ImageFile] = {}
    complete: dict[int, ImageFile] = {}
    saved = time.monotonic()
    try:
        for place, file in zip(todo, _decode(paths, listed, todo, threads), strict=True):
            decoded[place] = file
            if _is_complete(file, listed[place]):
                complete[place] = file
            if time.monotonic() - saved > _SAVE_SECONDS:  # a scheduler may kill us without warning
                _update_cache(cache, versions, known, complete)
                saved = time.monotonic()
    finally:  # also for a check that is interrupted
        _update_cache(cache, versions, known, complete)
    return [
        decoded.get(place) or _known_file(version, known) for place, version in enumerate(versions)
    ]


def _known_file(version: Version | None, known: Mapping[Version, ImageFile]) -> ImageFile:
    return known[version] if version else ImageFile(None, "missing")


def _is_complete(file: ImageFile, listed: Size | None) -> bool:
    """Whether all pixels of a file were decoded."""
    return file.size is not None and listed in (None, file.size)


def _versions(paths: Sequence[Path]) -> list[Version | None]:
    """Path, length and time of each file, which change when it is written; None for other paths."""
    with ThreadPoolExecutor(_STATUS_THREADS) as pool:
        return list(pool.map(_version, paths))


def _version(path: Path) -> Version | None:
    try:
        status = path.stat()
        is_file = stat.S_ISREG(status.st_mode)
        return (os.fsencode(path), status.st_size, status.st_mtime_ns) if is_file else None
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: an impossible name
        return None
    except OSError:
        return os.fsencode(path), 0, 0  # reading it will give the reason


def _decode(
    paths: Sequence[Path], listed: Sequence[Size | None], places: Sequence[int], threads: int
) -> Iterator[ImageFile]:
    """Decode the files at these places of the list, and show progress if they take long."""
    with ThreadPoolExecutor(threads) as pool:
        files = pool.map(
            _read, [paths[place] for place in places], [listed[place] for place in places]
        )
        yield from progress(files, len(places), "decoding images", delay=_QUIET_SECONDS)


def _read(path: Path, listed: Size | None) -> ImageFile:
    try:
        data = read_file(path)
        header = image_header(data)
        size = decode_reduced(data, 1).size if listed in (None, header.size) else header.size
    except UnreadableImageError as error:
        return ImageFile(None, str(error))
    return ImageFile(size, "", header.orientation, hashlib.blake2b(data, digest_size=16).digest())


def _read_cache(path: Path | None) -> dict[Version, ImageFile]:
    """What earlier checks decoded; nothing if the file is absent, damaged or of another decoder."""
    if path is None:
        return {}
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
    except (OSError, pa.ArrowException):
        return {}
    decoder = (table.schema.metadata or {}).get(_DECODER_KEY)
    if not table.schema.equals(_SCHEMA) or decoder != _DECODER:
        return {}
    return {
        (row["path"], row["bytes"], row["modified"]): ImageFile(
            (row["width"], row["height"]), "", row["orientation"], row["content"]
        )
        for batch in table.to_batches()
        for row in batch.to_pylist()
    }


def _update_cache(
    path: Path | None,
    versions: Sequence[Version | None],
    known: Mapping[Version, ImageFile],
    decoded: Mapping[int, ImageFile],
) -> None:
    """Add what was decoded, and remove what the set no longer lists."""
    if path is None or not decoded:
        return
    rows = []
    for place, version in enumerate(versions):
        file = decoded.get(place) or (known.get(version) if version else None)
        if file and file.size and version:
            rows.append((*version, *file.size, file.orientation, file.content))
    columns = zip(*rows, strict=True)
    schema = _SCHEMA.with_metadata({_DECODER_KEY: _DECODER})
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    try:
        write_table(path, pa.Table.from_arrays(arrays, schema=schema))
    except (OSError, UserError) as error:  # a full disk or a read-only folder: no harm to the check
        log.warning("Cannot write %s (%s); the next check decodes all images again", path, error)
