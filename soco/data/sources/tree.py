"""Which names are images, and how folders are listed, without silent omissions."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from soco.errors import UserError

IMAGE_SUFFIXES = (".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

_LOST_AND_FOUND = "lost+found"  # at the top of a file system, readable by root only

# Path below the root, with forward slashes; whether it is a folder that is entered; and the entry.
Item = tuple[str, bool, os.DirEntry[str]]


def is_image(name: str) -> bool:
    """Whether a path with forward slashes has an image suffix and no hidden part."""
    return has_image_suffix(name) and not is_hidden(name)


def has_image_suffix(name: str) -> bool:
    """Whether a name ends with one of `IMAGE_SUFFIXES`, in upper or lower case."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def is_hidden(name: str) -> bool:
    """Whether a part of a path begins with a dot."""
    return name.startswith(".") or "/." in name


def has_parent_part(name: str) -> bool:
    """Whether a part of a path is `..`, which would place an archive's member outside of it."""
    return ".." in re.split(r"[/\\]", name)


def without_root(name: str) -> str:
    """An archive member's name without the leading `./` or `/` that some archivers write."""
    while name.startswith(("/", "./")):
        name = name.removeprefix(".").lstrip("/")
    return name


def walk(root: Path, follow_links: bool = False, skip_unreadable: bool = False) -> Iterator[Item]:
    """List everything below a folder that is not hidden, in the order of `sorted` over the paths.

    Entries that vanish during the listing are ignored; so are a missing root and `lost+found`. The
    loop has its own stack, since deep folders would exceed Python's recursion limit.

    Args:
        root: The folder.
        follow_links: Whether to enter links to folders.
        skip_unreadable: Whether a folder that cannot be read counts as empty.

    Raises:
        UserError: A folder cannot be read (without `skip_unreadable`), or a link leads back to a
            folder above it.
    """
    waiting = [iter(_listed(root, "", follow_links, skip_unreadable))]
    above = [_identity(root)]  # of the root and of each folder that is being listed
    while waiting:
        item = next(waiting[-1], None)
        if item is None:
            waiting.pop()
            above.pop()
            continue
        yield item
        name, is_folder, entry = item
        if is_folder:
            here = _identity(root / name)
            if entry.is_symlink() and here in above:
                raise UserError(
                    "data.link_loop",
                    "The link {path} leads back to a folder above it; remove it.",
                    path=root / name,
                )
            above.append(here)
            waiting.append(iter(_listed(root, f"{name}/", follow_links, skip_unreadable)))


def target_status(entry: os.DirEntry[str], follow: bool = True) -> os.stat_result | None:
    """The status of an entry or of its link's target; None for a broken link or a removed entry."""
    try:
        return entry.stat(follow_symlinks=follow)
    except OSError:
        return None


def mode_of(path: Path) -> int:
    """The mode of a path's target; 0 if it cannot be reached, for which Path.is_dir raises."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _listed(root: Path, below: str, follow_links: bool, skip_unreadable: bool) -> list[Item]:
    try:
        with os.scandir(root / below) as listing:
            items = [(entry.name, _is_entered(entry, follow_links), entry) for entry in listing]
    except FileNotFoundError:
        return []
    except OSError as error:
        if skip_unreadable:
            return []
        raise UserError(
            "data.folder_unreadable",
            "The folder {path} cannot be read ({reason}); make it readable or move it away.",
            path=root / below,
            reason=error.strerror,
        ) from None
    # "a.jpg" sorts before the files of folder "a", since their paths begin with "a/".
    items.sort(key=lambda item: f"{item[0]}/" if item[1] else item[0])
    return [
        (below + name, is_folder, entry)
        for name, is_folder, entry in items
        if _is_listed(name, is_folder)
    ]


def _is_listed(name: str, is_folder: bool) -> bool:
    return not is_hidden(name) and not (is_folder and name == _LOST_AND_FOUND)


def _is_entered(entry: os.DirEntry[str], follow_links: bool) -> bool:
    if entry.is_dir(follow_symlinks=False):
        return True
    status = target_status(entry) if follow_links and entry.is_symlink() else None
    return status is not None and stat.S_ISDIR(status.st_mode)


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
