"""Boxes, masks and words drawn on an image, as a small JPEG that a page can hold."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from soco.errors import LONGEST_DRAWN, printable
from soco.report.drawing.frame import Frame, Rect
from soco.report.drawing.masks import Pixels, paint

# Twelve colours told apart on light and dark grounds; neighbours in the list differ most.
COLOURS = (
    "#ffd400",
    "#00a2ff",
    "#ff3b30",
    "#36d65c",
    "#d67bff",
    "#ff9500",
    "#00e0d1",
    "#ff7eb6",
    "#b5e61d",
    "#5b6cff",
    "#ffffff",
    "#c08552",
)
_SHADE = "#000000"
# A taller image is drawn narrower: a strip of one column would otherwise be thousands of times as
# high as wide.
_TALLEST = 4


@dataclass(frozen=True)
class PageImage:
    """An image for the page.

    Attributes:
        uri: The whole image as a data URI.
        alt: What it shows, for whoever cannot see it.
        caption: The line below it.
        width: In pixels; None for a drawing that scales.
        height: In pixels.
        title: What the caption opens with, set off from it.
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
        box: Left, top, right, bottom in pixels of the image before it is resized; see `Frame.place`
            for what lies beyond it.
        colour: Of its box and mask.
        label: A word beside it; one too long for the drawing is shortened.
        mask: Which pixels of the image it covers, (H, W).
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
        marks: The objects; a later one lies above an earlier one.
        width: Of the result, in pixels; of an image more than four times as high as wide, the
            largest width.
        letters: Size of the words, in pixels.

    Returns:
        A JPEG as data URI, and its width and height.
    """
    image = marked(rgb, marks, width, letters)
    return as_jpeg(image), image.size


def marked(
    rgb: npt.NDArray[np.uint8], marks: Sequence[Mark], width: int, letters: int = 11
) -> Image.Image:
    """The same as an image, for more to be drawn on it."""
    frame = Frame.fit(rgb.shape, width, _TALLEST * width)
    image = Image.fromarray(rgb).resize(frame.size, Image.Resampling.LANCZOS)
    for mark in marks:
        if mark.mask is not None:
            image = paint(image, mark.mask, mark.colour)
    draw = ImageDraw.Draw(image)
    placed = [(mark, box) for mark in marks if (box := frame.place(mark.box))]
    for mark, box in placed:
        _draw(draw, box, mark.colour)
    # After all boxes, so that no box crosses a word; the best, which comes last, takes its place
    # first.
    taken: list[Rect] = []
    for mark, box in reversed(placed):
        if mark.label:
            taken.append(_label(draw, mark, box, frame.size, letters, taken))
    return image


def _draw(draw: ImageDraw.ImageDraw, box: Rect, colour: str) -> None:
    left, top, right, bottom = box
    # A dark line inside the coloured one keeps it visible on a ground of its own colour.
    if right - left > 4 and bottom - top > 4:
        draw.rectangle((left + 2, top + 2, right - 2, bottom - 2), outline=_SHADE)
    draw.rectangle(box, outline=colour, width=2)


def _label(
    draw: ImageDraw.ImageDraw,
    mark: Mark,
    box: Rect,
    size: tuple[int, int],
    letters: int,
    taken: list[Rect],
) -> Rect:
    """Write a mark's word above its box, or where that is taken below its top, at its foot or inside; tells where."""
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
    y = next(
        (
            y
            for y in tops
            if not any(_meet((x, y, x + width, y + height), other) for other in taken)
        ),
        tops[0],
    )
    draw.rectangle((x, y, x + width, y + height), fill=mark.colour)
    draw.text((x + 2 - x0, y + 2 - y0), label, fill=_SHADE, font=font)
    return x, y, x + width, y + height


def _fitting(label: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The label, shortened to a width in pixels as far as one letter allows."""
    most = LONGEST_DRAWN
    while most > 1 and font.getlength(printable(label, most)) > width:
        most -= 1
    return printable(label, most)


def _meet(one: Rect, other: Rect) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def as_jpeg(image: Image.Image) -> str:
    """The image as a JPEG in a data URI."""
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=82, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
