"""One sample of pretraining: its picture with crops and boxes, and beside it the views, box joined to box."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from torch import Tensor

from soco.config import PretrainConfig
from soco.drawing.canvas import GROUND, INK, LINE, MARGIN, SMALL_SIZE, TITLE_SIZE, broken, font
from soco.drawing.marks import COLOURS
from soco.drawing.samples import Sample
from soco.models.levels import NO_LEVEL, levels
from soco.views.batch import Pair
from soco.views.colours import MEAN, STD

_GAP = 5 * MARGIN  # between the views of a pair, where the lines cross
_CROP_COLOURS = ("#ffffff", "#000000")
_THICK, _THIN = 2, 1


def compose(sample: Sample, recipe: PretrainConfig, side: int) -> Image.Image:
    """Draw a sample: on the left its picture, on the right a row for each pair of views.

    Args:
        sample: From `samples_of`.
        recipe: The pretraining that it is of.
        side: Width and height of a drawn view, in pixels, whatever its own size.

    Returns:
        RGB. The picture has its proposals thin, those of this sample in the colours of their ids, and the crops as
        dashed outlines. In the views a line joins the boxes that the loss compares.
    """
    width = _original_side(side) + 2 * side + _GAP + 3 * MARGIN
    title = broken(f"{sample.name}, epoch {sample.epoch}", width - 2 * MARGIN)
    top = MARGIN + LINE * len(title)
    rows = len(sample.batch.pairs) * (LINE + side + MARGIN)
    canvas = Image.new("RGB", (width, top + max(rows, LINE + _original_side(side)) + MARGIN), GROUND)
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(title):
        draw.text((MARGIN, MARGIN + number * LINE), line, fill=INK, font=font(TITLE_SIZE))
    colours = colours_of(sample)
    _draw_original(canvas, (MARGIN, top), sample, colours, _original_side(side))
    for number, pair in enumerate(sample.batch.pairs, start=1):
        corner = (2 * MARGIN + _original_side(side), top + (number - 1) * (LINE + side + MARGIN))
        _draw_pair(canvas, corner, sample, recipe, number, pair, colours, side)
    return canvas


def places(count: int, side: int, lines: int = 1) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where `compose` puts the upper left corners of view 1 and of the other view, for each of `count` pairs.

    Args:
        count: Pairs of views.
        side: As given to `compose`.
        lines: Lines of the title.
    """
    left, top = 2 * MARGIN + _original_side(side), MARGIN + LINE * lines + LINE
    tops = [top + number * (LINE + side + MARGIN) for number in range(count)]
    return [((left, y), (left + side + _GAP, y)) for y in tops]


def colours_of(sample: Sample) -> dict[int, str]:
    """A colour for each id of a sample, in the order of the ids."""
    ids = sorted({box_id for pair in sample.batch.pairs for box_id in pair.ids_1.tolist()})
    return {box_id: COLOURS[number % len(COLOURS)] for number, box_id in enumerate(ids)}


def denormalised(view: Tensor) -> npt.NDArray[np.uint8]:
    """(3, S, S) as the model takes it to (S, S, 3), as it was before; a cut-out square has the mean colour."""
    pixels = view.permute(1, 2, 0).numpy() * np.array(STD) + np.array(MEAN)
    return (pixels * 255).round().clip(0, 255).astype(np.uint8)


def _original_side(side: int) -> int:
    return side * 3 // 2


def _draw_original(
    canvas: Image.Image, corner: tuple[int, int], sample: Sample, colours: dict[int, str], side: int
) -> None:
    scale = side / max(sample.rgb.shape[:2])
    size = (max(1, round(sample.rgb.shape[1] * scale)), max(1, round(sample.rgb.shape[0] * scale)))
    panel = Image.fromarray(sample.rgb).resize(size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(panel)
    for box in sample.boxes * scale:
        draw.rectangle(box.tolist(), outline="#d0d0d0", width=_THIN)
    for box_id, colour in colours.items():
        draw.rectangle((sample.boxes[box_id - 1] * scale).tolist(), outline=colour, width=_THICK)
    labels = _Labels(draw)
    for number, shown in enumerate(sample.shown[1:], start=2):
        crop = shown.crop
        edges = (crop.left, crop.top, crop.left + crop.width - 1, crop.top + crop.height - 1)
        outline = [edge * scale for edge in edges]
        _dashed(draw, outline)
        labels.put((outline[0] + 1, outline[3] - 2 * LINE), f"view {number}", "#ffffff")
    for box_id, colour in colours.items():
        left, top = (sample.boxes[box_id - 1] * scale).tolist()[:2]
        labels.put((left, top), str(box_id), colour)
    words = f"{len(sample.boxes)} boxes; dashed: crops"
    ImageDraw.Draw(canvas).text(corner, words, fill=INK, font=font(SMALL_SIZE))
    canvas.paste(panel, (corner[0], corner[1] + LINE))


def _draw_pair(
    canvas: Image.Image,
    corner: tuple[int, int],
    sample: Sample,
    recipe: PretrainConfig,
    number: int,
    pair: Pair,
    colours: dict[int, str],
    side: int,
) -> None:
    draw, (left, top) = ImageDraw.Draw(canvas), corner
    panels = ((0, left, pair.boxes_1), (number, left + side + _GAP, pair.boxes_v))
    level_names: list[list[str]] = []
    for view, x, boxes in panels:
        draw.text((x, top), _told(sample, recipe, view), fill=INK, font=font(SMALL_SIZE))
        canvas.paste(_panel(sample.batch.views[view], side), (x, top + LINE))
        level_names.append(_level_names(boxes, sample.batch.views[view].shape[-1], recipe))
    ids: list[int] = pair.ids_1.tolist()
    drawn = [ids.index(box_id) for box_id in dict.fromkeys(ids)]  # a box that stands twice is drawn once
    edges = [boxes.numpy() * side + [x, top + LINE, x, top + LINE] for _, x, boxes in panels]
    for place in drawn:
        colour, (one, other) = colours[ids[place]], (edge[place].tolist() for edge in edges)
        for box in (one, other):
            draw.rectangle(box, outline=colour, width=_THICK)
        if "none" not in (level_names[0][place], level_names[1][place]):
            draw.line((one[2], (one[1] + one[3]) / 2, other[0], (other[1] + other[3]) / 2), fill=colour, width=_THICK)
    labels = _Labels(draw)
    for place in drawn:
        for edge, names in zip(edges, level_names, strict=True):
            words = " ".join(filter(None, (str(ids[place]), names[place])))
            labels.put(edge[place][:2].tolist(), words, colours[ids[place]])


def _told(sample: Sample, recipe: PretrainConfig, view: int) -> str:
    """A view's number, its size, what it shows, and whether it is mirrored."""
    settings, shown = recipe.views[view], sample.shown[view]
    part = "whole" if settings.crop is None else f"crop {settings.crop}"
    return f"view {view + 1}, {settings.size} px, {part}" + (", flipped" if shown.flipped else "")


def _level_names(boxes: Tensor, size: int, recipe: PretrainConfig) -> list[str]:
    """P2 to P5 for each box, "none" for one too large for all, which the loss leaves out; "" for C4, without levels."""
    if recipe.architecture == "c4":
        return [""] * len(boxes)
    numbers: list[int] = levels(boxes, size, recipe.level_bounds).tolist()
    return ["none" if number == NO_LEVEL else f"P{number + 2}" for number in numbers]


def _panel(view: Tensor, side: int) -> Image.Image:
    """The view with its cut-out squares outlined: nothing but a cut-out is 0 in every channel."""
    enlarged = cv2.resize(denormalised(view), (side, side), interpolation=cv2.INTER_LINEAR)
    cut: npt.NDArray[np.uint8] = (view == 0).all(dim=0).numpy().astype(np.uint8)
    cut = cv2.resize(cut, (side, side), interpolation=cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(cut, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(enlarged, outlines, -1, (0, 0, 0), 2)
    cv2.drawContours(enlarged, outlines, -1, (255, 255, 255), 1)
    return Image.fromarray(enlarged)


def _dashed(draw: ImageDraw.ImageDraw, box: Sequence[float], dash: int = 6) -> None:
    """An outline in two colours by turns, seen on any ground."""
    left, top, right, bottom = (round(edge) for edge in box)
    for start in range(left, right, dash):
        colour, end = _CROP_COLOURS[(start - left) // dash % 2], min(start + dash, right)
        draw.line((start, top, end, top), fill=colour, width=_THICK)
        draw.line((start, bottom, end, bottom), fill=colour, width=_THICK)
    for start in range(top, bottom, dash):
        colour, end = _CROP_COLOURS[(start - top) // dash % 2], min(start + dash, bottom)
        draw.line((left, start, left, end), fill=colour, width=_THICK)
        draw.line((right, start, right, end), fill=colour, width=_THICK)


class _Labels:
    """Words in the corners of boxes, the later below the earlier where they would lie on each other."""

    def __init__(self, draw: ImageDraw.ImageDraw) -> None:
        self._draw = draw
        self._taken: list[tuple[float, float, float, float]] = []

    def put(self, corner: Sequence[float], words: str, ground: str) -> None:
        x, y = corner[0] + 4, corner[1] + 3
        place = self._place(x, y, words)
        while any(_overlap(place, other) for other in self._taken):
            y += 2
            place = self._place(x, y, words)
        self._taken.append(place)
        self._draw.rectangle(place, fill=ground)
        self._draw.text((x, y), words, fill="#000000", font=font(SMALL_SIZE))

    def _place(self, x: float, y: float, words: str) -> tuple[float, float, float, float]:
        left, top, right, bottom = self._draw.textbbox((x, y), words, font=font(SMALL_SIZE))
        return left - 2, top - 1, right + 2, bottom + 1


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]
