"""Whether a path has the configured layout, and which layout it has instead."""

import os
from pathlib import Path

from soco.data.sources.names import is_image
from soco.errors import UserError

COMPRESSED_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
"""How the names of compressed tars end."""

_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")


def require(path: Path, layout: str, *, file: bool = False, folder: bool = False) -> None:
    """Make sure that a path is there, and is a file or folder as the layout asks.

    Raises:
        UserError: It is missing, or of the other kind; the layout that fits is named.
    """
    if not _is_there(path):
        raise UserError(f"There is no {path}; set images.path to where the images are.")
    if folder and path.is_dir():
        return
    if file and path.is_file():
        _open_once(path)
        return
    kind = "folder" if path.is_dir() else "file"
    raise UserError(
        f"{path} is a {kind}, which images.layout {layout} does not read; {remedy(path, layout)}."
    )


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}); make the folders above it readable."
        ) from None


def _open_once(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); make it readable.") from None


def remedy(
    path: Path, layout: str, otherwise: str = "docs/data.md shows what each images.layout reads"
) -> str:
    """What to do about a path that the layout cannot read.

    Set the one that fits, or `otherwise`.
    """
    fitting = fitting_layout(path)
    return otherwise if fitting in (None, layout) else f"set images.layout to {fitting}"


def not_whole(path: Path, kind: str, error: Exception | str) -> UserError:
    """What to say about a zip, tar or Parquet file that is broken, or is something else."""
    cure = remedy(path, kind, otherwise="copy or download it again")
    reason = str(error).split("\n")[0][:200].rstrip(".") or type(error).__name__
    return UserError(f"{path} is not a valid {kind} file ({reason}); {cure}.")


def fitting_layout(path: Path) -> str | None:
    """The layout that a file or folder seems to have; None where it has none of them."""
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(262)
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            return "zip"
        if head.startswith(b"PAR1"):
            return "parquet"
        return "tar" if head.endswith(b"ustar") or head.startswith(_COMPRESSED) else None
    for _, _, names in os.walk(path):
        for suffix, layout in ((".tar", "webdataset"), (".parquet", "parquet")):
            if any(name.endswith(suffix) for name in names):
                return layout
        if any(is_image(name) for name in names):
            return "folder"
    return None


def is_compressed(path: Path) -> bool:
    """Whether a file is compressed as a whole, by gzip, bzip2, xz or zstd."""
    with path.open("rb") as file:
        return file.read(6).startswith(_COMPRESSED)
