"""Layout `zip`: one zip file, read in place, with or without a map of the pictures to take."""

import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path

from soco.config import PicturesConfig
from soco.errors import UserError
from soco.pictures.read import UnreadablePictureError
from soco.pictures.sources.checks import checked
from soco.pictures.sources.containers import Containers, files_state
from soco.pictures.sources.entry import Entry
from soco.pictures.sources.layouts import not_whole, require
from soco.pictures.sources.names import is_picture, plain

# Of a member's header in the file: signature, compression, lengths of the name and of the extra field behind it.
_HEADER = struct.Struct("<4s4xH16xHH")
_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED = 1


class ZipSource:
    """The pictures of a zip, or those that a map names; a key is the member's name.

    The map is that of the release's zipped ImageNet: a line is a name, a tab or space, and a label, which is ignored.
    """

    def __init__(self, settings: PicturesConfig) -> None:
        self.path = Path(settings.path)
        self.names = None if settings.names is None else Path(settings.names)
        self._containers = Containers(self.path)

    def entries(self) -> Iterator[Entry]:
        """Yield the pictures: in the order of the map where there is one, else as they lie in the file.

        Raises:
            UserError: The zip or the map is missing or broken, a name of the map is not in the zip, a member is
                encrypted or compressed by other than deflate, or there is no picture.
        """
        require(self.path, "zip", file=True)
        members = _members(self.path)
        chosen = _named(self.path, members, self.names) if self.names else _pictures(members)
        entries = (Entry(plain(member.filename), "", *self._place(member)) for member in chosen)
        yield from checked(entries, self.path, "zip")

    def read(self, entry: Entry) -> bytes:
        """A member's bytes, inflated where they were deflated.

        Raises:
            UnreadablePictureError: There is no member at that place, or its bytes are broken.
        """
        header = self._containers.read("", entry.offset, _HEADER.size)
        signature, method, name, extra = _HEADER.unpack(header)
        if signature != _SIGNATURE:
            raise UnreadablePictureError(f"{self.path} has no member at byte {entry.offset}: it was written again")
        data = self._containers.read("", entry.offset + _HEADER.size + name + extra, entry.bytes)
        if method == zipfile.ZIP_STORED:
            return data
        try:
            return zlib.decompress(data, wbits=-zlib.MAX_WBITS)
        except zlib.error as error:
            raise UnreadablePictureError(f"the zip's data are broken: {error}") from None

    def state(self) -> str:
        """A digest of name, size and time of the zip and of the map; "" where the zip is missing."""
        state = files_state(self.path)
        return state + files_state(self.names) if state and self.names else state

    def _place(self, member: zipfile.ZipInfo) -> tuple[int, int]:
        if member.flag_bits & _ENCRYPTED or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            how = "encrypted" if member.flag_bits & _ENCRYPTED else "compressed by other than deflate"
            raise UserError(f"{self.path} holds {member.filename!r} {how}; pack it again stored or deflated.")
        return member.header_offset, member.compress_size


def _members(path: Path) -> list[zipfile.ZipInfo]:
    """The members, as they lie in the file."""
    try:
        try:
            archive = zipfile.ZipFile(path, metadata_encoding="utf-8")
        except UnicodeDecodeError:
            archive = zipfile.ZipFile(path)  # zip's own code page, which decodes any name
    except zipfile.BadZipFile as error:
        raise not_whole(path, "zip", error) from None
    with archive:
        return sorted(archive.infolist(), key=lambda member: member.header_offset)


def _pictures(members: list[zipfile.ZipInfo]) -> Iterator[zipfile.ZipInfo]:
    return (member for member in members if is_picture(plain(member.filename)))


def _named(path: Path, members: list[zipfile.ZipInfo], names: Path) -> list[zipfile.ZipInfo]:
    by_name: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        if by_name.setdefault(plain(member.filename), member) is not member:
            raise UserError(f"{path} holds {plain(member.filename)!r} twice; pack it again with each name once.")
    wanted = _read_names(names, by_name)
    absent = [name for name in wanted if name not in by_name]
    if absent:
        raise UserError(
            f"{names} names {absent[0]!r}, which {path} does not hold ({len(absent) - 1} more of its {len(wanted)} "
            "names are absent too); set pictures.names to the map of this zip."
        )
    return [by_name[name] for name in wanted]


def _read_names(path: Path, members: Collection[str]) -> list[str]:
    """The names of a map: a whole line that is a member, else what is before its last tab, or its last space."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The map {path} cannot be read ({error}); set pictures.names to a text file.") from None
    lines = [line.rstrip("\r") for line in lines if line.strip()]
    return [
        plain(line) if plain(line) in members else plain(line.rpartition("\t" if "\t" in line else " ")[0] or line)
        for line in lines
    ]
