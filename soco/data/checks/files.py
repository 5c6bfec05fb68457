"""What the files of images hold: their size, whether they can be decoded, and who is a copy of
whom.

Decoding a large set takes minutes. What was found is kept in a Parquet file, so that a later check
decodes only what is new or was written again.
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

_STATUS_THREADS = 16  # these wait for a disk
_QUIET_SECONDS = 3.0  # a check that decodes for longer shows its progress
_KEEP_SECONDS = 60.0  # a check that is killed loses no more than this

_SCHEMA = pa.schema(
    [
        ("path", pa.binary()),  # a file's name need not be text
        ("bytes", pa.int64()),
        ("modified", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("orientation", pa.int8()),
        ("content", pa.binary()),
    ]
)
# In the metadata: what decoded. Another version may refuse other files, so its findings do not
# count.
_DECODER_KEY, _DECODER = b"soco.decoder", f"1, Pillow {PIL.__version__}".encode()

Size = tuple[int, int]
# A file as it was decoded: its path, its length in bytes, and when it was last written, in
# nanoseconds.
Version = tuple[bytes, int, int]


@dataclass(frozen=True)
class ImageFile:
    """The file of an image.

    Attributes:
        size: Width and height as every stage sees it, upright; None where it cannot be read.
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
        """Width and height before the image is turned."""
        return self.size[::-1] if self.size and self.orientation >= 5 else self.size


def read_files(
    paths: Sequence[Path], listed: Sequence[Size | None], threads: int, cache: Path | None = None
) -> list[ImageFile]:
    """Decode every image as the detector will.

    An image whose header tells another size than its entry is not decoded: it is of no use, and a
    broken header may claim more pixels than fit into memory.

    Args:
        paths: Where the images lie.
        listed: Width and height that the annotation file lists for each; None where it lists none.
        threads: How many are decoded at once.
        cache: Parquet file with what earlier checks found, brought up to date; None keeps nothing.
            A file that holds something else is replaced.
    """
    versions = _versions(paths)
    known = _read_cache(cache)
    todo = [place for place, version in enumerate(versions) if version and version not in known]
    log.info(
        "%d images to decode; %d are as an earlier check decoded them",
        len(todo),
        len(paths) - len(todo),
    )
    found: dict[int, ImageFile] = {}
    whole: dict[int, ImageFile] = {}
    kept = time.monotonic()
    try:
        for place, file in zip(todo, _decode(paths, listed, todo, threads), strict=True):
            found[place] = file
            if _is_whole(file, listed[place]):
                whole[place] = file
            if (
                time.monotonic() - kept > _KEEP_SECONDS
            ):  # a scheduler's time limit leaves no time for the end
                _update_cache(cache, versions, known, whole)
                kept = time.monotonic()
    finally:  # a check that is interrupted keeps what it has decoded
        _update_cache(cache, versions, known, whole)
    return [
        found.get(place) or _known_file(version, known) for place, version in enumerate(versions)
    ]


def _known_file(version: Version | None, known: Mapping[Version, ImageFile]) -> ImageFile:
    return known[version] if version else ImageFile(None, "missing")


def _is_whole(file: ImageFile, listed: Size | None) -> bool:
    """Whether a file's pixels were decoded, and well."""
    return file.size is not None and listed in (None, file.size)


def _versions(paths: Sequence[Path]) -> list[Version | None]:
    """What shows that a file is as it was; None for what is no file."""
    with ThreadPoolExecutor(_STATUS_THREADS) as pool:
        return list(pool.map(_version, paths))


def _version(path: Path) -> Version | None:
    try:
        status = path.stat()
        is_file = stat.S_ISREG(status.st_mode)
        return (os.fsencode(path), status.st_size, status.st_mtime_ns) if is_file else None
    except (
        FileNotFoundError,
        NotADirectoryError,
        ValueError,
    ):  # the last: a name that no file can have
        return None
    except OSError:
        return os.fsencode(path), 0, 0  # reading it says why it cannot be read


def _decode(
    paths: Sequence[Path], listed: Sequence[Size | None], places: Sequence[int], threads: int
) -> Iterator[ImageFile]:
    """The files at some places of the list, with progress where they take long."""
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
    """What earlier checks decoded.

    Nothing where there is no such file, or a damaged one, or of another decoder.
    """
    if path is None:
        return {}
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
    except (OSError, pa.ArrowException):
        return {}
    if (
        not table.schema.equals(_SCHEMA)
        or (table.schema.metadata or {}).get(_DECODER_KEY) != _DECODER
    ):
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
    """Add what was decoded, and drop what the set no longer lists."""
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
    except (
        OSError,
        UserError,
    ) as error:  # a full disk, or a read-only folder; the check itself is sound
        log.warning(
            "%s cannot be written (%s); the next check decodes all images again", path, error
        )
