"""Layouts `tar` (a tar of images or of tars) and `webdataset` (a folder of tars), read in place."""

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from soco.config import ImagesConfig
from soco.data.sources.checks import (
    COMPRESSED_TARS,
    Ignored,
    check_entries,
    invalid_file,
    is_compressed,
    require_layout,
)
from soco.data.sources.containers import Containers, containers, containers_state, files_state
from soco.data.sources.entry import Entry
from soco.data.sources.tree import (
    has_image_suffix,
    has_parent_part,
    is_hidden,
    is_image,
    without_root,
)
from soco.errors import UserError

_MAX_DEPTH = 8  # of tars in tars; ImageNet's has two

# Limits on what a header may claim; real ones are far below.
_MAX_HEADER = 256 << 10
_MAX_DIGITS = 1000

# Name, byte of the outer file at which the data begin, and their length.
Member = tuple[str, int, int]


class TarSource:
    """The images of a tar and of the tars in it, whose names without `.tar` are folders in keys.

    ILSVRC2012_img_train.tar contains one tar per class, so that its keys are those of the unpacked
    folder tree.
    """

    def __init__(self, settings: ImagesConfig) -> None:
        self.path = Path(settings.path)
        self._containers = Containers(self.path)

    def entries(self) -> Iterator[Entry]:
        """Yield every image, in the order of the file; links and sparse members are ignored.

        Raises:
            UserError: The tar is missing, broken or compressed, or contains no image.
        """
        require_layout(self.path, "tar", file=True)
        ignored = Ignored()
        members = _images_of(self.path, True, ignored)
        yield from check_entries(
            (Entry(name, "", *place) for name, *place in members), self.path, "tar", ignored
        )

    def read(self, entry: Entry) -> bytes:
        """A member's bytes.

        Raises:
            UnreadableImageError: The tar is missing or too short.
        """
        return self._containers.read(entry.container, entry.offset, entry.bytes)

    def state(self) -> str:
        """A digest of the tar's name, size and time; "" if it is missing."""
        return files_state(self.path)


class WebDatasetSource:
    """The images of all tars below a folder, or of one tar.

    A key is the tar's path without `.tar`, and the member's name. Other members (labels, captions)
    are ignored, and so are compressed tars next to plain ones.
    """

    def __init__(self, settings: ImagesConfig) -> None:
        self.path = Path(settings.path)
        self._containers = Containers(self.path)

    def entries(self) -> Iterator[Entry]:
        """Yield every image, tar by tar in the order of their names, in the order of each file.

        Raises:
            UserError: The path is missing, a tar is broken, all are compressed, or there is no
                image.
        """
        ignored = Ignored()
        yield from check_entries(self._images(ignored), self.path, "webdataset", ignored)

    def read(self, entry: Entry) -> bytes:
        """A member's bytes.

        Raises:
            UnreadableImageError: The tar is missing or too short.
        """
        return self._containers.read(entry.container, entry.offset, entry.bytes)

    def state(self) -> str:
        """A digest of every tar's name, size and time; "" if there is none."""
        return containers_state(self.path, ".tar")

    def _images(self, ignored: Ignored) -> Iterator[Entry]:
        for container, folder in containers(self.path, "webdataset", ".tar", ignored):
            for name, offset, size in _images_of(self.path / container, False, ignored):
                yield Entry(f"{folder}/{name}", container, offset, size)


def _images_of(path: Path, inner: bool, ignored: Ignored) -> Iterator[Member]:
    """The images of a tar, in the order of the file.

    Args:
        path: The tar.
        inner: Whether to list the tars in it, too.
        ignored: Receives the members that are named like images but are not.

    Raises:
        UserError: The tar, or one in it, is compressed or broken, or tars are nested too deeply.
    """
    if is_compressed(path):
        raise UserError(
            "data.compressed_tar",
            "{path} is compressed and cannot be read in place; decompress it to a plain .tar.",
            path=path,
        )
    with path.open("rb") as file:
        yield from _Listing(path, file, inner, ignored).images("", path.stat().st_size, 1)


class _Listing:
    """One pass over a tar's headers."""

    def __init__(self, path: Path, file: BinaryIO, inner: bool, ignored: Ignored) -> None:
        self._path, self._file, self._inner, self._ignored = path, file, inner, ignored

    def images(self, folder: str, end: int, depth: int) -> Iterator[Member]:
        """The images of the tar that begins at the file's position.

        Args:
            folder: The beginning of their names: "" or the tar's own name and a slash.
            end: The byte before which the tar ends.
            depth: The number of tars that contain it, itself included.
        """
        for name, offset, size in self._files(folder, end):
            full_name = folder + name
            if is_image(name):
                yield full_name, offset, size
            elif has_parent_part(name) and has_image_suffix(name):
                self._ignored.add("images whose names lead out of the tar", full_name)
            elif self._inner and name.endswith(".tar") and not is_hidden(name):
                self._check_depth(full_name, depth)
                # tarfile seeks before it reads a header, so moving the shared position is safe.
                self._file.seek(offset)
                inside = f"{full_name.removesuffix('.tar')}/"
                yield from self.images(inside, offset + size, depth + 1)
            elif self._inner and name.lower().endswith(COMPRESSED_TARS) and not is_hidden(name):
                raise UserError(
                    "data.compressed_inner_tar",
                    "{path} contains the compressed {name}, which cannot be read in place; pack it"
                    " as a plain .tar.",
                    path=self._path,
                    name=full_name,
                )

    def _check_depth(self, name: str, depth: int) -> None:
        if depth == _MAX_DEPTH:
            raise UserError(
                "data.nested_too_deep",
                "{path} contains tars in tars, more than {most} deep ({name}); unpack them.",
                path=self._path,
                most=_MAX_DEPTH,
                name=name[:100],
            )

    def _files(self, folder: str, end: int) -> Iterator[Member]:
        """The regular files of the tar from the file's position to byte `end`."""
        try:
            archive = tarfile.TarFile(fileobj=cast(BinaryIO, _Headers(self._file)), mode="r")
            # `end`: behind an inner tar, the file goes on with the outer one.
            while (member := archive.next()) is not None and member.offset_data <= end:
                # tarfile would keep the headers of all members, maybe a million
                archive.members.clear()  # type: ignore[attr-defined]
                if member.size < 0 or archive.offset < member.offset_data:
                    raise tarfile.ReadError(f"{member.name!a:.100} has a negative size")
                if member.isreg() and not member.issparse():
                    if member.offset_data + member.size > end:
                        raise tarfile.ReadError(f"{member.name!a:.100} is cut short")
                    yield without_root(member.name), member.offset_data, member.size
                elif is_image(without_root(member.name)) and not member.isdir():
                    self._ignored.add(
                        "links, sparse files or devices named like images", folder + member.name
                    )
            self._file.seek(archive.offset)  # tarfile takes a broken header for the end
            if archive.offset < end and any(self._file.read(tarfile.BLOCKSIZE)):
                raise tarfile.ReadError(f"there is no header at byte {archive.offset}")
        except Exception as error:  # forged headers fail in many ways
            where = f"in {folder[:-1]}.tar: " if folder else ""
            raise invalid_file(
                self._path, "tar", f"{where}{str(error) or type(error).__name__}"
            ) from None


class _Headers:
    """A file for tarfile that limits the length of a header.

    tarfile reads a header as a whole and searches it.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell, self._read = file.seek, file.tell, file.read

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MAX_HEADER:
            raise tarfile.ReadError(f"a header claims a length of {size}")
        data = self._read(size)
        # tarfile's search for numbers is quadratic in the length of the longest one
        if (
            size > tarfile.BLOCKSIZE
            and max(map(len, re.findall(rb"[0-9]+", data)), default=0) > _MAX_DIGITS
        ):
            raise tarfile.ReadError("a header contains a number of more than 1,000 digits")
        return data
