"""The files that hold many images.

Found below a folder, opened once in a process, and read in place.
"""

import functools
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from soco.data.read import UnreadableImageError, check_length
from soco.data.sources.checks import PassedOver
from soco.data.sources.layouts import COMPRESSED_TARS, remedy, require
from soco.data.sources.tree import mode_of, target_status, walk
from soco.errors import UserError

_OPEN_FILES = 64


class Containers:
    """The files of a source, opened when they are first read; it pickles as its path.

    Threads and forked processes may share an instance: reading names its offset and moves no common
    position.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened = functools.lru_cache(maxsize=_OPEN_FILES)(_Opened)

    def __reduce__(self) -> tuple[type["Containers"], tuple[Path]]:
        return Containers, (self.path,)

    def read(self, container: str, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset` on.

        Raises:
            UnreadableImageError: The file is missing, cannot be read, or ends before; or the length
                is above 2 GB.
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
    """A descriptor that is closed when nobody holds it any more.

    Another thread may still be reading from it.
    """

    def __init__(self, path: Path) -> None:
        self.descriptor = -1
        self.descriptor = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)


def files_state(path: Path, containers: Iterable[str] = ("",)) -> str:
    """A digest of names, sizes and times of files below a path, or of the file that it is.

    "" where there is none.
    """
    told = []
    for container in containers:
        try:
            status = (path / container).stat()
        except OSError:
            continue
        told.append(f"{(container or path.name)!a} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16] if told else ""


def containers(
    path: Path, layout: str, suffix: str, passed_over: PassedOver
) -> Iterator[tuple[str, str]]:
    """The files of one suffix below a folder that are not hidden, sorted, or the one file that
    `path` is.

    Links to files are followed, links to folders are not.

    Args:
        path: The folder or file.
        layout: What the configuration calls the layout.
        suffix: `.tar` or `.parquet`.
        passed_over: Receives the compressed tars that lie beside plain ones.

    Returns:
        Each file's path below `path` ("" for the one file), and the folder that its images' keys
        begin with: the same without the suffix.

    Raises:
        UserError: The path is missing, a folder cannot be read, what has the suffix is no file, or
            none has it.
    """
    require(path, layout, file=True, folder=True)
    if path.is_file():
        yield "", path.stem
        return
    found, compressed = [], []
    for name, is_folder, entry in walk(path):
        if is_folder:
            continue
        if name.endswith(suffix):
            _require_file(path / name, entry)
            found.append(name)
        elif suffix == ".tar" and name.lower().endswith(COMPRESSED_TARS):
            compressed.append(name)
    if compressed and not found:
        raise UserError(
            f"{path} holds the compressed {compressed[0]}, which cannot be read in place;"
            " decompress it to a plain .tar, or move it away."
        )
    if not found:
        raise UserError(
            f"{path} holds no {suffix} file for images.layout {layout}; {remedy(path, layout)}."
        )
    for name in compressed:
        passed_over.add("compressed tars, which cannot be read in place", name)
    yield from ((name, name.removesuffix(suffix)) for name in found)


def containers_state(path: Path, suffix: str) -> str:
    """A digest as of `files_state` of what has a suffix below a folder, as far as it can be listed,
    or of the file.

    It raises nothing: `containers` says what cannot be read, once the images are listed.
    """
    if stat.S_ISREG(mode_of(path)):
        return files_state(path)
    found = walk(path, skip_unreadable=True)
    return files_state(
        path, (name for name, is_folder, _ in found if not is_folder and name.endswith(suffix))
    )


def _require_file(path: Path, entry: os.DirEntry[str]) -> None:
    status = target_status(entry)
    if status is None or not stat.S_ISREG(status.st_mode):
        raise UserError(
            f"{path} is no file, or a link to nothing; put the file there, or remove the name."
        )
