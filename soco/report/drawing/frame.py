"""An image resized for a drawing, and where its boxes lie there.

The one place that cuts boxes at the edges.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

Rect = tuple[float, float, float, float]

# Far beyond every image, and small enough to be multiplied.
_FAR = 1e9


@dataclass(frozen=True)
class Frame:
    """The drawing of an image.

    Attributes:
        size: Its width and height in pixels, at least 1 each.
        scale: By which the image was resized, across and down.
    """

    size: tuple[int, int]
    scale: tuple[float, float]

    @classmethod
    def fit(cls, shape: Sequence[int], width: int, height: int) -> Self:
        """The largest drawing of an image within a width and a height, in its proportions as far as
        pixels allow.

        Args:
            shape: Height and width of the image, at least 1 each; what follows them is not read.
            width: Largest width of the drawing, in pixels.
            height: Largest height.
        """
        scale = min(width / shape[1], height / shape[0])
        return cls.of(shape, (max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))))

    @classmethod
    def of(cls, shape: Sequence[int], size: tuple[int, int]) -> Self:
        """The drawing of an image of a height and width, resized to a width and height."""
        return cls(size, (size[0] / shape[1], size[1] / shape[0]))

    def place(self, box: Sequence[float]) -> Rect | None:
        """A box in pixels of the drawing, each side within it: what lies beyond an edge is drawn at
        the edge.

        Args:
            box: Left, top, right, bottom in pixels of the image; sides in the wrong order are
                swapped.

        Returns:
            The same with left <= right and top <= bottom; None where a side is not a number.
        """
        if any(side != side for side in box):
            return None
        left, top, right, bottom = box
        x0, x1 = sorted(self._within(side, 0) for side in (left, right))
        y0, y1 = sorted(self._within(side, 1) for side in (top, bottom))
        return x0, y0, x1, y1

    def _within(self, side: float, axis: int) -> float:
        return min(max(0.0, min(max(side, -_FAR), _FAR) * self.scale[axis]), self.size[axis] - 1.0)
