"""Which part of a picture each view of a sample shows, and whether it is mirrored."""

import dataclasses

import numpy as np

from soco.boxes import Boxes, rects_to_boxes
from soco.views import ViewDataset
from soco.views.boxes import draw
from soco.views.crops import Crop
from soco.views.dataset import _candidates, _draw_crops


@dataclasses.dataclass(frozen=True)
class Shown:
    """What a view shows: a part of its picture, in pixels, mirrored left to right or not."""

    crop: Crop
    flipped: bool


def boxes_of(dataset: ViewDataset, number: int) -> Boxes:
    """The boxes that a picture's views are drawn from, (N, 4) in its pixels; box `id - 1` bears the id."""
    boxes = rects_to_boxes(dataset.store.rects(number))
    if len(boxes):
        return boxes
    width, height = dataset.store.size(number)
    return rects_to_boxes(np.array([[0, 0, width, height]]))


def shown_by_views(dataset: ViewDataset, epoch: int, number: int) -> list[Shown]:
    """Draw the crops and flips of a sample again, as `ViewDataset` draws them.

    Args:
        dataset: As training has it.
        epoch: The sample's.
        number: The picture's, in the store.

    Returns:
        One for each view.
    """
    rng = np.random.default_rng((dataset.seed, epoch, number))
    boxes, (width, height) = boxes_of(dataset, number), dataset.store.size(number)
    crops = _draw_crops(rng, boxes, width, height, dataset.settings)
    for crop in crops[1:]:
        draw(rng, _candidates(boxes, crop), dataset.settings.boxes)
    flips = rng.random(len(crops)) < 0.5
    return [Shown(crop, bool(flipped)) for crop, flipped in zip(crops, flips, strict=True)]
