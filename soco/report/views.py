"""Images with the views that a pretraining made of them in its first epoch."""

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
from soco.report.drawing.canvas import Frame, Rect
from soco.report.drawing.marks import Mark, PageImage, as_jpeg, marked
from soco.report.drawing.samples import (
    Sample,
    colours_of,
    draw_crops,
    level_names,
    sample_of,
    view_image,
    view_words,
)

log = logging.getLogger(__name__)

IMAGES = 3
_WIDTH, _LETTERS = 320, 16


def run_views(
    recipe: PretrainConfig, store: Path, source: ImageSource, seed: int
) -> list[list[PageImage]]:
    """Draw the views of about three images, regenerated from the seed (SoCo section 3.2).

    Args:
        recipe: Settings of the pretraining.
        store: The merged proposals that it read, Arrow.
        source: The store's images.
        seed: The run's seed.

    Returns:
        A row per image: the image with its boxes, then each view. An image that can no longer be
        read is skipped and logged.
    """
    dataset = ViewDataset(store, source, recipe, seed)
    rows = []
    sampled = EpochSampler(len(dataset), recipe, seed).of_epoch(0)
    for number in middles(sorted(sampled.tolist()), IMAGES):
        try:
            sample = sample_of(dataset, number, epoch=0)
        except UserError as error:
            log.warning("skipped an image in the views: %s", error)
            continue
        colours = colours_of(sample)
        views = [_view(sample, recipe, view, colours) for view in range(len(recipe.views))]
        rows.append([_original(sample, colours), *views])
    return rows


def marks_of_view(
    sample: Sample, recipe: PretrainConfig, view: int, colours: dict[int, str]
) -> list[Mark]:
    """The boxes that the loss compares in a view, in pixels of the drawing, with id and level.

    View 1 is compared with every other view, and its boxes are jittered again for each: it may have
    several boxes with one id.

    Args:
        sample: The sample.
        recipe: Settings of its pretraining.
        view: Index of the view, from 0.
        colours: Colour by id.
    """
    marks: dict[Rect, Mark] = {}
    for pair in sample.batch.pairs if view == 0 else sample.batch.pairs[view - 1 : view]:
        boxes, ids = (pair.boxes_1, pair.ids_1) if view == 0 else (pair.boxes_v, pair.ids_v)
        names = level_names(boxes, sample.batch.views[view].shape[-1], recipe)
        for box, box_id, level in zip(boxes.numpy() * _WIDTH, ids.tolist(), names, strict=True):
            label = " ".join(filter(None, (str(box_id), level)))
            # A box that two pairs share, or that was drawn twice, has the same bits.
            marks[_edges(box)] = Mark(_edges(box), colours[box_id], label)
    return list(marks.values())


def _original(sample: Sample, colours: dict[int, str]) -> PageImage:
    """The image with the boxes that its views have in common, and the crops as dashed lines."""
    marks = [
        Mark(_edges(sample.boxes[box_id - 1]), colour, str(box_id))
        for box_id, colour in colours.items()
    ]
    image = marked(sample.rgb, _largest_first(marks), _WIDTH, _LETTERS)
    draw_crops(ImageDraw.Draw(image), sample, Frame.of(sample.rgb.shape, image.size))
    count = f"{len(colours)} of its {len(sample.boxes)} boxes"
    alt = f"Image {sample.name} with {count} and the outlines of its crops."
    return PageImage(as_jpeg(image), alt, f"{count}; dashed: the crops", *image.size, title="image")


def _view(sample: Sample, recipe: PretrainConfig, view: int, colours: dict[int, str]) -> PageImage:
    boxes = marks_of_view(sample, recipe, view, colours)
    pixels = np.array(view_image(sample.batch.views[view], _WIDTH))
    image = marked(pixels, _largest_first(boxes), _WIDTH, _LETTERS)
    title, _, words = view_words(sample, recipe, view).partition(", ")
    alt = f"{title.capitalize()} of image {sample.name} ({words}) with {len(boxes)} boxes."
    return PageImage(as_jpeg(image), alt, words, *image.size, title=title)


def _edges(box: npt.NDArray[np.float32]) -> Rect:
    left, top, right, bottom = box.tolist()
    return left, top, right, bottom


def _largest_first(marks: list[Mark]) -> list[Mark]:
    """Sort the marks so that a small box is drawn on top of a large one."""
    return sorted(marks, key=lambda mark: (mark.box[0] - mark.box[2]) * (mark.box[3] - mark.box[1]))
