"""A source of images: a list of entries, and the bytes of each, read in place."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """One image of a source.

    Attributes:
        key: Its name, unique in the source: folders and file name with forward slashes. The same
            images have the same keys in a folder tree, in a zip and in a tar of tars.
        container: The file that contains it, as a path below the source's; "" where the image is a
            file of its own, or the source is one file.
        offset: Its position in the container: a byte for zip and tar, a row for Parquet, 0 for a
            file of its own.
        bytes: Its length, in bytes as stored. For Parquet, an equal share of its row group's, since
            only that is known.
        content: The first eight bytes of its SHA-256, as a signed number; 0 if not yet listed.
    """

    key: str
    container: str
    offset: int
    bytes: int
    content: int = field(default=0, compare=False)


class ImageSource(Protocol):
    """Images in one layout.

    Instances pickle as their settings, threads may share one, and each process opens files when it
    first reads.
    """

    def entries(self) -> Iterator[Entry]:
        """Yield every image, in the order in which reading them is sequential.

        Raises:
            UserError: The source is missing, broken or of another layout, has two images with the
                same key, or has no image.
        """
        ...

    def read(self, entry: Entry) -> bytes:
        """Return the encoded image.

        Raises:
            UnreadableImageError: It no longer exists, or its bytes cannot be read.
        """
        ...

    def state(self) -> str:
        """Return a short digest that changes when an image is added, removed, renamed or rewritten.

        It reads no image, and is "" if the source is missing. For a broken source it covers the
        part that can be listed, and `entries` reports the problem. For a folder tree,
        `images.watch` sets how much is checked.
        """
        ...
