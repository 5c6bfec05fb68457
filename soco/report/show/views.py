"""Drawings of samples, each with its image, crops and views, and galleries of them."""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from soco.config import PretrainConfig
from soco.errors import LONGEST_DRAWN, printable
from soco.io import atomic_write
from soco.pretrain.views.batch import Pair
from soco.report.drawing.canvas import GROUND, LINE, MARGIN, SMALL, Frame, Rect, titled, write
from soco.report.drawing.samples import (
    Sample,
    colours_of,
    draw_crops,
    level_names,
    view_image,
    view_words,
)

_GAP = 5 * MARGIN  # between the views of a pair, where the lines cross
_THICK, _THIN = 2, 1

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Views of pretraining</title>
<style>body{{font-family:system-ui,sans-serif;margin:1rem}}img{{max-width:100%}}</style>
<h1>Views of pretraining</h1>
<p>A line joins the boxes that the loss compares; a box of level “none” is compared with nothing.
Dashed: crops. White outlines in views: cut-out squares.</p>
{figures}
</html>
"""


def write_gallery(
    samples: Iterable[Sample], recipe: PretrainConfig, output: Path, side: int
) -> int:
    """Draw samples below one another in a PNG, or each in its own PNG with an index.html.

    Args:
        samples: From `samples_of`.
        recipe: Settings of their pretraining.
        output: A name that ends in .png, or a folder.
        side: Width and height of a drawn view, in pixels.

    Returns:
        How many samples were drawn.
    """
    if output.suffix.lower() == ".png":
        drawn = [compose(sample, recipe, side) for sample in samples]
        _save(_stacked(drawn), output)
        return len(drawn)
    figures = []
    for number, sample in enumerate(samples):
        name = f"{number:03d}.png"
        _save(compose(sample, recipe, side), output / name)
        alt = html.escape(printable(f"Views of {sample.name}, epoch {sample.epoch}"))
        figures.append(f'<p><img src="{name}" alt="{alt}"></p>')
    with atomic_write(output / "index.html") as temporary:
        temporary.write_text(_PAGE.format(figures="\n".join(figures)), encoding="utf-8")
    return len(figures)


def compose(sample: Sample, recipe: PretrainConfig, side: int) -> Image.Image:
    """Draw a sample: its image on the left, a row per pair of views on the right.

    Args:
        sample: From `samples_of`.
        recipe: Settings of its pretraining.
        side: Width and height of a drawn view, in pixels, whatever its own size.

    Returns:
        RGB. The image has all its proposals in thin lines, those of this sample in the colours of
        their ids, and dashed crops. In the views a line joins the boxes that the loss compares.
    """
    original = _original_side(side)
    width = original + 2 * side + _GAP + 3 * MARGIN
    name = printable(sample.name, 2 * LONGEST_DRAWN)
    rows = len(sample.batch.pairs) * (LINE + side + MARGIN)
    below = max(rows, LINE + original) + MARGIN
    canvas, top = titled(f"{name}, epoch {sample.epoch}", width, below)
    drawing = _Drawing(canvas, sample, recipe, colours_of(sample), side)
    drawing.original((MARGIN, top), original)
    for number, pair in enumerate(sample.batch.pairs, start=1):
        corner = (2 * MARGIN + original, top + (number - 1) * (LINE + side + MARGIN))
        drawing.pair(corner, number, pair)
    return canvas


def places(count: int, side: int, lines: int = 1) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Upper left corners of view 1 and of the other view where `compose` draws a pair.

    Args:
        count: Pairs of views.
        side: As given to `compose`.
        lines: Lines of the title.

    Returns:
        Both corners of each pair.
    """
    left, top = 2 * MARGIN + _original_side(side), MARGIN + LINE * lines + LINE
    tops = [top + number * (LINE + side + MARGIN) for number in range(count)]
    return [((left, y), (left + side + _GAP, y)) for y in tops]


@dataclass(frozen=True)
class _Drawing:
    canvas: Image.Image
    sample: Sample
    recipe: PretrainConfig
    colours: dict[int, str]
    side: int

    def original(self, corner: tuple[int, int], side: int) -> None:
        """Draw the image with its boxes and crops, as large as fits into a square."""
        sample = self.sample
        frame = Frame.fit(sample.rgb.shape, side, side)
        panel = Image.fromarray(sample.rgb).resize(frame.size, Image.Resampling.LANCZOS)
        draw = ImageDraw.Draw(panel)
        places = [frame.place(box) for box in sample.boxes.tolist()]
        for drawable in filter(None, places):
            draw.rectangle(drawable, outline="#d0d0d0", width=_THIN)
        coloured = [
            (box_id, colour, place)
            for box_id, colour in self.colours.items()
            if (place := places[box_id - 1])
        ]
        for _, colour, place in coloured:
            draw.rectangle(place, outline=colour, width=_THICK)
        labels = _Labels(draw)
        for number, outline in enumerate(draw_crops(draw, sample, frame), start=2):
            labels.put((outline[0] + 1, outline[3] - 2 * LINE), f"view {number}", "#ffffff")
        for box_id, colour, place in coloured:
            labels.put(place[:2], str(box_id), colour)
        words = f"{len(sample.boxes)} boxes; dashed: crops"
        write(ImageDraw.Draw(self.canvas), corner, words)
        self.canvas.paste(panel, (corner[0], corner[1] + LINE))

    def pair(self, corner: tuple[int, int], number: int, pair: Pair) -> None:
        """Draw view 1 and view `number` + 1, with the boxes of the pair joined."""
        draw, (left, top) = ImageDraw.Draw(self.canvas), corner
        frame = Frame.of((1, 1), (self.side, self.side))  # boxes are fractions of the view
        right = left + self.side + _GAP
        edges, levels = [], []
        for view, x, boxes in ((0, left, pair.boxes_1), (number, right, pair.boxes_v)):
            write(draw, (x, top), view_words(self.sample, self.recipe, view))
            pixels = self.sample.batch.views[view]
            self.canvas.paste(view_image(pixels, self.side), (x, top + LINE))
            edges.append(_placed(frame, boxes.tolist(), (x, top + LINE)))
            levels.append(level_names(boxes, pixels.shape[-1], self.recipe))
        ids: list[int] = pair.ids_1.tolist()
        # A box that was sampled twice is shown once.
        drawn = [
            index
            for index in map(ids.index, dict.fromkeys(ids))
            if all(index in edge for edge in edges)
        ]
        for index in drawn:
            colour, (one, other) = self.colours[ids[index]], (edge[index] for edge in edges)
            for box in (one, other):
                draw.rectangle(box, outline=colour, width=_THICK)
            if "none" not in (levels[0][index], levels[1][index]):
                ends = (one[2], (one[1] + one[3]) / 2, other[0], (other[1] + other[3]) / 2)
                draw.line(ends, fill=colour, width=_THICK)
        labels = _Labels(draw)
        for index in drawn:
            for edge, names in zip(edges, levels, strict=True):
                words = " ".join(filter(None, (str(ids[index]), names[index])))
                labels.put(edge[index][:2], words, self.colours[ids[index]])


class _Labels:
    """Words in the corners of boxes; a label that would cover another moves down."""

    def __init__(self, draw: ImageDraw.ImageDraw) -> None:
        self._draw = draw
        self._taken: list[Rect] = []

    def put(self, corner: Sequence[float], words: str, ground: str) -> None:
        x, y = corner[0] + 4, corner[1] + 3
        place = self._place(x, y, words)
        while any(_overlap(place, other) for other in self._taken):
            y += 2
            place = self._place(x, y, words)
        self._taken.append(place)
        self._draw.rectangle(place, fill=ground)
        self._draw.text((x, y), words, fill="#000000", font=SMALL)

    def _place(self, x: float, y: float, words: str) -> Rect:
        left, top, right, bottom = self._draw.textbbox((x, y), words, font=SMALL)
        return left - 2, top - 1, right + 2, bottom + 1


def _original_side(side: int) -> int:
    return side * 3 // 2


def _placed(
    frame: Frame, boxes: Sequence[Sequence[float]], corner: tuple[int, int]
) -> dict[int, Rect]:
    """Edges on the canvas of each box that can be drawn, by its index."""
    x, y = corner
    return {
        number: (box[0] + x, box[1] + y, box[2] + x, box[3] + y)
        for number, box in enumerate(map(frame.place, boxes))
        if box
    }


def _overlap(one: Rect, other: Rect) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def _stacked(drawn: list[Image.Image]) -> Image.Image:
    size = max(image.width for image in drawn), sum(image.height for image in drawn)
    canvas = Image.new("RGB", size, GROUND)
    top = 0
    for image in drawn:
        canvas.paste(image, (0, top))
        top += image.height
    return canvas


def _save(image: Image.Image, path: Path) -> None:
    with atomic_write(path) as temporary:
        image.save(temporary, format="PNG", optimize=True)
