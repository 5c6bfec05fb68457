"""Bytes out of the files that hold many pictures, each opened once in a process and read in place."""

import functools
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from soco.pictures.read import UnreadablePictureError, check_length

_OPEN_FILES = 64


class Containers:
    """The files of a source, opened when they are first read; it pickles as its path.

    Threads and forked processes may share an instance: reading names its offset and moves no common position.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened = functools.lru_cache(maxsize=_OPEN_FILES)(_Opened)

    def __reduce__(self) -> tuple[type["Containers"], tuple[Path]]:
        return Containers, (self.path,)

    def read(self, container: str, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset` on.

        Raises:
            UnreadablePictureError: The file is missing, cannot be read, or ends before; or the length is above 2 GB.
        """
        path = self.path / container
        check_length(length)
        try:
            data = os.pread(self._opened(path).descriptor, length, offset)
        except OSError as error:
            raise UnreadablePictureError(f"{path} cannot be read: {error.strerror}") from None
        if len(data) < length:
            raise UnreadablePictureError(f"{path} ends before byte {offset + length}")
        return data


class _Opened:
    """A descriptor that is closed when nobody holds it any more: another thread may still be reading from it."""

    def __init__(self, path: Path) -> None:
        self.descriptor = -1
        self.descriptor = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)


def files_state(path: Path, containers: Iterable[str] = ("",)) -> str:
    """A digest of names, sizes and times of files below a path, or of the file that it is; "" where there is none."""
    told = []
    for container in containers:
        try:
            status = (path / container).stat()
        except OSError:
            continue
        told.append(f"{(container or path.name)!a} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16] if told else ""
