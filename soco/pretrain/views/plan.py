"""Plan the views of an image: make all random draws before its pixels are read.

SoCo's view construction (section 3): view 1 is the whole image, view 2 a random crop of it, view 3
another one at half the resolution. SoCo* adds view 4, view 2's crop at a lower resolution.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from soco.config import PretrainConfig
from soco.pretrain.views.batch import Pair
from soco.pretrain.views.boxes import (
    clip_to_crop,
    draw,
    draw_holes,
    flip,
    jitter,
    overlapping,
    whole_view,
)
from soco.pretrain.views.colours import Colours, draw_colours
from soco.pretrain.views.crops import Crop, random_crop, whole
from soco.proposals.boxes import Boxes

_TRIES = 5  # the release's
_REDUCTIONS = (8, 4, 2)  # factors at which JPEG decoders do only part of the work


@dataclasses.dataclass(frozen=True)
class ViewPlan:
    """One view: its crop and its augmentations.

    Attributes:
        crop: The part of the image that it shows, in pixels of the image.
        size: Width and height of the view, in pixels.
        flipped: Whether it is mirrored horizontally.
        colours: Its colour changes.
        holes: Cut-out squares, in pixels of the view; set to 0 after normalisation.
    """

    crop: Crop
    size: int
    flipped: bool
    colours: Colours
    holes: tuple[Crop, ...]


@dataclasses.dataclass(frozen=True)
class Plan:
    """All views of an image.

    Attributes:
        views: In the recipe's order.
        pairs: `pairs[i]` has the boxes of view 1 and of view i + 2, in 0..1 of their views and
            flipped with them.
    """

    views: tuple[ViewPlan, ...]
    pairs: tuple[Pair, ...]


def plan_views(
    rng: np.random.Generator, boxes: Boxes, width: int, height: int, settings: PretrainConfig
) -> Plan:
    """Draw the views of an image, and the boxes on which each pair of views is compared.

    The order of the draws is part of the result: another order gives other views for the same seed.

    Args:
        rng: The random generator of all draws.
        boxes: (N, 4) x1, y1, x2, y2, in pixels of the image; at least one. With `boxes: whole` in
            the recipe they have no effect.
        width: Width of the image, in pixels.
        height: Height of the image, in pixels.
        settings: The recipe.
    """
    if settings.boxes == "whole":
        return _plan_whole_views(rng, width, height, settings)
    return _plan_boxes(rng, boxes, (width, height), settings, settings.boxes)


def _plan_boxes(
    rng: np.random.Generator,
    boxes: Boxes,
    image: tuple[int, int],
    settings: PretrainConfig,
    count: int,
) -> Plan:
    """Draw views that are compared on `count` of the image's boxes."""
    crops = _draw_crops(
        settings, image, lambda: _crop_with_boxes(rng, boxes, *image, settings.crop_scale)
    )
    # Views with the same crop name share crop and boxes: views 2 and 4 of SoCo*. Departure: the
    # release resizes view 2 once more to get view 4; here both are resized from the image.
    names = [view.crop for view in settings.views[1:]]
    by_name = dict(zip(names, crops[1:], strict=True))
    chosen = {name: draw(rng, _candidates(boxes, crop), count) for name, crop in by_name.items()}
    flips = _draw_flips(rng, crops)
    jittered = {
        name: _jitter_once(rng, boxes, own, image, settings) for name, own in chosen.items()
    }
    # View 1 has no boxes to cut out: the release's cut-out is for the other views.
    pairs, seen_by_view = [], [np.empty((0, 4), np.float32)]
    for number, (name, crop) in enumerate(zip(names, crops[1:], strict=True), start=1):
        # Only view 1's boxes are jittered, and before clipping; the other view has the proposals.
        moved, of_pair = jittered[name], chosen[name]
        seen_1, seen_v = clip_to_crop(moved, crops[0]), clip_to_crop(boxes[of_pair], crop)
        # Flipped last: clipping needs coordinates in the image, which is not mirrored.
        seen_1, seen_v = (
            flip(seen) if flips[view] else seen for view, seen in ((0, seen_1), (number, seen_v))
        )
        seen_by_view.append(seen_v)
        pairs.append(_pair(seen_1, seen_v, of_pair))
    return Plan(_draw_views(rng, settings, crops, flips, seen_by_view), tuple(pairs))


def _plan_whole_views(
    rng: np.random.Generator, width: int, height: int, settings: PretrainConfig
) -> Plan:
    """Draw views that are compared as a whole: image-level learning, without proposals.

    Any crop will do, and each view is one box, which neither jitter nor flipping changes. Nothing
    is cut out: a square of 0.1 to 0.3 of the box would be one of the view.
    """
    crops = _draw_crops(
        settings, (width, height), lambda: random_crop(rng, width, height, settings.crop_scale)
    )
    flips = _draw_flips(rng, crops)
    first, *others = (whole_view(view.size) for view in settings.views)
    pairs = tuple(_pair(first, other, np.zeros(1, np.int64)) for other in others)
    uncut = [np.empty((0, 4), np.float32)] * len(crops)
    return Plan(_draw_views(rng, settings, crops, flips, uncut), pairs)


def largest_reduction(plan: Plan) -> int:
    """Return the largest JPEG reduction (8, 4, 2 or 1) at which no view is enlarged."""
    for reduction in _REDUCTIONS:
        if all(
            min(view.crop.width, view.crop.height) >= reduction * view.size for view in plan.views
        ):
            return reduction
    return 1


def _draw_crops(
    settings: PretrainConfig, image: tuple[int, int], draw_one: Callable[[], Crop]
) -> list[Crop]:
    """The crop of each view; views of one name share a crop, which is drawn once."""
    named: dict[str, Crop] = {}
    for view in settings.views:
        if view.crop is not None and view.crop not in named:
            named[view.crop] = draw_one()
    return [whole(*image) if view.crop is None else named[view.crop] for view in settings.views]


def _draw_flips(rng: np.random.Generator, crops: Sequence[Crop]) -> list[bool]:
    flips: list[bool] = (rng.random(len(crops)) < 0.5).tolist()
    return flips


def _draw_views(
    rng: np.random.Generator,
    settings: PretrainConfig,
    crops: Sequence[Crop],
    flips: Sequence[bool],
    cut_out: Sequence[Boxes],
) -> tuple[ViewPlan, ...]:
    """Draw the colours and holes of each view; `cut_out` has its boxes that may lose a square."""
    views = []
    for number, (view, crop) in enumerate(zip(settings.views, crops, strict=True)):
        colours = draw_colours(rng, first=number == 0)
        holes = draw_holes(rng, cut_out[number], view.size, settings.cutout_probability)
        views.append(ViewPlan(crop, view.size, flips[number], colours, holes))
    return tuple(views)


def _crop_with_boxes(
    rng: np.random.Generator, boxes: Boxes, width: int, height: int, smallest: float
) -> Crop:
    """Try five crops for at least two boxes, then five for one, then take the whole image.

    Departure: the release counts its tries for both crops of a sample together.
    """
    for least in (min(2, len(boxes)), 1):
        for _ in range(_TRIES):
            crop = random_crop(rng, width, height, smallest)
            if overlapping(boxes, crop).sum() >= least:
                return crop
    return whole(width, height)


def _candidates(boxes: Boxes, crop: Crop) -> npt.NDArray[np.integer]:
    """Indices of the boxes that overlap a crop; all boxes if none does.

    None does if the boxes have no area, as in an image of a few pixels.
    """
    seen = np.flatnonzero(overlapping(boxes, crop))
    return seen if len(seen) else np.arange(len(boxes))


def _jitter_once(
    rng: np.random.Generator,
    boxes: Boxes,
    chosen: npt.NDArray[np.integer],
    image: tuple[int, int],
    settings: PretrainConfig,
) -> Boxes:
    """Jitter the chosen boxes; all copies of a box get the same jitter."""
    distinct, places = np.unique(chosen, return_inverse=True)
    return jitter(rng, boxes[distinct], image, settings.jitter, settings.jitter_probability)[places]


def _pair(seen_1: Boxes, seen_v: Boxes, of_pair: npt.NDArray[np.integer]) -> Pair:
    # Ids count from 1, as in the release; padding repeats the id of its box.
    ids = torch.from_numpy(of_pair.astype(np.int64) + 1)
    return Pair(torch.from_numpy(seen_1), ids, torch.from_numpy(seen_v), ids)
