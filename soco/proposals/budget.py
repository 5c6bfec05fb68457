"""How many pixels threads search at once, so that a shard of large images needs no more memory than one of them."""

import contextlib
import threading
from collections.abc import Iterator


class PixelBudget:
    """Lets threads in as long as their images together have no more pixels than the budget.

    One is always let in.
    """

    def __init__(self, pixels: int) -> None:
        """Allow so many pixels at once."""
        self._pixels = pixels
        self._inside = 0
        self._left = threading.Condition()

    @contextlib.contextmanager
    def holding(self, pixels: int) -> Iterator[None]:
        """Wait until there is room for an image of so many pixels, and hold it for the block."""
        with self._left:
            self._left.wait_for(lambda: not self._inside or self._inside + pixels <= self._pixels)
            self._inside += pixels
        try:
            yield
        finally:
            with self._left:
                self._inside -= pixels
                self._left.notify_all()
