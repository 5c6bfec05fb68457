"""Layout `zip`: one zip file, read in place, with or without a map of the images to use."""

import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path

from soco.config import ImagesConfig
from soco.data.read import UnreadableImageError
from soco.data.sources.checks import Ignored, check_entries, invalid_file, require_layout
from soco.data.sources.containers import Containers, files_state
from soco.data.sources.entry import Entry
from soco.data.sources.tree import has_image_suffix, has_parent_part, is_image, without_root
from soco.errors import UserError

# A member's header in the file: signature, flags, compression, inflated size, and the lengths of
# the name and of the extra field, which follow it.
_HEADER = struct.Struct("<4s2xHH12xIHH")
_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED = 1
_SIZE_AFTER_DATA = 8  # flag: the size is not in the header but after the data
_SIZE_IN_ZIP64 = 0xFFFFFFFF

MAX_INFLATED = 512 << 20
"""Maximum bytes of an inflated member.

Encoded images hardly compress, but a bomb of zeros grows a thousandfold.
"""


class ZipSource:
    """The images of a zip, or those in its map; a key is the member's name.

    The map is the one of the release's zipped ImageNet: each line is a name, a tab or space, and a
    label, which is ignored.
    """

    def __init__(self, settings: ImagesConfig) -> None:
        self.path = Path(settings.path)
        self.names = None if settings.names is None else Path(settings.names)
        self._containers = Containers(self.path)

    def entries(self) -> Iterator[Entry]:
        """Yield the images, in the order of the map if there is one, else in that of the file.

        Raises:
            UserError: The zip or the map is missing or broken, a name of the map is not in the zip,
                a member is encrypted or uses a compression other than deflate, or there is no
                image.
        """
        require_layout(self.path, "zip", file=True)
        members, ignored = _members(self.path), Ignored()
        chosen = _named(self.path, members, self.names) if self.names else _images(members, ignored)
        entries = (
            Entry(without_root(member.filename), "", *self._place(member)) for member in chosen
        )
        yield from check_entries(entries, self.path, "zip", ignored)

    def read(self, entry: Entry) -> bytes:
        """A member's bytes, inflated if they were deflated.

        Raises:
            UnreadableImageError: There is no member at that offset, its bytes are broken, or they
                inflate to more than the zip claims or than 512 MiB.
        """
        # The data begin behind the member's own header, whose extra field may differ in length from
        # the one in the zip's directory.
        header = self._containers.read("", entry.offset, _HEADER.size)
        signature, flags, method, size, name, extra = _HEADER.unpack(header)
        if signature != _SIGNATURE:
            raise UnreadableImageError(
                f"{self.path} has no member at byte {entry.offset}: the file was rewritten"
            )
        data = self._containers.read("", entry.offset + _HEADER.size + name + extra, entry.bytes)
        if method == zipfile.ZIP_STORED:
            return data
        return _inflated(data, None if flags & _SIZE_AFTER_DATA or size == _SIZE_IN_ZIP64 else size)

    def state(self) -> str:
        """A digest of the name, size and time of the zip and of the map; "" for a missing zip."""
        state = files_state(self.path)
        return state + files_state(self.names) if state and self.names else state

    def _place(self, member: zipfile.ZipInfo) -> tuple[int, int]:
        is_encrypted = bool(member.flag_bits & _ENCRYPTED)
        if is_encrypted or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UserError(
                "data.zip_member_unsupported",
                "The member {name!r} of {path} {problem}; pack it again, stored or deflated.",
                name=member.filename,
                path=self.path,
                problem="is encrypted" if is_encrypted else "is compressed, but not by deflate",
            )
        return member.header_offset, member.compress_size


def _inflated(data: bytes, claimed: int | None) -> bytes:
    """Inflate a member, at most to the size in its header, or to the maximum."""
    if claimed is not None and claimed > MAX_INFLATED:
        raise UnreadableImageError(
            f"it inflates to {claimed:,} bytes, more than {MAX_INFLATED:,}: store it as it is"
        )
    most = MAX_INFLATED if claimed is None else claimed
    # Negative: a zip has bare deflate streams, without zlib's header and checksum.
    inflating = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        # One byte more than allowed shows an excess without inflating all of it.
        inflated = inflating.decompress(data, most + 1)
    except zlib.error as error:
        raise UnreadableImageError(f"the zip's data are broken: {error}") from None
    if len(inflated) > most:
        limit = "that the zip claims" if claimed is not None else "that an image in a zip may have"
        raise UnreadableImageError(f"it inflates to more than the {most:,} bytes {limit}")
    if not inflating.eof or (claimed is not None and len(inflated) < claimed):
        raise UnreadableImageError("the zip's data are broken: they end too early")
    return inflated


def _members(path: Path) -> list[zipfile.ZipInfo]:
    """The members, in the order of the file.

    Raises:
        UserError: The zip is broken, or its members overlap or are outside of the file.
    """
    try:
        with _opened(path) as archive:
            members = sorted(archive.infolist(), key=lambda member: member.header_offset)
            _check_no_overlap(members, archive.start_dir)
    except Exception as error:  # a forged list of members fails in many ways
        raise invalid_file(path, "zip", error) from None
    return members


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        # Many archivers write UTF-8 names without the flag that says so.
        return zipfile.ZipFile(path, metadata_encoding="utf-8")
    except UnicodeDecodeError:
        return zipfile.ZipFile(path)  # code page 437, which decodes any name


def _check_no_overlap(members: list[zipfile.ZipInfo], end: int) -> None:
    """Refuse members that share bytes: a few bytes could be the data of a million images."""
    starts = [member.header_offset for member in members]
    for member, stop in zip(members, [*starts[1:], end], strict=False):
        if (
            member.header_offset < 0
            or member.header_offset + _HEADER.size + member.compress_size > stop
        ):
            where = "overlaps another one" if stop != end else "is outside of the file"
            raise zipfile.BadZipFile(f"its member {member.filename!a:.100} {where}")


def _images(members: list[zipfile.ZipInfo], ignored: Ignored) -> Iterator[zipfile.ZipInfo]:
    for member in members:
        if is_image(without_root(member.filename)):
            yield member
        elif has_image_suffix(member.filename) and has_parent_part(member.filename):
            ignored.add("images whose names lead out of the zip", member.filename)


def _named(path: Path, members: list[zipfile.ZipInfo], names: Path) -> list[zipfile.ZipInfo]:
    by_name: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        if by_name.setdefault(without_root(member.filename), member) is not member:
            raise UserError(
                "data.zip_name_twice",
                "{path} contains {name!r} twice; pack it again with each name once.",
                path=path,
                name=without_root(member.filename),
            )
    wanted = _read_names(names, by_name)
    absent = [name for name in wanted if name not in by_name]
    if absent:
        raise UserError(
            "data.zip_map_mismatch",
            "{absent} of the {wanted} names in the map {names} are not in {path}, first {first!r};"
            " set images.names to the map of this zip.",
            absent=len(absent),
            wanted=len(wanted),
            names=names,
            path=path,
            first=absent[0],
        )
    return [by_name[name] for name in wanted]


def _read_names(path: Path, members: Collection[str]) -> list[str]:
    """The names of a map: a line that is a member, else its part before the last tab or space."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            "data.zip_map_unreadable",
            "The map {path} cannot be read ({reason}); set images.names to a text file.",
            path=path,
            reason=error,
        ) from None
    lines = [line.rstrip("\r") for line in lines if line.strip()]
    return [
        without_root(line)
        if without_root(line) in members
        # From the right, because names may contain spaces.
        else without_root(line.rpartition("\t" if "\t" in line else " ")[0] or line)
        for line in lines
    ]
