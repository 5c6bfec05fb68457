"""What a source of images is: a list of entries, and the bytes of each, read in place."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """One image of a source.

    Attributes:
        key: Its name, unique in the source: folders and file name with forward slashes. The same
            images have the same keys in a folder tree, in a zip and in a tar of tars.
        container: The file that holds it, as a path below the source's; "" where the image is a
            file of its own, or the source is one file.
        offset: Where it begins in its container: a byte for zip and tar, a row for Parquet, 0 for a
            file of its own.
        bytes: Its length, in bytes as stored; for Parquet an equal share of its row group's, which
            alone is told there.
        content: The first eight bytes of its SHA-256, as a signed number; 0 before it was listed.
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
            UserError: The source is missing, broken or of another layout, holds a key twice, or
                holds no image.
        """
        ...

    def read(self, entry: Entry) -> bytes:
        """The encoded image, as bytes that a decoder takes.

        Raises:
            UnreadableImageError: It is no longer there, or its bytes cannot be had.
        """
        ...

    def state(self) -> str:
        """A short digest that changes when an image is added, removed, renamed or written again;
        reads no image.

        It is "" where the source is missing, and covers what can be reached of a broken one:
        `entries` says what is wrong with it. For a folder tree, `images.watch` says how much it
        looks at.
        """
        ...
