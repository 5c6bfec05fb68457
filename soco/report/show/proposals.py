"""One image with all regions that the search finds, next to those that the filter keeps."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from PIL import Image, ImageDraw

from soco.config import FilterConfig, ProposalsConfig
from soco.data import UnreadableImageError, read_rgb
from soco.errors import UserError
from soco.io import atomic_write
from soco.proposals import engines
from soco.proposals.filters import Rects, proposals_of
from soco.report.drawing.canvas import LINE, MARGIN, SMALL, Frame, titled, write

_COLOURS = colormaps["turbo"]
# Both ends of the colour map are dark: cut them off, and make the photograph greyer and darker.
_ENDS = (0.12, 0.88)
_GREY, _LIGHT = 0.7, 0.75


@dataclass(frozen=True)
class Search:
    """How image files are searched.

    Attributes:
        settings: Engine and its parameters.
        filters: Filter and fallbacks.
        engine: Name of an engine that replaces the one in the settings.
        max_pixels: Largest image that is searched; None: no limit.
    """

    settings: ProposalsConfig
    filters: FilterConfig
    engine: str | None = None
    max_pixels: int | None = None

    @property
    def name(self) -> str:
        """Name of the engine."""
        return self.engine or engines.engine_of(self.settings)

    def __call__(self, rgb: npt.NDArray[np.uint8]) -> tuple[Rects, str, Rects]:
        """Search an image, (H, W, 3).

        Returns:
            Its regions, the strategy that kept some, and the proposals that it kept.
        """
        regions = engines.search(rgb, self.name, self.settings)[:, :4]
        strategy, proposals = proposals_of(regions, (rgb.shape[1], rgb.shape[0]), self.filters)
        return regions, strategy, proposals


def show_proposals(image: Path, search: Search, output: Path, side: int = 640) -> str:
    """Search one image, filter its regions, and draw both.

    Args:
        image: An image file.
        search: How it is searched.
        output: Receives the PNG.
        side: Longest side of each of the two drawn images, in pixels.

    Returns:
        What was found, in one line.

    Raises:
        UserError: The image cannot be read.
    """
    try:
        rgb = read_rgb(image)
    except UnreadableImageError as error:
        raise unreadable(image, error) from None
    regions, strategy, proposals = search(rgb)
    words = f"{len(regions)} regions ({search.name}), {len(proposals)} proposals"
    first = search.filters.strategy.name
    if not strategy:
        words += " (no strategy keeps any: training uses the whole image)"
    elif strategy == first:
        words += f" ({strategy})"
    else:
        words += f" ({strategy}, because {first} keeps none)"
    with atomic_write(output) as temporary:
        compose(rgb, regions, proposals, words, side).save(temporary, format="PNG", optimize=True)
    return words


def unreadable(image: Path | str, reason: Exception) -> UserError:
    """The error for an image file that cannot be read."""
    return UserError(
        "show.unreadable_image",
        "{image} cannot be read ({reason}); give an image file.",
        image=image,
        reason=reason,
    )


def compose(
    rgb: npt.NDArray[np.uint8], regions: Rects, proposals: Rects, title: str, side: int
) -> Image.Image:
    """Draw the two panels below a title.

    Args:
        rgb: (H, W, 3).
        regions: (R, 4) left, top, width, height, in pixels of the image; drawn with thin lines.
        proposals: (N, 4) the same; drawn with thick lines.
        title: The line above both, wrapped if the drawing is narrow.
        side: Longest side of a panel, in pixels.

    Returns:
        RGB, two panels wide.
    """
    frame = Frame.fit(rgb.shape, side, side)
    size = frame.size
    below = 2 * LINE + size[1] + 2 * MARGIN
    canvas, top = titled(title, 2 * size[0] + 3 * MARGIN, below)
    draw = ImageDraw.Draw(canvas)
    ground = _subdued(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))
    panels = (("all regions", regions, 1), ("proposals", proposals, 2))
    for number, (name, rects, thickness) in enumerate(panels):
        left = MARGIN + number * (size[0] + MARGIN)
        write(draw, (left, top), name)
        panel = ground.copy()
        _draw_rects(ImageDraw.Draw(panel), rects, rgb.shape[:2], frame, thickness)
        canvas.paste(panel, (left, top + LINE))
    _draw_key(draw, (MARGIN, top + LINE + size[1] + MARGIN), size[0])
    return canvas


def _subdued(image: Image.Image) -> Image.Image:
    greyer = Image.blend(image, image.convert("L").convert("RGB"), _GREY)
    return Image.blend(Image.new("RGB", image.size), greyer, _LIGHT)


def _draw_rects(
    draw: ImageDraw.ImageDraw, rects: Rects, shape: tuple[int, ...], frame: Frame, thickness: int
) -> None:
    """Outline rects in the colour of their size, the small ones on top."""
    areas = np.abs(rects[:, 2].astype(np.int64) * rects[:, 3])
    for number in np.argsort(-areas, kind="stable"):
        left, top, width, height = rects[number].tolist()
        share = math.sqrt(areas[number] / (shape[0] * shape[1]))
        place = frame.place((left, top, left + width, top + height))
        if place:
            draw.rectangle(place, outline=_colour(share), width=thickness)


def _draw_key(draw: ImageDraw.ImageDraw, corner: tuple[int, int], width: int) -> None:
    """Draw the colour key, from size 0 to that of the whole image."""
    left, top = corner
    words = "colour: size, 0"
    start = left + math.ceil(draw.textlength(words, font=SMALL)) + 6
    end = max(start + 20, min(left + width, start + 160))
    write(draw, (left, top), words)
    for x in range(start, end):
        draw.line((x, top + 2, x, top + 14), fill=_colour((x - start) / (end - start)))
    write(draw, (end + 6, top), "to 1, the whole image")


def _colour(share: float) -> tuple[int, int, int]:
    red, green, blue, _ = _COLOURS(_ENDS[0] + (_ENDS[1] - _ENDS[0]) * share, bytes=True)
    return int(red), int(green), int(blue)
