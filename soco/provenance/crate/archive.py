"""Pack a folder into a zip whose bytes follow from the files alone."""

import zipfile
from pathlib import Path

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can tell
_MODE = 0o100644 << 16


def pack(folder: Path, output: Path) -> None:
    """Write all files of a folder into a zip, in the order of their names, without their times and owners."""
    files = sorted(
        (path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file()
    )
    with zipfile.ZipFile(output, "w") as archive:
        for name, path in files:
            member = zipfile.ZipInfo(name, _EPOCH)
            member.external_attr, member.compress_type = _MODE, zipfile.ZIP_DEFLATED
            with path.open("rb") as source, archive.open(member, "w", force_zip64=True) as packed:
                while chunk := source.read(1 << 20):
                    packed.write(chunk)
