"""What all drawings share: resized images with boxes in their pixels, fonts, colours, titles."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from PIL import ImageFont

from soco.errors import printable

Rect = tuple[float, float, float, float]

MARGIN, LINE = 12, 24
GROUND, INK = "#ffffff", "#1f2328"
TITLE_SIZE, SMALL_SIZE = 15, 12

# Far beyond every image, and small enough to be multiplied.
_FAR = 1e9


@dataclass(frozen=True)
class Frame:
    """The drawing of an image.

    Attributes:
        size: Width and height in pixels, at least 1 each.
        scale: Factors by which the image was resized, horizontally and vertically.
    """

    size: tuple[int, int]
    scale: tuple[float, float]

    @classmethod
    def fit(cls, shape: Sequence[int], width: int, height: int) -> Self:
        """The largest drawing within a width and a height that keeps the aspect ratio.

        Args:
            shape: Height and width of the image, at least 1 each; further entries are ignored.
            width: Largest width of the drawing, in pixels.
            height: Largest height, in pixels.
        """
        scale = min(width / shape[1], height / shape[0])
        return cls.of(shape, (max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))))

    @classmethod
    def of(cls, shape: Sequence[int], size: tuple[int, int]) -> Self:
        """The drawing of an image of a height and width, resized to a width and height."""
        return cls(size, (size[0] / shape[1], size[1] / shape[0]))

    def place(self, box: Sequence[float]) -> Rect | None:
        """A box in pixels of the drawing, clipped to it.

        Args:
            box: Left, top, right, bottom in pixels of the image; swapped sides are put in order.

        Returns:
            The same with left <= right and top <= bottom; None if a side is NaN.
        """
        if any(side != side for side in box):
            return None
        left, top, right, bottom = box
        x0, x1 = sorted(self._within(side, 0) for side in (left, right))
        y0, y1 = sorted(self._within(side, 1) for side in (top, bottom))
        return x0, y0, x1, y1

    def _within(self, side: float, axis: int) -> float:
        return min(max(0.0, min(max(side, -_FAR), _FAR) * self.scale[axis]), self.size[axis] - 1.0)


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, at a height in pixels."""
    return ImageFont.load_default(size)


def broken(text: str, width: int) -> list[str]:
    """The text as a title, broken between words into lines of at most `width` pixels."""
    lines: list[str] = []
    for word in printable(text).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font(TITLE_SIZE).getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
