"""Boxes, masks and words drawn on a picture, as a small JPEG that a page can hold."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from soco.drawing.masks import Pixels, paint

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

Rect = tuple[float, float, float, float]


@dataclass(frozen=True)
class Picture:
    """A picture for the page.

    Attributes:
        uri: The whole picture as a data URI.
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
        box: Left, top, right, bottom in pixels of the picture before it is resized.
        colour: Of its box and mask.
        label: A word beside it.
        mask: Which pixels of the picture it covers, (H, W).
    """

    box: Rect
    colour: str
    label: str = ""
    mask: Pixels | None = None


def draw_marks(
    rgb: npt.NDArray[np.uint8], marks: Sequence[Mark], width: int, letters: int = 11
) -> tuple[str, tuple[int, int]]:
    """Resize a picture and draw objects on it.

    Args:
        rgb: (H, W, 3).
        marks: The objects; a later one lies above an earlier one.
        width: Of the result, in pixels.
        letters: Size of the words, in pixels.

    Returns:
        A JPEG as data URI, and its width and height.
    """
    image = marked(rgb, marks, width, letters)
    return as_jpeg(image), image.size


def marked(rgb: npt.NDArray[np.uint8], marks: Sequence[Mark], width: int, letters: int = 11) -> Image.Image:
    """The same as an image, for more to be drawn on it."""
    size = width, max(1, round(rgb.shape[0] * width / rgb.shape[1]))
    image = Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS)
    for mark in marks:
        if mark.mask is not None:
            image = paint(image, mark.mask, mark.colour)
    draw = ImageDraw.Draw(image)
    scale = width / rgb.shape[1]
    for mark in marks:
        _draw(draw, mark, scale, size)
    # After all boxes, so that no box crosses a word; the best, which comes last, takes its place first.
    taken: list[Rect] = []
    for mark in reversed(marks):
        if mark.label:
            taken.append(_label(draw, mark, scale, size, letters, taken))
    return image


def _draw(draw: ImageDraw.ImageDraw, mark: Mark, scale: float, size: tuple[int, int]) -> None:
    left, top, right, bottom = (value * scale for value in mark.box)
    left, top = max(0.0, left), max(0.0, top)
    right, bottom = min(size[0] - 1.0, max(left, right)), min(size[1] - 1.0, max(top, bottom))
    # A dark line inside the coloured one keeps it visible on a ground of its own colour.
    if right - left > 4 and bottom - top > 4:
        draw.rectangle((left + 2, top + 2, right - 2, bottom - 2), outline=_SHADE)
    draw.rectangle((left, top, right, bottom), outline=mark.colour, width=2)


def _label(
    draw: ImageDraw.ImageDraw, mark: Mark, scale: float, size: tuple[int, int], letters: int, taken: list[Rect]
) -> Rect:
    """Write a mark's word above its box, or where that is taken below its top, at its foot or inside; tells where."""
    font = ImageFont.load_default(letters)
    x0, y0, x1, y1 = draw.textbbox((0, 0), mark.label, font=font)
    width, height = x1 - x0 + 4, y1 - y0 + 4
    left, top, _, bottom = (value * scale for value in mark.box)
    x = max(0.0, min(left, size[0] - width))
    tops = [max(0.0, min(y, size[1] - height)) for y in (top - height + 2, top, bottom, bottom - height, top + height)]
    y = next((y for y in tops if not any(_meet((x, y, x + width, y + height), other) for other in taken)), tops[0])
    draw.rectangle((x, y, x + width, y + height), fill=mark.colour)
    draw.text((x + 2 - x0, y + 2 - y0), mark.label, fill=_SHADE, font=font)
    return x, y, x + width, y + height


def _meet(one: Rect, other: Rect) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def as_jpeg(image: Image.Image) -> str:
    """The image as a JPEG in a data URI."""
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=82, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
