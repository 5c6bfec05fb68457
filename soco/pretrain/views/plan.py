"""All that is drawn for one image's views, before its pixels are read.

Crops, boxes, flips, colours, holes.
"""

import dataclasses

import numpy as np
import numpy.typing as npt
import torch

from soco.config import PretrainConfig
from soco.pretrain.views.batch import Pair
from soco.pretrain.views.boxes import clip_to_crop, draw, flip, jitter, overlapping
from soco.pretrain.views.colours import Colours, draw_colours
from soco.pretrain.views.crops import Crop, random_crop, whole
from soco.pretrain.views.cutout import draw_holes
from soco.proposals.boxes import Boxes

_TRIES = 5
_REDUCTIONS = (8, 4, 2)  # what JPEG decoders do at less than the whole work


@dataclasses.dataclass(frozen=True)
class ViewPlan:
    """One view: what it shows, and what is done to it.

    Attributes:
        crop: The part of the image, in the image's pixels.
        size: Side of the view, in pixels.
        flipped: Whether it is mirrored left to right.
        colours: Changes of its colours.
        holes: Squares of the view, in its pixels, that are set to 0 after normalisation.
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
        pairs: `pairs[i]` holds the boxes of view 1 and of view i + 2, each in 0..1 of its view,
            flipped as that is.
    """

    views: tuple[ViewPlan, ...]
    pairs: tuple[Pair, ...]


def plan_views(
    rng: np.random.Generator, boxes: Boxes, width: int, height: int, settings: PretrainConfig
) -> Plan:
    """Draw the views of an image and the boxes that each pair of them is compared on (SoCo section
    3.2).

    Args:
        rng: Source of all chance.
        boxes: (N, 4) x1, y1, x2, y2, in pixels of the image; at least one.
        width: The image's.
        height: The image's.
        settings: The recipe.
    """
    crops = _draw_crops(rng, boxes, width, height, settings)
    # Views of one crop name have the same boxes, as views 2 and 4 of the release's SoCo* have.
    names = [view.crop for view in settings.views[1:]]
    by_name = dict(zip(names, crops[1:], strict=True))
    chosen = {
        name: draw(rng, _candidates(boxes, crop), settings.boxes) for name, crop in by_name.items()
    }
    flips = (rng.random(len(crops)) < 0.5).tolist()
    jittered = {
        name: _jitter_once(rng, boxes, own, (width, height), settings)
        for name, own in chosen.items()
    }
    pairs, seen_by_view = [], [np.empty((0, 4), np.float32)]
    for number, (name, crop) in enumerate(zip(names, crops[1:], strict=True), start=1):
        moved, of_pair = jittered[name], chosen[name]
        seen_1, seen_v = clip_to_crop(moved, crops[0]), clip_to_crop(boxes[of_pair], crop)
        seen_1, seen_v = (
            flip(seen) if flips[view] else seen for view, seen in ((0, seen_1), (number, seen_v))
        )
        seen_by_view.append(seen_v)
        pairs.append(_pair(seen_1, seen_v, of_pair))
    views = []
    for number, (view, crop) in enumerate(zip(settings.views, crops, strict=True)):
        colours = draw_colours(rng, first=number == 0)
        holes = draw_holes(rng, seen_by_view[number], view.size, settings.cutout_probability)
        views.append(ViewPlan(crop, view.size, flips[number], colours, holes))
    return Plan(tuple(views), tuple(pairs))


def largest_reduction(plan: Plan) -> int:
    """The most that an image can be reduced by (8, 4, 2 or 1) so that every view still shows less than is there."""
    for reduction in _REDUCTIONS:
        if all(
            min(view.crop.width, view.crop.height) >= reduction * view.size for view in plan.views
        ):
            return reduction
    return 1


def _draw_crops(
    rng: np.random.Generator, boxes: Boxes, width: int, height: int, settings: PretrainConfig
) -> list[Crop]:
    named: dict[str, Crop] = {}
    for view in settings.views:
        if view.crop is not None and view.crop not in named:
            named[view.crop] = _crop_with_boxes(rng, boxes, width, height, settings.crop_scale)
    return [
        whole(width, height) if view.crop is None else named[view.crop] for view in settings.views
    ]


def _crop_with_boxes(
    rng: np.random.Generator, boxes: Boxes, width: int, height: int, smallest: float
) -> Crop:
    """Try five crops for at least two boxes, then five for one.

    At last take the whole image, which has all.
    """
    for least in (min(2, len(boxes)), 1):
        for _ in range(_TRIES):
            crop = random_crop(rng, width, height, smallest)
            if overlapping(boxes, crop).sum() >= least:
                return crop
    return whole(width, height)


def _candidates(boxes: Boxes, crop: Crop) -> npt.NDArray[np.integer]:
    """The boxes that overlap a crop.

    All of them where none does (boxes of no area, in an image of a few pixels).
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
    """Jitter the chosen boxes, a box that was chosen twice once.

    Padding repeats what it repeats.
    """
    distinct, places = np.unique(chosen, return_inverse=True)
    return jitter(rng, boxes[distinct], image, settings.jitter, settings.jitter_probability)[places]


def _pair(seen_1: Boxes, seen_v: Boxes, of_pair: npt.NDArray[np.integer]) -> Pair:
    # Ids count from 1, as in the release; a padded box repeats the id of the box it repeats.
    ids = torch.from_numpy(of_pair.astype(np.int64) + 1)
    return Pair(torch.from_numpy(seen_1), ids, torch.from_numpy(seen_v), ids)
