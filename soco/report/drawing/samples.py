"""A pretraining sample, and what its drawings share."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from torch import Tensor

from soco.config import PretrainConfig
from soco.data import decode_rgb, read_listed
from soco.pretrain.model.pooling import NO_LEVEL, levels
from soco.pretrain.views import Batch, ViewDataset
from soco.pretrain.views.colours import MEAN, STD
from soco.pretrain.views.plan import ViewPlan
from soco.report.drawing.canvas import Frame, Rect
from soco.report.drawing.marks import COLOURS

_CROP_COLOURS = ("#ffffff", "#000000")
_THICK = 2


@dataclass(frozen=True)
class Sample:
    """A sample with what it was made from.

    Attributes:
        name: The image's key.
        epoch: The epoch that sees this sample.
        rgb: (H, W, 3) uint8, the image.
        boxes: (N, 4) in pixels of the image; `boxes[id - 1]` is the box of an id.
        plans: The plan of each view.
        batch: The views and pairs, without a batch dimension.
    """

    name: str
    epoch: int
    rgb: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.float32]
    plans: tuple[ViewPlan, ...]
    batch: Batch


def sample_of(dataset: ViewDataset, number: int, epoch: int) -> Sample:
    """The sample of one image, exactly as training sees it in an epoch.

    Args:
        dataset: The dataset of the training.
        number: Number of the image in the store.
        epoch: The epoch.

    Raises:
        UserError: The image can no longer be read.
    """
    entry, key = dataset.store.entry(number), (epoch, number)
    batch = dataset[key]
    plans, boxes = dataset.plan(key).views, dataset.boxes(number)
    return Sample(
        entry.key, epoch, decode_rgb(read_listed(dataset.source, entry)), boxes, plans, batch
    )


def colours_of(sample: Sample) -> dict[int, str]:
    """A colour for each box id of a sample, in the order of the ids."""
    ids = sorted({box_id for pair in sample.batch.pairs for box_id in pair.ids_1.tolist()})
    return {box_id: COLOURS[number % len(COLOURS)] for number, box_id in enumerate(ids)}


def denormalised(view: Tensor) -> npt.NDArray[np.uint8]:
    """A normalised view, (3, S, S), as an image, (S, S, 3); cut-outs have the mean colour."""
    pixels = view.permute(1, 2, 0).numpy() * np.array(STD) + np.array(MEAN)
    return (pixels * 255).round().clip(0, 255).astype(np.uint8)


def view_words(sample: Sample, recipe: PretrainConfig, view: int) -> str:
    """Number and size of a view, which part of the image it shows, and whether it is flipped."""
    settings, plan = recipe.views[view], sample.plans[view]
    part = "whole" if settings.crop is None else f"crop {settings.crop}"
    return f"view {view + 1}, {settings.size} px, {part}" + (", flipped" if plan.flipped else "")


def level_names(boxes: Tensor, size: int, recipe: PretrainConfig) -> list[str]:
    """The pyramid level of each box: P2 to P5, or "none" for a box too large for the loss.

    Args:
        boxes: (N, 4) as fractions of the view.
        size: Width and height of the view, in pixels.
        recipe: Settings of the pretraining; C4 has no levels, and all names are empty.
    """
    if recipe.architecture == "c4":
        return [""] * len(boxes)
    numbers: list[int] = levels(boxes, size, recipe.level_bounds).tolist()
    return ["none" if number == NO_LEVEL else f"P{number + 2}" for number in numbers]


def view_image(view: Tensor, side: int) -> Image.Image:
    """A view, (3, S, S), enlarged to `side` pixels, its cut-outs outlined."""
    enlarged = cv2.resize(denormalised(view), (side, side), interpolation=cv2.INTER_LINEAR)
    # Only cut-outs are 0 in all channels after normalisation.
    cut: npt.NDArray[np.uint8] = (view == 0).all(dim=0).numpy().astype(np.uint8)
    cut = cv2.resize(cut, (side, side), interpolation=cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(cut, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(enlarged, outlines, -1, (0, 0, 0), 2)
    cv2.drawContours(enlarged, outlines, -1, (255, 255, 255), 1)
    return Image.fromarray(enlarged)


def draw_crops(draw: ImageDraw.ImageDraw, sample: Sample, frame: Frame) -> list[Rect]:
    """Outline the crops of all views but the first.

    Args:
        draw: Draws on the resized image.
        sample: The sample.
        frame: How the image was resized.

    Returns:
        x1, y1, x2, y2 of each, in pixels of the drawing.
    """
    outlines: list[Rect] = []
    for plan in sample.plans[1:]:
        crop = plan.crop
        edges = (crop.left, crop.top, crop.left + crop.width - 1, crop.top + crop.height - 1)
        outline = frame.place(edges)
        if outline:
            outlines.append(outline)
            _dashed(draw, outline)
    return outlines


def _dashed(draw: ImageDraw.ImageDraw, box: Rect, dash: int = 6) -> None:
    """Draw an outline in two alternating colours, visible on any background."""
    left, top, right, bottom = (round(edge) for edge in box)
    for start in range(left, right, dash):
        colour, end = _CROP_COLOURS[(start - left) // dash % 2], min(start + dash, right)
        draw.line((start, top, end, top), fill=colour, width=_THICK)
        draw.line((start, bottom, end, bottom), fill=colour, width=_THICK)
    for start in range(top, bottom, dash):
        colour, end = _CROP_COLOURS[(start - top) // dash % 2], min(start + dash, bottom)
        draw.line((left, start, left, end), fill=colour, width=_THICK)
        draw.line((right, start, right, end), fill=colour, width=_THICK)
