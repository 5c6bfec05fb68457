"""Layout `folder`: a folder tree with a file for each picture."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from soco.config import PicturesConfig
from soco.pictures.read import read_file
from soco.pictures.sources.checks import PassedOver, checked
from soco.pictures.sources.entry import Entry
from soco.pictures.sources.layouts import require
from soco.pictures.sources.names import is_picture
from soco.pictures.sources.tree import mode_of, target_status, walk


class FolderSource:
    """Every picture below a folder; a key is the path below it. Hidden files and folders are passed over.

    Links to pictures are followed, links to folders are not.
    """

    def __init__(self, settings: PicturesConfig) -> None:
        self.path = Path(settings.path)
        self.watch = settings.watch

    def entries(self) -> Iterator[Entry]:
        """Yield every picture, sorted by key.

        Raises:
            UserError: The folder is missing, cannot be read, or holds no picture.
        """
        require(self.path, "folder", folder=True)
        passed_over = PassedOver()
        pictures = (Entry(key, "", 0, status.st_size) for key, status in self._pictures(passed_over))
        yield from checked(pictures, self.path, "folder", passed_over)

    def read(self, entry: Entry) -> bytes:
        """The file's content.

        Raises:
            UnreadablePictureError: The file is missing or cannot be read.
        """
        return read_file(self.path / entry.key)

    def state(self) -> str:
        """A digest of what `pictures.watch` names: every picture's path, size and time; every folder's; or nothing.

        A folder that cannot be read counts as empty: `entries` says what is wrong.
        """
        if self.watch == "never":
            return "never"
        if not stat.S_ISDIR(mode_of(self.path)):
            return ""
        told = hashlib.sha256()
        found = self._folders() if self.watch == "folders" else self._pictures(PassedOver(), skip_unreadable=True)
        for name, status in found:
            told.update(os.fsencode(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0"))
        return told.hexdigest()[:16]

    def _pictures(self, passed_over: PassedOver, skip_unreadable: bool = False) -> Iterator[tuple[str, os.stat_result]]:
        """Path and status of each picture, sorted by path; a broken link is one, so that reading it will tell."""
        for name, is_folder, found in walk(self.path, skip_unreadable=skip_unreadable):
            if is_folder:
                continue
            status = target_status(found) or target_status(found, follow=False)
            if status is None:
                continue
            if stat.S_ISDIR(status.st_mode):
                passed_over.add("links to folders", name)
            elif is_picture(name) and (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
                yield name, status
            elif is_picture(name):
                passed_over.add("pipes, sockets or devices named like pictures", name)

    def _folders(self) -> Iterator[tuple[str, os.stat_result]]:
        """Path and status of each folder, the topmost first."""
        yield "", self.path.stat()
        for name, is_folder, found in walk(self.path, skip_unreadable=True):
            if is_folder and (status := target_status(found)) is not None:
                yield name, status
