"""Sizes, hashes and modification times of images, read in threads because disks are slow."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from soco.data.read import UnreadableImageError, image_size
from soco.data.sources import Entry, ImageSource
from soco.errors import UserError

_CHUNK = 64  # images per thread: neighbours, so that each thread reads a container in order

_MAX_SIDE = 2**31 - 1  # of a manifest's int32 columns

# Width, height (0 if the header cannot be read, or claims more than a manifest can store) and
# SHA-256 of the encoded bytes.
Content = tuple[int, int, bytes]

Item = TypeVar("Item")
Result = TypeVar("Result")


def contents(source: ImageSource, entries: Sequence[Entry], threads: int) -> Iterator[Content]:
    """Yield the size and hash of each image; an unreadable one counts as empty.

    Args:
        source: Where the images are.
        entries: The images; each is read once.
        threads: Number of images that are read at once.
    """
    return _in_threads(lambda entry: _content(source, entry), entries, threads)


def content_of(sha256: bytes) -> int:
    """The part of a hash that stores contain; see `Entry.content`."""
    return int.from_bytes(sha256[:8], "little", signed=True)


def read_listed(source: ImageSource, entry: Entry) -> bytes:
    """Read a listed image, and check that its content has not changed.

    Raises:
        UnreadableImageError: It cannot be read.
        UserError: Its bytes have changed since it was listed.
    """
    data = source.read(entry)
    if entry.content and content_of(hashlib.sha256(data).digest()) != entry.content:
        raise UserError(
            "data.image_changed",
            "The image {key!r} was changed after it was listed; list all images again with"
            " `snakemake --forcerun shard_images`, which repeats the work on changed images.",
            key=entry.key,
        )
    return data


def modified(root: str | Path, names: Sequence[str], threads: int) -> Iterator[int]:
    """Yield the modification time of each file, in nanoseconds; 0 if it is missing.

    Args:
        root: The path that the names are relative to.
        names: The files.
        threads: Number of files that are looked up at once.
    """
    return _in_threads(lambda name: _modified(Path(root, name)), names, threads)


def _content(source: ImageSource, entry: Entry) -> Content:
    try:
        data = source.read(entry)
    except UnreadableImageError:
        data = b""
    sha256 = hashlib.sha256(data).digest()
    try:
        size = image_size(data)
    except UnreadableImageError:
        size = 0, 0
    return *(size if max(size) <= _MAX_SIDE else (0, 0)), sha256


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _in_threads(
    function: Callable[[Item], Result], items: Sequence[Item], threads: int
) -> Iterator[Result]:
    """Results in the order of the items."""
    chunks = (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))
    with ThreadPoolExecutor(threads) as pool:
        for results in pool.map(lambda chunk: [function(item) for item in chunk], chunks):
            yield from results
