"""Files that contain many images: listed below a folder, opened once per process, read in place."""

import functools
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from soco.data.read import UnreadableImageError, check_length
from soco.data.sources.checks import COMPRESSED_TARS, Ignored, require_layout, suggest_layout
from soco.data.sources.tree import mode_of, target_status, walk
from soco.errors import UserError

# Per process; systems often allow 1024 descriptors.
_OPEN_FILES = 64


class Containers:
    """The files of a source, opened when they are first read.

    Threads and forked processes may share an instance: each read passes its offset (`pread`), so
    there is no shared file position. An instance pickles as its path.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened = functools.lru_cache(maxsize=_OPEN_FILES)(_Opened)

    def __reduce__(self) -> tuple[type["Containers"], tuple[Path]]:
        return Containers, (self.path,)

    def read(self, container: str, offset: int, length: int) -> bytes:
        """Read exactly `length` bytes.

        Args:
            container: The file, below the source's path.
            offset: The first byte.
            length: Number of bytes.

        Raises:
            UnreadableImageError: The file is missing, cannot be read, or is too short; or the
                length is above 2 GB.
        """
        path = self.path / container
        check_length(length)
        try:
            data = os.pread(self._opened(path).descriptor, length, offset)
        except OSError as error:
            raise UnreadableImageError(f"{path} cannot be read: {error.strerror}") from None
        if len(data) < length:
            raise UnreadableImageError(f"{path} ends before byte {offset + length}")
        return data


class _Opened:
    """A file descriptor, closed with its last reference: another thread may still be reading."""

    def __init__(self, path: Path) -> None:
        # First, because __del__ runs even if open() fails.
        self.descriptor = -1
        self.descriptor = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)


def files_state(path: Path, containers: Iterable[str] = ("",)) -> str:
    """Digest the names, sizes and times of files below a path, or of the one file at the path.

    Returns:
        16 hex digits; "" if there is no file.
    """
    lines = []
    for container in containers:
        try:
            status = (path / container).stat()
        except OSError:
            continue
        lines.append(f"{(container or path.name)!a} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] if lines else ""


def containers(path: Path, layout: str, suffix: str, ignored: Ignored) -> Iterator[tuple[str, str]]:
    """Yield the sorted files with a suffix below a folder, or the one file `path`.

    Hidden files are ignored. Links to files are followed, links to folders are not.

    Args:
        path: The folder or file.
        layout: The layout's name in the configuration.
        suffix: `.tar` or `.parquet`.
        ignored: Receives the compressed tars that are next to plain ones.

    Yields:
        Each file's path below `path` ("" for the one file), and the folder that the keys of its
        images begin with: the same path without the suffix.

    Raises:
        UserError: The path is missing, a folder cannot be read, something with the suffix is not a
            file, or there is no such file.
    """
    require_layout(path, layout, file=True, folder=True)
    if path.is_file():
        yield "", path.stem
        return
    names, compressed = [], []
    for name, is_folder, entry in walk(path):
        if is_folder:
            continue
        if name.endswith(suffix):
            _require_file(path / name, entry)
            names.append(name)
        elif suffix == ".tar" and name.lower().endswith(COMPRESSED_TARS):
            compressed.append(name)
    if not names:
        raise _no_containers(path, layout, suffix, compressed)
    for name in compressed:
        ignored.add("compressed tars, which cannot be read in place", name)
    yield from ((name, name.removesuffix(suffix)) for name in names)


def containers_state(path: Path, suffix: str) -> str:
    """`files_state` of the files with a suffix below a folder, or of one file.

    It does not raise: `containers` reports what cannot be read when the images are listed.
    """
    if stat.S_ISREG(mode_of(path)):
        return files_state(path)
    listed = walk(path, skip_unreadable=True)
    return files_state(
        path, (name for name, is_folder, _ in listed if not is_folder and name.endswith(suffix))
    )


def _no_containers(path: Path, layout: str, suffix: str, compressed: list[str]) -> UserError:
    if compressed:
        return UserError(
            "data.only_compressed_tars",
            "All tars in {path} are compressed ({first}) and cannot be read in place; decompress"
            " them to plain .tar files.",
            path=path,
            first=compressed[0],
        )
    return UserError(
        "data.no_containers",
        "{path} contains no {suffix} file for images.layout {layout}; {remedy}.",
        path=path,
        suffix=suffix,
        layout=layout,
        remedy=suggest_layout(path, layout),
    )


def _require_file(path: Path, entry: os.DirEntry[str]) -> None:
    status = target_status(entry)
    if status is None or not stat.S_ISREG(status.st_mode):
        raise UserError(
            "data.not_a_file",
            "{path} is not a file, or is a broken link; replace it by the file or remove it.",
            path=path,
        )
