"""A folder tree listed without leaving anything out in silence."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from soco.data.sources.names import is_hidden
from soco.errors import UserError

_LOST_AND_FOUND = "lost+found"  # root's own, at the top of a file system

# Path below the root, with forward slashes; whether it is a folder that is entered; and the entry.
Found = tuple[str, bool, os.DirEntry[str]]


def walk(root: Path, follow_links: bool = False, skip_unreadable: bool = False) -> Iterator[Found]:
    """Everything below a folder that is not hidden, in the order of `sorted` over the paths.

    What vanishes while it is listed is passed over; so is a root that is not there, and a file
    system's `lost+found`.

    Args:
        root: The folder.
        follow_links: Whether links to folders are entered.
        skip_unreadable: Whether a folder that cannot be read counts as empty.

    Raises:
        UserError: A folder cannot be read (without `skip_unreadable`), or a link leads back to a
            folder above it.
    """
    waiting = [iter(_listed(root, "", follow_links, skip_unreadable))]
    above = [_identity(root)]  # of the folders that are being listed, and the root's
    while waiting:
        found = next(waiting[-1], None)
        if found is None:
            waiting.pop()
            above.pop()
            continue
        yield found
        name, is_folder, entry = found
        if is_folder:
            here = _identity(root / name)
            if entry.is_symlink() and here in above:
                raise UserError(
                    f"The link {root / name} leads back to a folder above it; remove it."
                )
            above.append(here)
            waiting.append(iter(_listed(root, f"{name}/", follow_links, skip_unreadable)))


def target_status(entry: os.DirEntry[str], follow: bool = True) -> os.stat_result | None:
    """The status of what an entry is, or leads to.

    None where it leads nowhere, or has gone since the listing.
    """
    try:
        return entry.stat(follow_symlinks=follow)
    except OSError:
        return None


def mode_of(path: Path) -> int:
    """The mode of what a path leads to.

    0 where it leads nowhere or cannot be reached, for which Path.is_dir raises.
    """
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _listed(root: Path, below: str, follow_links: bool, skip_unreadable: bool) -> list[Found]:
    try:
        with os.scandir(root / below) as listing:
            found = [(entry.name, _is_entered(entry, follow_links), entry) for entry in listing]
    except FileNotFoundError:
        return []
    except OSError as error:
        if skip_unreadable:
            return []
        raise UserError(
            f"The folder {root / below} cannot be read ({error.strerror}); make it readable or move"
            " it away."
        ) from None
    # "a.jpg" sorts before the files of folder "a": their paths begin with "a/".
    found.sort(key=lambda each: f"{each[0]}/" if each[1] else each[0])
    return [
        (below + name, is_folder, entry)
        for name, is_folder, entry in found
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
