"""One image with all regions that the search finds, and beside it the proposals that the filter keeps."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from PIL import Image, ImageDraw

from soco.config import FilterConfig, ProposalsConfig
from soco.data import UnreadableImageError, read_rgb
from soco.errors import UserError
from soco.io import atomic_write
from soco.proposals.engines import engine_of, search
from soco.proposals.filters import Rects, proposals_of
from soco.report.drawing.canvas import (
    GROUND,
    INK,
    LINE,
    MARGIN,
    SMALL_SIZE,
    TITLE_SIZE,
    broken,
    font,
)
from soco.report.drawing.frame import Frame

_COLOURS = colormaps["turbo"]
# Both ends of these colours are dark; the photograph is made greyer and darker, so that none is
# lost on it.
_ENDS = (0.12, 0.88)
_GREY, _LIGHT = 0.7, 0.75
_KEY = "colour: size"


def show_proposals(
    image: Path,
    settings: ProposalsConfig,
    filters: FilterConfig,
    output: Path,
    engine: str | None = None,
    side: int = 640,
) -> str:
    """Search one image, filter its regions, and draw both.

    Args:
        image: An image file.
        settings: Engine and its parameters.
        filters: Filter and fallbacks.
        output: Receives the PNG.
        engine: Name of another engine than the settings'.
        side: Longest side of each of the two drawn images, in pixels.

    Returns:
        What was found, in a line.

    Raises:
        UserError: The image cannot be read.
    """
    try:
        rgb = read_rgb(image)
    except UnreadableImageError as error:
        raise UserError(f"{image} cannot be read ({error}); give an image file.") from None
    engine = engine or engine_of(settings)
    regions = search(rgb, engine, settings)[:, :4]
    strategy, proposals = proposals_of(regions, (rgb.shape[1], rgb.shape[0]), filters)
    told = _told(engine, regions, strategy, proposals, filters)
    with atomic_write(output) as temporary:
        compose(rgb, regions, proposals, told, side).save(temporary, format="PNG", optimize=True)
    return told


def compose(
    rgb: npt.NDArray[np.uint8], regions: Rects, proposals: Rects, title: str, side: int
) -> Image.Image:
    """Draw the two panels below a title.

    Args:
        rgb: (H, W, 3).
        regions: (R, 4) left, top, width, height, in pixels of the image; drawn thin.
        proposals: (N, 4) the same; drawn thick.
        title: The line above both, broken where the drawing is narrow.
        side: Longest side of a panel, in pixels.

    Returns:
        RGB, two panels wide.
    """
    frame = Frame.fit(rgb.shape, side, side)
    size = frame.size
    width = 2 * size[0] + 3 * MARGIN
    lines = broken(title, width - 2 * MARGIN)
    top = MARGIN + LINE * (len(lines) + 1)
    canvas = Image.new("RGB", (width, top + size[1] + LINE + 2 * MARGIN), GROUND)
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(lines):
        draw.text((MARGIN, MARGIN + number * LINE), line, fill=INK, font=font(TITLE_SIZE))
    ground = _subdued(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))
    for number, (name, rects, thickness) in enumerate(
        (("all regions", regions, 1), ("proposals", proposals, 2))
    ):
        left = MARGIN + number * (size[0] + MARGIN)
        draw.text((left, top - LINE), name, fill=INK, font=font(SMALL_SIZE))
        panel = ground.copy()
        _draw_rects(ImageDraw.Draw(panel), rects, rgb.shape[:2], frame, thickness)
        canvas.paste(panel, (left, top))
    _draw_key(draw, (MARGIN, top + size[1] + MARGIN), size[0])
    return canvas


def _subdued(image: Image.Image) -> Image.Image:
    greyer = Image.blend(image, image.convert("L").convert("RGB"), _GREY)
    return Image.blend(Image.new("RGB", image.size), greyer, _LIGHT)


def _draw_rects(
    draw: ImageDraw.ImageDraw, rects: Rects, shape: tuple[int, ...], frame: Frame, thickness: int
) -> None:
    """Outline rects in the colour of their size, the largest first, so that small ones lie above them."""
    areas = np.abs(rects[:, 2].astype(np.int64) * rects[:, 3])
    for number in np.argsort(-areas, kind="stable"):
        left, top, width, height = rects[number].tolist()
        share = math.sqrt(areas[number] / (shape[0] * shape[1]))
        place = frame.place((left, top, left + width, top + height))
        if place:
            draw.rectangle(place, outline=_colour(share), width=thickness)


def _draw_key(draw: ImageDraw.ImageDraw, corner: tuple[int, int], width: int) -> None:
    """A ramp from a size of 0 to that of the whole image."""
    left, top = corner
    words = f"{_KEY}, 0"
    start = left + math.ceil(draw.textlength(words, font=font(SMALL_SIZE))) + 6
    end = max(start + 20, min(left + width, start + 160))
    draw.text((left, top), words, fill=INK, font=font(SMALL_SIZE))
    for x in range(start, end):
        draw.line((x, top + 2, x, top + 14), fill=_colour((x - start) / (end - start)))
    draw.text((end + 6, top), "to 1, the whole image", fill=INK, font=font(SMALL_SIZE))


def _colour(share: float) -> tuple[int, int, int]:
    red, green, blue, _ = _COLOURS(_ENDS[0] + (_ENDS[1] - _ENDS[0]) * share, bytes=True)
    return int(red), int(green), int(blue)


def _told(
    engine: str, regions: Rects, strategy: str, proposals: Rects, filters: FilterConfig
) -> str:
    found = f"{len(regions)} regions ({engine}), {len(proposals)} proposals"
    if not strategy:
        return f"{found} (no strategy keeps any: training takes the whole image)"
    return (
        f"{found}"
        f" ({strategy}{'' if strategy == filters.strategy.name else f', as {filters.strategy.name} keeps none'})"
    )
