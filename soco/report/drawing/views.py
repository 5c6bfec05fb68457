"""One sample of pretraining.

Its image with crops and boxes, and beside it the views, box joined to box.
"""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from soco.config import PretrainConfig
from soco.errors import LONGEST_DRAWN, printable
from soco.pretrain.views.batch import Pair
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
from soco.report.drawing.frame import Frame, Rect
from soco.report.drawing.samples import Sample
from soco.report.drawing.view_parts import (
    colours_of,
    draw_crops,
    level_names,
    view_image,
    view_words,
)

_GAP = 5 * MARGIN  # between the views of a pair, where the lines cross
_THICK, _THIN = 2, 1


def compose(sample: Sample, recipe: PretrainConfig, side: int) -> Image.Image:
    """Draw a sample: on the left its image, on the right a row for each pair of views.

    Args:
        sample: From `samples_of`.
        recipe: The pretraining that it is of.
        side: Width and height of a drawn view, in pixels, whatever its own size.

    Returns:
        RGB. The image has its proposals thin, those of this sample in the colours of their ids, and
        the crops as dashed outlines. In the views a line joins the boxes that the loss compares.
    """
    width = _original_side(side) + 2 * side + _GAP + 3 * MARGIN
    title = broken(
        f"{printable(sample.name, 2 * LONGEST_DRAWN)}, epoch {sample.epoch}", width - 2 * MARGIN
    )
    top = MARGIN + LINE * len(title)
    rows = len(sample.batch.pairs) * (LINE + side + MARGIN)
    canvas = Image.new(
        "RGB", (width, top + max(rows, LINE + _original_side(side)) + MARGIN), GROUND
    )
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
    """Where `compose` puts the upper left corners of view 1 and of the other view, for each of
    `count` pairs.

    Args:
        count: Pairs of views.
        side: As given to `compose`.
        lines: Lines of the title.
    """
    left, top = 2 * MARGIN + _original_side(side), MARGIN + LINE * lines + LINE
    tops = [top + number * (LINE + side + MARGIN) for number in range(count)]
    return [((left, y), (left + side + _GAP, y)) for y in tops]


def _original_side(side: int) -> int:
    return side * 3 // 2


def _draw_original(
    canvas: Image.Image, corner: tuple[int, int], sample: Sample, colours: dict[int, str], side: int
) -> None:
    frame = Frame.fit(sample.rgb.shape, side, side)
    panel = Image.fromarray(sample.rgb).resize(frame.size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(panel)
    places = [frame.place(box) for box in sample.boxes.tolist()]
    for known in filter(None, places):
        draw.rectangle(known, outline="#d0d0d0", width=_THIN)
    coloured = [
        (box_id, colour, place)
        for box_id, colour in colours.items()
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
    level_words: list[list[str]] = []
    for view, x, boxes in panels:
        draw.text((x, top), view_words(sample, recipe, view), fill=INK, font=font(SMALL_SIZE))
        canvas.paste(view_image(sample.batch.views[view], side), (x, top + LINE))
        level_words.append(level_names(boxes, sample.batch.views[view].shape[-1], recipe))
    ids: list[int] = pair.ids_1.tolist()
    frame = Frame.of((1, 1), (side, side))  # boxes are parts of the view
    edges = [_placed(frame, boxes.tolist(), (x, top + LINE)) for _, x, boxes in panels]
    # A box that stands twice is drawn once.
    drawn = [
        place
        for place in map(ids.index, dict.fromkeys(ids))
        if all(place in edge for edge in edges)
    ]
    for place in drawn:
        colour, (one, other) = colours[ids[place]], (edge[place] for edge in edges)
        for box in (one, other):
            draw.rectangle(box, outline=colour, width=_THICK)
        if "none" not in (level_words[0][place], level_words[1][place]):
            draw.line(
                (one[2], (one[1] + one[3]) / 2, other[0], (other[1] + other[3]) / 2),
                fill=colour,
                width=_THICK,
            )
    labels = _Labels(draw)
    for place in drawn:
        for edge, names in zip(edges, level_words, strict=True):
            words = " ".join(filter(None, (str(ids[place]), names[place])))
            labels.put(edge[place][:2], words, colours[ids[place]])


def _placed(
    frame: Frame, boxes: Sequence[Sequence[float]], corner: tuple[int, int]
) -> dict[int, Rect]:
    """By its number, where each box that can be drawn lies on a canvas whose view has its upper left corner there."""
    found = ((number, frame.place(box)) for number, box in enumerate(boxes))
    x, y = corner
    return {
        number: (box[0] + x, box[1] + y, box[2] + x, box[3] + y) for number, box in found if box
    }


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
