"""A folder tree of pictures as a source."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from soco.pictures.read import UnreadablePictureError
from soco.pictures.shards import find_pictures
from soco.pictures.sources.entry import Entry


class FolderSource:
    """Pictures below a folder, each a file of its own."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def entries(self) -> Iterator[Entry]:
        """Yield every picture, sorted by key."""
        for key, size in find_pictures(self.root):
            yield Entry(key, "", 0, size)

    def read(self, entry: Entry) -> bytes:
        """The bytes of the picture's file."""
        try:
            return (self.root / entry.key).read_bytes()
        except FileNotFoundError:
            raise UnreadablePictureError("the file is missing") from None
        except OSError as error:
            raise UnreadablePictureError(error.strerror or str(error)) from None

    def state(self) -> str:
        """A digest of the keys and lengths."""
        return hashlib.sha256(repr(find_pictures(self.root)).encode()).hexdigest()
