"""Layout `tar`: one tar file of pictures, or of tars of pictures, read in place."""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from soco.config import PicturesConfig
from soco.errors import UserError
from soco.pictures.sources.checks import checked
from soco.pictures.sources.containers import Containers, files_state
from soco.pictures.sources.entry import Entry
from soco.pictures.sources.layouts import is_compressed, not_whole, require
from soco.pictures.sources.names import is_hidden, is_picture, plain

_COMPRESSED_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")

# Name, byte of the outer file at which the data begin, and their length.
Member = tuple[str, int, int]


class TarSource:
    """The pictures of a tar, and of the tars in it, whose names without `.tar` are then folders of the key.

    ILSVRC2012_img_train.tar holds a tar for each class, so that its keys are those of the unpacked folder tree.
    """

    def __init__(self, settings: PicturesConfig) -> None:
        self.path = Path(settings.path)
        self._containers = Containers(self.path)

    def entries(self) -> Iterator[Entry]:
        """Yield every picture, as they lie in the file; links and sparse members are passed over.

        Raises:
            UserError: The tar is missing, broken or compressed, or holds no picture.
        """
        require(self.path, "tar", file=True)
        pictures = (Entry(name, "", offset, size) for name, offset, size in pictures_of(self.path, inner=True))
        yield from checked(pictures, self.path, "tar")

    def read(self, entry: Entry) -> bytes:
        """A member's bytes.

        Raises:
            UnreadablePictureError: The tar is missing or ends before.
        """
        return self._containers.read(entry.container, entry.offset, entry.bytes)

    def state(self) -> str:
        """A digest of the tar's name, size and time; "" where it is missing."""
        return files_state(self.path)


def pictures_of(path: Path, inner: bool) -> Iterator[Member]:
    """The pictures of a tar, as they lie in it.

    Args:
        path: The tar.
        inner: Whether to look into the tars that it holds.

    Raises:
        UserError: The tar, or one in it, is compressed or broken.
    """
    if is_compressed(path):
        raise UserError(f"{path} is compressed and cannot be read in place; decompress it to a plain .tar.")
    with path.open("rb") as file:
        yield from _pictures(path, file, path.stat().st_size, inner)


def _pictures(path: Path, file: BinaryIO, end: int, inner: bool) -> Iterator[Member]:
    for name, offset, size in _files(path, file, end):
        if is_picture(name):
            yield name, offset, size
        elif inner and name.endswith(".tar") and not is_hidden(name):
            file.seek(offset)
            folder = name.removesuffix(".tar")
            for member, start, length in _pictures(path, file, offset + size, inner):
                yield f"{folder}/{member}", start, length
        elif inner and name.lower().endswith(_COMPRESSED_TARS) and not is_hidden(name):
            raise UserError(f"{path} holds the compressed {name}, which cannot be read in place; pack it as a .tar.")


def _files(path: Path, file: BinaryIO, end: int) -> Iterator[Member]:
    """The plain files of the tar that begins where `file` stands and ends before byte `end`."""
    try:
        archive = tarfile.TarFile(fileobj=file, mode="r")
        while (member := archive.next()) is not None and member.offset_data <= end:
            archive.members.clear()  # type: ignore[attr-defined]  # tarfile would keep all of a million members
            if member.isreg() and not member.issparse():
                if member.offset_data + member.size > end:
                    raise tarfile.ReadError(f"{member.name!r} is cut short")
                yield plain(member.name), member.offset_data, member.size
        file.seek(archive.offset)  # tarfile takes a broken header for the end
        if archive.offset < end and any(file.read(tarfile.BLOCKSIZE)):
            raise tarfile.ReadError(f"there is no header at byte {archive.offset}")
    except tarfile.TarError as error:
        raise not_whole(path, "tar", error) from None
