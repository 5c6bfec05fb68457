"""Layout `folder`: a folder tree with one file per image."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from soco.config import ImagesConfig
from soco.data.read import read_file
from soco.data.sources.checks import Ignored, check_entries, require_layout
from soco.data.sources.entry import Entry
from soco.data.sources.tree import is_image, mode_of, target_status, walk


class FolderSource:
    """Every image below a folder; a key is the path below it.

    Hidden files and folders are ignored. Links to images are followed, links to folders are not.
    """

    def __init__(self, settings: ImagesConfig) -> None:
        self.path = Path(settings.path)
        self.watch = settings.watch

    def entries(self) -> Iterator[Entry]:
        """Yield every image, sorted by key.

        Raises:
            UserError: The folder is missing, cannot be read, or contains no image.
        """
        require_layout(self.path, "folder", folder=True)
        ignored = Ignored()
        images = (Entry(key, "", 0, status.st_size) for key, status in self._images(ignored))
        yield from check_entries(images, self.path, "folder", ignored)

    def read(self, entry: Entry) -> bytes:
        """The file's content.

        Raises:
            UnreadableImageError: The file is missing or cannot be read.
        """
        return read_file(self.path / entry.key)

    def state(self) -> str:
        """A digest of what `images.watch` sets: the images' or folders' status, or nothing.

        The status is path, size and time. A folder that cannot be read counts as empty: `entries`
        reports the problem.
        """
        if self.watch == "never":
            return "never"
        if not stat.S_ISDIR(mode_of(self.path)):
            return ""
        digest = hashlib.sha256()
        listed = (
            self._folders()
            if self.watch == "folders"
            else self._images(Ignored(), skip_unreadable=True)
        )
        for name, status in listed:
            digest.update(os.fsencode(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0"))
        return digest.hexdigest()[:16]

    def _images(
        self, ignored: Ignored, skip_unreadable: bool = False
    ) -> Iterator[tuple[str, os.stat_result]]:
        """Path and status of each image, sorted by path.

        A broken link counts as an image: reading it then gives the reason for skipping it.
        """
        for name, is_folder, entry in walk(self.path, skip_unreadable=skip_unreadable):
            if is_folder:
                continue
            status = target_status(entry) or target_status(entry, follow=False)
            if status is None:
                continue
            if stat.S_ISDIR(status.st_mode):
                ignored.add("links to folders", name)
            elif is_image(name) and (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
                yield name, status
            elif is_image(name):
                ignored.add("pipes, sockets or devices named like images", name)

    def _folders(self) -> Iterator[tuple[str, os.stat_result]]:
        """Path and status of each folder, the topmost first."""
        yield "", self.path.stat()
        for name, is_folder, entry in walk(self.path, skip_unreadable=True):
            if is_folder and (status := target_status(entry)) is not None:
                yield name, status
