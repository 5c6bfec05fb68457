"""What the files of pictures say of themselves: size and turning from their headers, and who is a copy of whom."""

import hashlib
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from soco.pictures import UnreadablePictureError, picture_size

_BEGINNING = 65536
_THREADS = 16
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class PictureFile:
    """The header of a picture.

    Attributes:
        size: Width and height as the detector sees it, upright; None where it cannot be read.
        reason: Why it cannot be read.
        orientation: Its EXIF orientation, 1 to 8.
        content: Alike for files of one length and one first 64 KiB, which are taken for copies.
    """

    size: tuple[int, int] | None
    reason: str = ""
    orientation: int = 1
    content: tuple[int, bytes] = (0, b"")

    @property
    def stored_size(self) -> tuple[int, int] | None:
        """Width and height before the picture is turned."""
        return self.size[::-1] if self.size and self.orientation >= 5 else self.size


def read_headers(paths: Sequence[Path]) -> list[PictureFile]:
    """Read the beginning of each file; broken pixels further on are not noticed."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(_read, paths))


def _read(path: Path) -> PictureFile:
    if not path.is_file():
        return PictureFile(None, "missing")
    try:
        with path.open("rb") as file:
            beginning = file.read(_BEGINNING)
            length = file.seek(0, io.SEEK_END)
        content = (length, hashlib.blake2b(beginning, digest_size=16).digest())
        return PictureFile(_size(path, beginning), "", _orientation(beginning), content)
    except (OSError, UnreadablePictureError) as error:
        return PictureFile(None, str(error))


def _size(path: Path, beginning: bytes) -> tuple[int, int]:
    try:
        return picture_size(beginning)
    except UnreadablePictureError:
        if len(beginning) < _BEGINNING:
            raise
    return picture_size(path.read_bytes())


def _orientation(beginning: bytes) -> int:
    """The EXIF orientation of a JPEG; other formats rarely have one."""
    if b"Exif\0\0" not in beginning:
        return 1
    try:
        with Image.open(io.BytesIO(beginning), formats=("JPEG",)) as picture:
            orientation = picture.getexif().get(_ORIENTATION)
    except Exception:  # a broken tag makes PIL fail in many ways; detectron2 turns nothing then
        return 1
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1
