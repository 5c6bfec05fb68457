"""What all drawings share: resized images with boxes in their pixels, fonts, colours, titles."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from PIL import Image, ImageDraw, ImageFont

from soco.errors import printable

Rect = tuple[float, float, float, float]

MARGIN, LINE = 12, 24
GROUND, _INK = "#ffffff", "#1f2328"
_TITLE_SIZE = 15

# Far beyond every image, but small enough to be multiplied without overflow.
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


SMALL = font(12)


def titled(title: str, width: int, below: int) -> tuple[Image.Image, int]:
    """Make a canvas with a title, broken between words into as many lines as it needs.

    Args:
        title: The title.
        width: Width of the canvas, in pixels.
        below: Height of the canvas below the title, in pixels.

    Returns:
        The canvas, and where the space below the title begins.
    """
    lines: list[str] = []
    for word in printable(title).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font(_TITLE_SIZE).getlength(longer) <= width - 2 * MARGIN:
            lines[-1] = longer
        else:
            lines.append(word)
    top = MARGIN + LINE * len(lines)
    canvas = Image.new("RGB", (width, top + below), GROUND)
    for number, line in enumerate(lines):
        corner = (MARGIN, MARGIN + number * LINE)
        ImageDraw.Draw(canvas).text(corner, line, fill=_INK, font=font(_TITLE_SIZE))
    return canvas, top


def write(draw: ImageDraw.ImageDraw, corner: tuple[int, int], words: str) -> None:
    """Write words in the small font."""
    draw.text(corner, words, fill=_INK, font=SMALL)
