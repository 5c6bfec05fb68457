"""Boxes, masks and labels drawn on an image, as a small JPEG to embed in a page."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from soco.errors import LONGEST_DRAWN, printable
from soco.report.drawing.canvas import Frame, Rect
from soco.report.drawing.masks import Pixels, paint

# Distinct on light and dark backgrounds; neighbours in the list differ most.
COLOURS = (
    *("#ffd400", "#00a2ff", "#ff3b30", "#36d65c", "#d67bff", "#ff9500"),
    *("#00e0d1", "#ff7eb6", "#b5e61d", "#5b6cff", "#ffffff", "#c08552"),
)
_SHADE = "#000000"
# A taller image is drawn narrower, otherwise a strip of one column would be far too high.
_TALLEST = 4


@dataclass(frozen=True)
class PageImage:
    """An image for the page.

    Attributes:
        uri: The image itself as a data URI.
        alt: Alternative text.
        caption: The line below it.
        width: In pixels; None: it scales.
        height: In pixels.
        title: Bold text before the caption.
    """

    uri: str
    alt: str
    caption: str = ""
    width: int | None = None
    height: int | None = None
    title: str = ""


@dataclass(frozen=True)
class Mark:
    """An object to draw.

    Attributes:
        box: Left, top, right, bottom in pixels of the image before it is resized; clipped to it.
        colour: Colour of its box and mask.
        label: Text next to it, shortened to fit into the drawing.
        mask: The pixels of the image that it covers, (H, W).
    """

    box: Rect
    colour: str
    label: str = ""
    mask: Pixels | None = None


def draw_marks(
    rgb: npt.NDArray[np.uint8], marks: Sequence[Mark], width: int, letters: int = 11
) -> tuple[str, tuple[int, int]]:
    """Resize an image and draw objects on it.

    Args:
        rgb: (H, W, 3).
        marks: The objects; later ones are drawn on top.
        width: Width of the result, in pixels; smaller if the image is more than four times as high
            as wide.
        letters: Size of the labels, in pixels.

    Returns:
        A JPEG as data URI, and its width and height.
    """
    image = marked(rgb, marks, width, letters)
    return as_jpeg(image), image.size


def marked(
    rgb: npt.NDArray[np.uint8], marks: Sequence[Mark], width: int, letters: int = 11
) -> Image.Image:
    """Draw as `draw_marks` does, but return the image, to draw more on it."""
    frame = Frame.fit(rgb.shape, width, _TALLEST * width)
    image = Image.fromarray(rgb).resize(frame.size, Image.Resampling.LANCZOS)
    for mark in marks:
        if mark.mask is not None:
            image = paint(image, mark.mask, mark.colour)
    draw = ImageDraw.Draw(image)
    placed = [(mark, box) for mark in marks if (box := frame.place(mark.box))]
    for mark, box in placed:
        _draw(draw, box, mark.colour)
    # After all boxes, so that no box crosses a label; the last mark is the most important and
    # places its label first.
    taken: list[Rect] = []
    for mark, box in reversed(placed):
        if mark.label:
            taken.append(_label(draw, mark, box, letters, taken))
    return image


def _draw(draw: ImageDraw.ImageDraw, box: Rect, colour: str) -> None:
    left, top, right, bottom = box
    # A dark inner line keeps the coloured one visible on a background of its own colour.
    if right - left > 4 and bottom - top > 4:
        draw.rectangle((left + 2, top + 2, right - 2, bottom - 2), outline=_SHADE)
    draw.rectangle(box, outline=colour, width=2)


def _label(
    draw: ImageDraw.ImageDraw, mark: Mark, box: Rect, letters: int, taken: list[Rect]
) -> Rect:
    """Write a label above its box or, if other labels are there, at the nearest free height.

    Returns:
        The rectangle that the label covers.
    """
    size = draw.im.size
    font = ImageFont.load_default(letters)
    label = _fitting(mark.label, size[0] - 4, font)
    x0, y0, x1, y1 = draw.textbbox((0, 0), label, font=font)
    width, height = x1 - x0 + 4, y1 - y0 + 4
    left, top, _, bottom = box
    x = max(0.0, min(left, size[0] - width))
    tops = [
        max(0.0, min(y, size[1] - height))
        for y in (top - height + 2, top, bottom, bottom - height, top + height)
    ]
    free = (y for y in tops if not any(_overlap((x, y, x + width, y + height), t) for t in taken))
    y = next(free, tops[0])
    draw.rectangle((x, y, x + width, y + height), fill=mark.colour)
    draw.text((x + 2 - x0, y + 2 - y0), label, fill=_SHADE, font=font)
    return x, y, x + width, y + height


def _fitting(label: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The label, shortened to a width in pixels, but not below one letter."""
    most = LONGEST_DRAWN
    while most > 1 and font.getlength(printable(label, most)) > width:
        most -= 1
    return printable(label, most)


def _overlap(one: Rect, other: Rect) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def as_jpeg(image: Image.Image) -> str:
    """The image as a JPEG in a data URI."""
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=82, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
