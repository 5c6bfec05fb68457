"""Whether a path has the configured layout, and which layout it has instead."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from soco.errors import UserError
from soco.pictures.sources.names import is_picture
from soco.pictures.sources.tree import target_status, walk

COMPRESSED_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
"""How the names of compressed tars end."""

_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")


def require(path: Path, layout: str, *, file: bool = False, folder: bool = False) -> None:
    """Make sure that a path is there, and is a file or folder as the layout asks.

    Raises:
        UserError: It is missing, or of the other kind; the layout that fits is named.
    """
    if not _is_there(path):
        raise UserError(f"There is no {path}; set pictures.path to where the pictures are.")
    if folder and path.is_dir():
        return
    if file and path.is_file():
        _open_once(path)
        return
    kind = "folder" if path.is_dir() else "file"
    raise UserError(f"{path} is a {kind}, which pictures.layout {layout} does not read; {remedy(path, layout)}.")


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); make the folders above it readable.") from None


def _open_once(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); make it readable.") from None


def remedy(path: Path, layout: str, otherwise: str = "docs/data.md shows what each pictures.layout reads") -> str:
    """What to do about a path that the layout cannot read: set the one that fits, or `otherwise`."""
    fitting = fitting_layout(path)
    return otherwise if fitting in (None, layout) else f"set pictures.layout to {fitting}"


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
        if any(is_picture(name) for name in names):
            return "folder"
    return None


def is_compressed(path: Path) -> bool:
    """Whether a file is compressed as a whole, by gzip, bzip2, xz or zstd."""
    with path.open("rb") as file:
        return file.read(6).startswith(_COMPRESSED)


def containers(path: Path, layout: str, suffix: str) -> Iterator[tuple[str, str]]:
    """The files of one suffix below a folder, sorted, or the one file that `path` is.

    Returns:
        Each file's path below `path` ("" for the one file), and the folder that its pictures' keys begin with: the
        same without the suffix.

    Raises:
        UserError: The path is missing, or holds no such file.
    """
    require(path, layout, file=True, folder=True)
    if path.is_file():
        yield "", path.stem
        return
    if suffix == ".tar":
        _refuse_compressed(path)
    found = container_files(path, suffix)
    if not found:
        raise UserError(f"{path} holds no {suffix} file for pictures.layout {layout}; {remedy(path, layout)}.")
    yield from ((name, name.removesuffix(suffix)) for name in found)


def container_files(path: Path, suffix: str) -> list[str]:
    """Paths below a folder of the files of one suffix that are not hidden, sorted; [""] for a file.

    Links to files are followed, links to folders are not.

    Raises:
        UserError: A folder cannot be read, or what has the suffix is no file, or a link to nothing.
    """
    if path.is_file():
        return [""]
    found = []
    for name, is_folder, entry in walk(path):
        if is_folder or not name.endswith(suffix):
            continue
        status = target_status(entry)
        if status is None or not stat.S_ISREG(status.st_mode):
            raise UserError(f"{path / name} is no file, or a link to nothing; put the file there, or remove the name.")
        found.append(name)
    return sorted(found)


def _refuse_compressed(path: Path) -> None:
    for name, is_folder, _ in walk(path):
        if name.lower().endswith(COMPRESSED_TARS) and not is_folder:
            raise UserError(
                f"{path} holds the compressed {name}, which cannot be read in place; decompress it to a plain .tar, "
                "or move it away."
            )
