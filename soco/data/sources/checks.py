"""What every source checks: that its path fits its layout, and that its entries are usable."""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from soco.data.sources.entry import Entry
from soco.data.sources.tree import IMAGE_SUFFIXES, is_image
from soco.errors import UserError

log = logging.getLogger(__name__)

COMPRESSED_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
"""File name suffixes of compressed tars."""

_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")  # gzip, bzip2, xz, zstd


class Ignored:
    """Counts what a listing leaves out, by kind, to log it when the listing ends."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._counts: Counter[str] = Counter()

    def add(self, kind: str, name: str) -> None:
        """Count one more of a kind, such as `links to folders`."""
        self._first.setdefault(kind, name)
        self._counts[kind] += 1

    def log(self) -> None:
        """Warn about each kind."""
        for kind, count in self._counts.items():
            log.warning("ignored %d %s, first %.200a", count, kind, self._first[kind])


def check_entries(
    entries: Iterable[Entry], path: Path, layout: str, ignored: Ignored
) -> Iterator[Entry]:
    """Yield the entries, except for names that are not UTF-8, which no store can contain.

    Args:
        entries: The images of a source.
        path: The source's path.
        layout: The source's layout.
        ignored: Receives those names, and is logged at the end; it may already count what `entries`
            leaves out.

    Raises:
        UserError: Two entries have the same key, or there is no entry.
    """
    keys: set[str] = set()
    for entry in entries:
        if not _is_text(entry.key) or not _is_text(entry.container):
            ignored.add("images with names that are not UTF-8", entry.key)
            continue
        if entry.key in keys:
            raise UserError(
                "data.duplicate_key",
                "{path} contains two images named {key!r}; rename or remove one of them.",
                path=path,
                key=entry.key,
            )
        keys.add(entry.key)
        yield entry
    ignored.log()
    if not keys:
        raise UserError(
            "data.no_images",
            "{path} (images.path) contains no images ({suffixes}); {remedy}.",
            path=path,
            suffixes=", ".join(IMAGE_SUFFIXES),
            remedy=suggest_layout(path, layout),
        )


def require_layout(path: Path, layout: str, *, file: bool = False, folder: bool = False) -> None:
    """Check that a path exists, and is a file or a folder as the layout needs.

    Args:
        path: The source's path.
        layout: The source's layout.
        file: Whether it may be a file.
        folder: Whether it may be a folder.

    Raises:
        UserError: It is missing or of the other kind; the message names the layout that fits.
    """
    try:
        if not path.exists():
            raise UserError(
                "data.source_not_found",
                "There is no {path}; set images.path to the location of the images.",
                path=path,
            )
        if folder and path.is_dir():
            return
        if file and path.is_file():
            # is_file() succeeds without the right to read.
            path.open("rb").close()
            return
    except OSError as error:
        raise UserError(
            "data.source_unreadable",
            "{path} cannot be read ({reason}); make it and the folders above it readable.",
            path=path,
            reason=error.strerror,
        ) from None
    raise UserError(
        "data.layout_mismatch",
        "{path} is a {kind}, which images.layout {layout} does not read; {remedy}.",
        path=path,
        kind="folder" if path.is_dir() else "file",
        layout=layout,
        remedy=suggest_layout(path, layout),
    )


def suggest_layout(
    path: Path, layout: str, otherwise: str = "docs/data.md shows what each images.layout reads"
) -> str:
    """Say what to do about a path that the layout cannot read.

    Args:
        path: The source's path.
        layout: The source's layout.
        otherwise: What to do if no other layout fits.
    """
    fitting = _detected_layout(path)
    return otherwise if fitting in (None, layout) else f"set images.layout to {fitting}"


def invalid_file(path: Path, kind: str, error: Exception | str) -> UserError:
    """Return the error for a zip, tar or Parquet file that is broken or of another kind.

    Args:
        path: The file.
        kind: `zip`, `tar` or `parquet`.
        error: What is wrong with it.
    """
    return UserError(
        "data.invalid_file",
        "{path} is not a valid {kind} file ({reason}); {remedy}.",
        path=path,
        kind=kind,
        reason=str(error).split("\n")[0][:200].rstrip(".") or type(error).__name__,
        remedy=suggest_layout(path, kind, otherwise="copy or download it again"),
    )


def is_compressed(path: Path) -> bool:
    """Whether a file is compressed as a whole, by gzip, bzip2, xz or zstd."""
    with path.open("rb") as file:
        return file.read(6).startswith(_COMPRESSED)


def _detected_layout(path: Path) -> str | None:
    """The layout that a file or folder seems to have; None if unknown."""
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(262)
        # The second is an empty zip.
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            return "zip"
        if head.startswith(b"PAR1"):
            return "parquet"
        # A tar has this mark at bytes 257 to 261.
        return "tar" if head.endswith(b"ustar") or head.startswith(_COMPRESSED) else None
    for _, _, names in os.walk(path):
        for suffix, layout in ((".tar", "webdataset"), (".parquet", "parquet")):
            if any(name.endswith(suffix) for name in names):
                return layout
        if any(is_image(name) for name in names):
            return "folder"
    return None


def _is_text(name: str) -> bool:
    try:
        # Python reads bytes that are not UTF-8 as surrogates, which cannot be encoded.
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
