"""Layout `tar`: one tar file of images, or of tars of images, read in place."""

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from soco.config import ImagesConfig
from soco.data.sources.checks import PassedOver, checked
from soco.data.sources.containers import Containers, files_state
from soco.data.sources.entry import Entry
from soco.data.sources.layouts import COMPRESSED_TARS, is_compressed, not_whole, require
from soco.data.sources.names import climbs, is_hidden, is_image, is_named_like_one, plain
from soco.errors import UserError

_DEEPEST = 8
"""How many tars may lie in each other; ImageNet's are two."""

_LONGEST_HEADER = 256 << 10
_LONGEST_NUMBER = 1000

# Name, byte of the outer file at which the data begin, and their length.
Member = tuple[str, int, int]


class TarSource:
    """The images of a tar, and of the tars in it, whose names without `.tar` are then folders of
    the key.

    ILSVRC2012_img_train.tar holds a tar for each class, so that its keys are those of the unpacked
    folder tree.
    """

    def __init__(self, settings: ImagesConfig) -> None:
        self.path = Path(settings.path)
        self._containers = Containers(self.path)

    def entries(self) -> Iterator[Entry]:
        """Yield every image, as they lie in the file; links and sparse members are passed over, and
        counted.

        Raises:
            UserError: The tar is missing, broken or compressed, or holds no image.
        """
        require(self.path, "tar", file=True)
        passed_over = PassedOver()
        members = images_of(self.path, True, passed_over)
        yield from checked(
            (Entry(name, "", *place) for name, *place in members), self.path, "tar", passed_over
        )

    def read(self, entry: Entry) -> bytes:
        """A member's bytes.

        Raises:
            UnreadableImageError: The tar is missing or ends before.
        """
        return self._containers.read(entry.container, entry.offset, entry.bytes)

    def state(self) -> str:
        """A digest of the tar's name, size and time; "" where it is missing."""
        return files_state(self.path)


def images_of(path: Path, inner: bool, passed_over: PassedOver) -> Iterator[Member]:
    """The images of a tar, as they lie in it.

    Args:
        path: The tar.
        inner: Whether to look into the tars that it holds.
        passed_over: Receives the members that are named like images and are none.

    Raises:
        UserError: The tar, or one in it, is compressed or broken, or tars lie more than 8 deep in
            each other.
    """
    if is_compressed(path):
        raise UserError(
            f"{path} is compressed and cannot be read in place; decompress it to a plain .tar."
        )
    with path.open("rb") as file:
        yield from _Listing(path, file, inner, passed_over).images("", path.stat().st_size, 1)


class _Listing:
    """One reading of a tar's headers."""

    def __init__(self, path: Path, file: BinaryIO, inner: bool, passed_over: PassedOver) -> None:
        self._path, self._file, self._inner, self._passed_over = path, file, inner, passed_over

    def images(self, folder: str, end: int, depth: int) -> Iterator[Member]:
        """The images of the tar that begins where the file stands.

        Args:
            folder: What their names begin with: "" or the tar's own name and a slash.
            end: The byte before which it ends.
            depth: In how many tars it lies, itself included.
        """
        for name, offset, size in self._files(folder, end):
            whole = folder + name
            if is_image(name):
                yield whole, offset, size
            elif climbs(name) and is_named_like_one(name):
                self._passed_over.add("images of names that lead out of the tar", whole)
            elif self._inner and name.endswith(".tar") and not is_hidden(name):
                if depth == _DEEPEST:
                    raise UserError(
                        f"{self._path} holds tars in tars, more than {_DEEPEST} deep"
                        f" ({whole[:100]}); unpack them."
                    )
                self._file.seek(offset)
                yield from self.images(f"{whole.removesuffix('.tar')}/", offset + size, depth + 1)
            elif self._inner and name.lower().endswith(COMPRESSED_TARS) and not is_hidden(name):
                raise UserError(
                    f"{self._path} holds the compressed {whole}, which cannot be read in place;"
                    " pack it as a .tar."
                )

    def _files(self, folder: str, end: int) -> Iterator[Member]:
        """The plain files of the tar that begins where the file stands and ends before byte `end`."""
        try:
            archive = tarfile.TarFile(fileobj=cast(BinaryIO, _Headers(self._file)), mode="r")
            while (member := archive.next()) is not None and member.offset_data <= end:
                archive.members.clear()  # type: ignore[attr-defined]  # tarfile would keep all of a million members
                if member.size < 0 or archive.offset < member.offset_data:
                    raise tarfile.ReadError(f"{member.name!a:.100} has a negative size")
                if member.isreg() and not member.issparse():
                    if member.offset_data + member.size > end:
                        raise tarfile.ReadError(f"{member.name!a:.100} is cut short")
                    yield plain(member.name), member.offset_data, member.size
                elif is_image(plain(member.name)) and not member.isdir():
                    self._passed_over.add(
                        "links, sparse files or devices named like images", folder + member.name
                    )
            self._file.seek(archive.offset)  # tarfile takes a broken header for the end
            if archive.offset < end and any(self._file.read(tarfile.BLOCKSIZE)):
                raise tarfile.ReadError(f"there is no header at byte {archive.offset}")
        except Exception as error:  # headers that were made up fail in many ways
            where = f"in {folder[:-1]}.tar: " if folder else ""
            raise not_whole(
                self._path, "tar", f"{where}{str(error) or type(error).__name__}"
            ) from None


class _Headers:
    """The file as tarfile reads it.

    No header may be longer than any real one, for each is kept and searched whole.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell, self._read = file.seek, file.tell, file.read

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LONGEST_HEADER:
            raise tarfile.ReadError(f"a header claims a length of {size}")
        data = self._read(size)
        # tarfile's search for numbers takes the square of the longest one's length
        if (
            size > tarfile.BLOCKSIZE
            and max(map(len, re.findall(rb"[0-9]+", data)), default=0) > _LONGEST_NUMBER
        ):
            raise tarfile.ReadError("a header holds a number of more than 1,000 digits")
        return data
