"""Layout `zip`: one zip file, read in place, with or without a map of the images to take."""

import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path

from soco.config import ImagesConfig
from soco.data.read import UnreadableImageError
from soco.data.sources.checks import PassedOver, checked
from soco.data.sources.containers import Containers, files_state
from soco.data.sources.entry import Entry
from soco.data.sources.layouts import not_whole, require
from soco.data.sources.names import climbs, is_image, is_named_like_one, plain
from soco.errors import UserError

# Of a member's header in the file: signature, flags, compression, inflated size, lengths of the
# name and of the extra field behind it.
_HEADER = struct.Struct("<4s2xHH12xIHH")
_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED = 1
_SIZE_BEHIND = 8  # the flag of a member whose size stands behind its data, and not in its header
_SIZE_IN_ZIP64 = 0xFFFFFFFF

MOST_INFLATED = 512 << 20
"""Most bytes that a deflated member may have.

Encoded images hardly shrink, zeros grow a thousandfold.
"""


class ZipSource:
    """The images of a zip, or those that a map names; a key is the member's name.

    The map is that of the release's zipped ImageNet: a line is a name, a tab or space, and a label,
    which is ignored.
    """

    def __init__(self, settings: ImagesConfig) -> None:
        self.path = Path(settings.path)
        self.names = None if settings.names is None else Path(settings.names)
        self._containers = Containers(self.path)

    def entries(self) -> Iterator[Entry]:
        """Yield the images: in the order of the map where there is one, else as they lie in the
        file.

        Raises:
            UserError: The zip or the map is missing or broken, a name of the map is not in the zip,
                a member is encrypted or compressed by other than deflate, or there is no image.
        """
        require(self.path, "zip", file=True)
        members, passed_over = _members(self.path), PassedOver()
        chosen = (
            _named(self.path, members, self.names) if self.names else _images(members, passed_over)
        )
        entries = (Entry(plain(member.filename), "", *self._place(member)) for member in chosen)
        yield from checked(entries, self.path, "zip", passed_over)

    def read(self, entry: Entry) -> bytes:
        """A member's bytes, inflated where they were deflated.

        Raises:
            UnreadableImageError: There is no member at that place, its bytes are broken, or they
                inflate to more than the zip claims or than 512 MiB.
        """
        header = self._containers.read("", entry.offset, _HEADER.size)
        signature, flags, method, size, name, extra = _HEADER.unpack(header)
        if signature != _SIGNATURE:
            raise UnreadableImageError(
                f"{self.path} has no member at byte {entry.offset}: it was written again"
            )
        data = self._containers.read("", entry.offset + _HEADER.size + name + extra, entry.bytes)
        if method == zipfile.ZIP_STORED:
            return data
        return _inflated(data, None if flags & _SIZE_BEHIND or size == _SIZE_IN_ZIP64 else size)

    def state(self) -> str:
        """A digest of name, size and time of the zip and of the map.

        "" where the zip is missing.
        """
        state = files_state(self.path)
        return state + files_state(self.names) if state and self.names else state

    def _place(self, member: zipfile.ZipInfo) -> tuple[int, int]:
        if member.flag_bits & _ENCRYPTED or member.compress_type not in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ):
            how = (
                "encrypted" if member.flag_bits & _ENCRYPTED else "compressed by other than deflate"
            )
            raise UserError(
                f"{self.path} holds {member.filename!r} {how}; pack it again stored or deflated."
            )
        return member.header_offset, member.compress_size


def _inflated(data: bytes, claimed: int | None) -> bytes:
    """Inflate a member, no further than it claims to go, or than any may."""
    if claimed is not None and claimed > MOST_INFLATED:
        raise UnreadableImageError(
            f"it inflates to {claimed:,} bytes, more than {MOST_INFLATED:,}: store it as it is"
        )
    most = MOST_INFLATED if claimed is None else claimed
    inflating = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        inflated = inflating.decompress(data, most + 1)
    except zlib.error as error:
        raise UnreadableImageError(f"the zip's data are broken: {error}") from None
    if len(inflated) > most:
        whose = "that the zip claims" if claimed is not None else "that an image in a zip may have"
        raise UnreadableImageError(f"it inflates to more than the {most:,} bytes {whose}")
    if not inflating.eof or (claimed is not None and len(inflated) < claimed):
        raise UnreadableImageError("the zip's data are broken: they end too soon")
    return inflated


def _members(path: Path) -> list[zipfile.ZipInfo]:
    """The members, as they lie in the file.

    Raises:
        UserError: The zip is broken, or its members overlap or lie outside of it.
    """
    try:
        with _opened(path) as archive:
            members = sorted(archive.infolist(), key=lambda member: member.header_offset)
            _see_that_they_lie_apart(members, archive.start_dir)
    except Exception as error:  # a list of members that was made up fails in many ways
        raise not_whole(path, "zip", error) from None
    return members


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path, metadata_encoding="utf-8")
    except UnicodeDecodeError:
        return zipfile.ZipFile(path)  # zip's own code page, which decodes any name


def _see_that_they_lie_apart(members: list[zipfile.ZipInfo], end: int) -> None:
    """See that no two members share bytes: a few bytes could be the data of a million images."""
    starts = [member.header_offset for member in members]
    for member, stop in zip(members, [*starts[1:], end], strict=False):
        if (
            member.header_offset < 0
            or member.header_offset + _HEADER.size + member.compress_size > stop
        ):
            where = "overlaps another one" if stop != end else "lies outside of the file"
            raise zipfile.BadZipFile(f"its member {member.filename!a:.100} {where}")


def _images(members: list[zipfile.ZipInfo], passed_over: PassedOver) -> Iterator[zipfile.ZipInfo]:
    for member in members:
        if is_image(plain(member.filename)):
            yield member
        elif is_named_like_one(member.filename) and climbs(member.filename):
            passed_over.add("images of names that lead out of the zip", member.filename)


def _named(path: Path, members: list[zipfile.ZipInfo], names: Path) -> list[zipfile.ZipInfo]:
    by_name: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        if by_name.setdefault(plain(member.filename), member) is not member:
            raise UserError(
                f"{path} holds {plain(member.filename)!r} twice; pack it again with each name once."
            )
    wanted = _read_names(names, by_name)
    absent = [name for name in wanted if name not in by_name]
    if absent:
        raise UserError(
            f"{names} names {absent[0]!r}, which {path} does not hold ({len(absent) - 1} more of"
            f" its {len(wanted)} names are absent too); set images.names to the map of this zip."
        )
    return [by_name[name] for name in wanted]


def _read_names(path: Path, members: Collection[str]) -> list[str]:
    """The names of a map.

    A whole line that is a member, else what is before its last tab, or its last space.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"The map {path} cannot be read ({error}); set images.names to a text file."
        ) from None
    lines = [line.rstrip("\r") for line in lines if line.strip()]
    return [
        plain(line)
        if plain(line) in members
        else plain(line.rpartition("\t" if "\t" in line else " ")[0] or line)
        for line in lines
    ]
