"""Layout `webdataset`: a folder of tars with images among other members, read in place."""

from collections.abc import Iterator
from pathlib import Path

from soco.config import ImagesConfig
from soco.data.sources.checks import PassedOver, checked
from soco.data.sources.containers import Containers, containers, containers_state
from soco.data.sources.entry import Entry
from soco.data.sources.tar import images_of


class WebDatasetSource:
    """The images of all tars below a folder, or of one tar; a key is the tar's path without `.tar`
    and the member.

    Other members (labels, captions) are passed over, and so are compressed tars beside plain ones.
    """

    def __init__(self, settings: ImagesConfig) -> None:
        self.path = Path(settings.path)
        self._containers = Containers(self.path)

    def entries(self) -> Iterator[Entry]:
        """Yield every image, tar by tar in the order of their names, as they lie in each.

        Raises:
            UserError: The path is missing, a tar is broken, all are compressed, or there is no
                image.
        """
        passed_over = PassedOver()
        yield from checked(self._images(passed_over), self.path, "webdataset", passed_over)

    def read(self, entry: Entry) -> bytes:
        """A member's bytes.

        Raises:
            UnreadableImageError: The tar is missing or ends before.
        """
        return self._containers.read(entry.container, entry.offset, entry.bytes)

    def state(self) -> str:
        """A digest of every tar's name, size and time; "" where there is none."""
        return containers_state(self.path, ".tar")

    def _images(self, passed_over: PassedOver) -> Iterator[Entry]:
        for container, folder in containers(self.path, "webdataset", ".tar", passed_over):
            for name, offset, size in images_of(self.path / container, False, passed_over):
                yield Entry(f"{folder}/{name}", container, offset, size)
