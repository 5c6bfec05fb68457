"""Layout `folder`: a folder tree with a file for each picture."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from soco.config import PicturesConfig
from soco.errors import UserError
from soco.pictures.read import read_file
from soco.pictures.sources.checks import checked
from soco.pictures.sources.entry import Entry
from soco.pictures.sources.layouts import require
from soco.pictures.sources.names import is_hidden, is_picture


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
        pictures = (Entry(key, "", 0, status.st_size) for key, status in self._pictures())
        yield from checked(pictures, self.path, "folder")

    def read(self, entry: Entry) -> bytes:
        """The file's content.

        Raises:
            UnreadablePictureError: The file is missing or cannot be read.
        """
        return read_file(self.path / entry.key)

    def state(self) -> str:
        """A digest of what `pictures.watch` names: every picture's path, size and time; every folder's; or nothing."""
        if self.watch == "never":
            return "never"
        if not self.path.is_dir():
            return ""
        told = hashlib.sha256()
        found = self._folders() if self.watch == "folders" else self._pictures()
        for name, status in found:
            told.update(os.fsencode(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0"))
        return told.hexdigest()[:16]

    def _pictures(self) -> Iterator[tuple[str, os.stat_result]]:
        """Path and status of each picture, sorted by path; a broken link is one, so that reading it will tell."""
        for name, found in self._walk(""):
            if is_picture(name):
                try:
                    status = found.stat()
                except OSError:
                    status = found.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                    yield name, status

    def _folders(self) -> Iterator[tuple[str, os.stat_result]]:
        """Path and status of each folder, the topmost first."""
        yield "", self.path.stat()
        for name, found in self._walk(""):
            if found.is_dir(follow_symlinks=False):
                yield name, found.stat()

    def _walk(self, below: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """Path and entry of each file and folder, in the order of `sorted` over their paths."""
        try:
            with os.scandir(self.path / below) as listing:
                found = [(entry.name, entry.is_dir(follow_symlinks=False), entry) for entry in listing]
        except OSError as error:
            raise UserError(
                f"The folder {self.path / below} cannot be read ({error.strerror}); make it readable or move it away."
            ) from None
        # "a.jpg" sorts before the files of folder "a": their paths begin with "a/".
        for name, is_folder, entry in sorted(found, key=lambda each: f"{each[0]}/" if each[1] else each[0]):
            if is_hidden(name):
                continue
            yield below + name, entry
            if is_folder:
                yield from self._walk(f"{below}{name}/")
