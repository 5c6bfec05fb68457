"""A few images with the views that a pretraining took of them in its first epoch, box by box in one colour."""

import dataclasses
import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ImageDraw

from soco.config import PretrainConfig
from soco.data import ImageSource
from soco.errors import UserError
from soco.pretrain.sampler import EpochSampler
from soco.pretrain.views import ViewDataset
from soco.proposals.choice import middles
from soco.report.drawing.frame import Frame, Rect
from soco.report.drawing.marks import Mark, PageImage, as_jpeg, marked
from soco.report.drawing.samples import Sample, sample_of
from soco.report.drawing.view_parts import (
    colours_of,
    draw_crops,
    level_names,
    view_image,
    view_words,
)

log = logging.getLogger(__name__)

IMAGES = 3
_WIDTH, _LETTERS = 320, 16


@dataclasses.dataclass(frozen=True)
class RunViews:
    """The views of one pretraining.

    Attributes:
        run: Its name.
        rows: One list an image: the image itself, then each view.
    """

    run: str
    rows: list[list[PageImage]]


def run_views(
    run: str, recipe: PretrainConfig, store: Path, source: ImageSource, seed: int
) -> RunViews:
    """Draw what a pretraining saw of about three images, made again from seed, epoch and number
    (SoCo section 3.2).

    Args:
        run: The pretraining's name.
        recipe: Its settings.
        store: The merged proposals that it read, Arrow.
        source: Where the store's images lie.
        seed: The run's.

    Returns:
        The views; an image that can no longer be read is left out and logged.
    """
    dataset = ViewDataset(store, source, recipe, seed)
    rows = []
    seen = EpochSampler(len(dataset), recipe, seed).of_epoch(0)
    for number in middles(sorted(seen.tolist()), IMAGES):
        try:
            rows.append(_row(sample_of(dataset, number, epoch=0), recipe))
        except UserError as error:
            log.warning("left an image out of the views shown: %s", error)
    return RunViews(run, rows)


def _row(sample: Sample, recipe: PretrainConfig) -> list[PageImage]:
    colours = colours_of(sample)
    return [
        _original(sample, colours),
        *(_view(sample, recipe, view, colours) for view in range(len(recipe.views))),
    ]


def _original(sample: Sample, colours: dict[int, str]) -> PageImage:
    """The image with the proposals that the views were drawn from, and the crops dashed."""
    marks = [
        Mark(_edges(sample.boxes[box_id - 1]), colour, str(box_id))
        for box_id, colour in colours.items()
    ]
    image = marked(sample.rgb, _largest_first(marks), _WIDTH, _LETTERS)
    draw_crops(ImageDraw.Draw(image), sample, Frame.of(sample.rgb.shape, image.size))
    count = len(colours)
    told = f"{count} of its {len(sample.boxes)} boxes; dashed: the crops"
    alt = (
        f"Image {sample.name} with {count} of its {len(sample.boxes)} boxes and the outlines of its"
        " crops."
    )
    return PageImage(as_jpeg(image), alt, told, *image.size, title="image")


def _view(sample: Sample, recipe: PretrainConfig, view: int, colours: dict[int, str]) -> PageImage:
    boxes = marks_of_view(sample, recipe, view, colours)
    seen = np.array(view_image(sample.batch.views[view], _WIDTH))
    image = marked(seen, _largest_first(boxes), _WIDTH, _LETTERS)
    title, _, told = view_words(sample, recipe, view).partition(", ")
    alt = f"{title.capitalize()} of image {sample.name} ({told}) with {len(boxes)} boxes."
    return PageImage(as_jpeg(image), alt, told, *image.size, title=title)


def marks_of_view(
    sample: Sample, recipe: PretrainConfig, view: int, colours: dict[int, str]
) -> list[Mark]:
    """The boxes that the loss compares in a view, in pixels of the drawing, each with its id and
    level.

    View 1 is compared with every other, and a box is moved a little anew for each crop: it may have
    several of one id.

    Args:
        sample: Whose view.
        recipe: The pretraining that it is of.
        view: Its place, from 0.
        colours: By id.
    """
    marks: dict[Rect, Mark] = {}
    for pair in sample.batch.pairs if view == 0 else sample.batch.pairs[view - 1 : view]:
        found, ids = (pair.boxes_1, pair.ids_1) if view == 0 else (pair.boxes_v, pair.ids_v)
        words = level_names(found, sample.batch.views[view].shape[-1], recipe)
        for box, box_id, level in zip(found.numpy() * _WIDTH, ids.tolist(), words, strict=True):
            label = " ".join(filter(None, (str(box_id), level)))
            # A box that two pairs share, or that was drawn twice, is the same to the bit.
            marks[_edges(box)] = Mark(_edges(box), colours[box_id], label)
    return list(marks.values())


def _edges(box: npt.NDArray[np.float32]) -> Rect:
    left, top, right, bottom = box.tolist()
    return left, top, right, bottom


def _largest_first(marks: list[Mark]) -> list[Mark]:
    """So that a small box is drawn above the large one around it."""
    return sorted(marks, key=lambda mark: (mark.box[0] - mark.box[2]) * (mark.box[3] - mark.box[1]))
