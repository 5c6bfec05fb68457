"""Boxes drawn on a picture, as a small JPEG that a page can hold."""

import base64
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

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


@dataclass(frozen=True)
class Picture:
    """A picture for the page.

    Attributes:
        uri: The whole picture as a data URI.
        alt: What it shows, for whoever cannot see it.
        caption: The line below it.
        width: In pixels; None for a drawing that scales.
        height: In pixels.
    """

    uri: str
    alt: str
    caption: str = ""
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True)
class Mark:
    """A box to draw: left, top, right, bottom in pixels of the picture before it is resized, and a word beside it."""

    box: tuple[float, float, float, float]
    colour: str
    label: str = ""


def draw_boxes(rgb: npt.NDArray[np.uint8], marks: list[Mark], width: int, alt: str, caption: str = "") -> Picture:
    """Resize a picture and draw boxes on it.

    Args:
        rgb: (H, W, 3).
        marks: The boxes; a later one lies above an earlier one.
        width: Of the result, in pixels.
        alt: What the picture shows.
        caption: The line below it.
    """
    height = max(1, round(rgb.shape[0] * width / rgb.shape[1]))
    image = Image.fromarray(rgb).resize((width, height), Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(image)
    scale = width / rgb.shape[1]
    for mark in marks:
        _draw(draw, mark, scale, (width, height))
    # After all boxes, so that no box crosses a word.
    for mark in marks:
        if mark.label:
            _label(draw, mark, scale, (width, height))
    return Picture(_jpeg(image), alt, caption, width, height)


def _draw(draw: ImageDraw.ImageDraw, mark: Mark, scale: float, size: tuple[int, int]) -> None:
    left, top, right, bottom = (value * scale for value in mark.box)
    left, top = max(0.0, left), max(0.0, top)
    right, bottom = min(size[0] - 1.0, max(left, right)), min(size[1] - 1.0, max(top, bottom))
    # A dark line inside the coloured one keeps it visible on a ground of its own colour.
    if right - left > 4 and bottom - top > 4:
        draw.rectangle((left + 2, top + 2, right - 2, bottom - 2), outline=_SHADE)
    draw.rectangle((left, top, right, bottom), outline=mark.colour, width=2)


def _label(draw: ImageDraw.ImageDraw, mark: Mark, scale: float, size: tuple[int, int]) -> None:
    font = ImageFont.load_default(11)
    x0, y0, x1, y1 = draw.textbbox((0, 0), mark.label, font=font)
    width, height = x1 - x0 + 4, y1 - y0 + 4
    x = max(0.0, min(mark.box[0] * scale, size[0] - width))
    y = max(0.0, min(mark.box[1] * scale - height + 2, size[1] - height))
    draw.rectangle((x, y, x + width, y + height), fill=mark.colour)
    draw.text((x + 2 - x0, y + 2 - y0), mark.label, fill=_SHADE, font=font)


def _jpeg(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=82, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
