"""The parts of a drawn sample: views as images, colours and levels of boxes, outlines of crops."""

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from torch import Tensor

from soco.config import PretrainConfig
from soco.pretrain.model.pooling import NO_LEVEL, levels
from soco.pretrain.views.colours import MEAN, STD
from soco.report.drawing.frame import Frame, Rect
from soco.report.drawing.marks import COLOURS
from soco.report.drawing.samples import Sample

_CROP_COLOURS = ("#ffffff", "#000000")
_THICK = 2


def colours_of(sample: Sample) -> dict[int, str]:
    """A colour for each id of a sample, in the order of the ids."""
    ids = sorted({box_id for pair in sample.batch.pairs for box_id in pair.ids_1.tolist()})
    return {box_id: COLOURS[number % len(COLOURS)] for number, box_id in enumerate(ids)}


def denormalised(view: Tensor) -> npt.NDArray[np.uint8]:
    """(3, S, S) as the model takes it to (S, S, 3), as it was before.

    A cut-out square has the mean colour.
    """
    pixels = view.permute(1, 2, 0).numpy() * np.array(STD) + np.array(MEAN)
    return (pixels * 255).round().clip(0, 255).astype(np.uint8)


def view_words(sample: Sample, recipe: PretrainConfig, view: int) -> str:
    """A view's number, its size, what it shows, and whether it is mirrored."""
    settings, shown = recipe.views[view], sample.shown[view]
    part = "whole" if settings.crop is None else f"crop {settings.crop}"
    return f"view {view + 1}, {settings.size} px, {part}" + (", flipped" if shown.flipped else "")


def level_names(boxes: Tensor, size: int, recipe: PretrainConfig) -> list[str]:
    """P2 to P5 for each box, "none" for one too large for all, which the loss leaves out.

    "" for C4, without levels.
    """
    if recipe.architecture == "c4":
        return [""] * len(boxes)
    numbers: list[int] = levels(boxes, size, recipe.level_bounds).tolist()
    return ["none" if number == NO_LEVEL else f"P{number + 2}" for number in numbers]


def view_image(view: Tensor, side: int) -> Image.Image:
    """A view, (3, S, S), enlarged, its cut-out squares outlined.

    Nothing but a cut-out is 0 in every channel.
    """
    enlarged = cv2.resize(denormalised(view), (side, side), interpolation=cv2.INTER_LINEAR)
    cut: npt.NDArray[np.uint8] = (view == 0).all(dim=0).numpy().astype(np.uint8)
    cut = cv2.resize(cut, (side, side), interpolation=cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(cut, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(enlarged, outlines, -1, (0, 0, 0), 2)
    cv2.drawContours(enlarged, outlines, -1, (255, 255, 255), 1)
    return Image.fromarray(enlarged)


def draw_crops(draw: ImageDraw.ImageDraw, sample: Sample, frame: Frame) -> list[Rect]:
    """Outline the crops that the views after the first show.

    Args:
        draw: Of the sample's image, resized.
        sample: Whose crops.
        frame: The image, resized.

    Returns:
        x1, y1, x2, y2 of each, in pixels of the drawing.
    """
    outlines: list[Rect] = []
    for shown in sample.shown[1:]:
        crop = shown.crop
        edges = (crop.left, crop.top, crop.left + crop.width - 1, crop.top + crop.height - 1)
        outline = frame.place(edges)
        if outline:
            outlines.append(outline)
            _dashed(draw, outline)
    return outlines


def _dashed(draw: ImageDraw.ImageDraw, box: Rect, dash: int = 6) -> None:
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
