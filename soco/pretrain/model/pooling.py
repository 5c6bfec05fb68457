"""From feature maps to box vectors: scale-aware assignment, RoIAlign and the head.

There are two ways, which give the same loss with norms in eval mode. `assigned` pools a box on its
own FPN level only and describes all boxes in one call of the head. `release` pools every box on all
levels, with a call for each level and box set, as the authors' program does.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from soco.pretrain.model.loss import Vectors
from soco.pretrain.model.roi_align import align, box_weights, pool

NO_LEVEL = -1

Maps = Sequence[Tensor]
Describe = Callable[[Tensor], Tensor]


def pixel_boxes(boxes: Tensor, size: int) -> Tensor:
    """Turn (..., 4) boxes in 0..1 into whole pixels of a view, rounded down as in the release."""
    return (boxes * size).long()


def levels(boxes: Tensor, size: int, bounds: Sequence[int]) -> Tensor:
    """Assign each box to a level by its sqrt(w h) (SoCo section 3, "Scale-Aware Assignment").

    As in the release, w and h are those of the integer pixel box in the resized view:
    w = x2 - x1 + 1.

    Args:
        boxes: (..., 4) x1, y1, x2, y2 in 0..1 of the view.
        size: Width and height of the view, in pixels.
        bounds: Largest sqrt(w h) of each level, in pixels, rising; SoCo has 48, 96, 192 and 224.

    Returns:
        (...) int64; 0 for P2 to 3 for P5. A box above the last bound has `NO_LEVEL` and is in no
        pair.
    """
    x1, y1, x2, y2 = pixel_boxes(boxes, size).unbind(-1)
    area = (x2 - x1 + 1) * (y2 - y1 + 1)
    # sqrt(w h) <= bound as w h <= bound^2, in integers; at a bound a box has the finer level.
    # Counted one by one: a tensor of the bounds would have to be copied to the GPU in every step.
    level = sum((area > bound**2 for bound in bounds), start=torch.zeros_like(area))
    return torch.where(level < len(bounds), level, NO_LEVEL)


@dataclasses.dataclass(frozen=True)
class BoxSet:
    """The boxes of one view in one pair of views.

    Attributes:
        view: Index of the view.
        boxes: (B, K, 4) x1, y1, x2, y2 in 0..1 of the view.
        ids: (B, K) int64, from 1.
        levels: (B, K) int64; index of the map that a box belongs to, `NO_LEVEL` for none.
    """

    view: int
    boxes: Tensor
    ids: Tensor
    levels: Tensor


@dataclasses.dataclass(frozen=True)
class ViewPlan:
    """How the boxes of one view are pooled: those of all its sets, M for each image.

    Attributes:
        levels: For each map of the view its weights along rows, (B, M, side, H), and along columns,
            (B, M, side, W). Rows are 0 for a box of another level.
        sets: Indices of the view's sets, in the order of the boxes.
    """

    levels: Sequence[tuple[Tensor, Tensor]]
    sets: Sequence[int]


@dataclasses.dataclass(frozen=True)
class PoolingPlan:
    """Which box is pooled on which map; both branches share a plan.

    Every size follows from the recipe and the batch size alone, never from the boxes. So a step
    reads nothing from the GPU, and can be captured as a CUDA graph or compiled once.

    Attributes:
        views: One plan for each view.
        sets: The box sets.
    """

    views: Sequence[ViewPlan]
    sets: Sequence[BoxSet]


@torch.no_grad()
def plan_assigned(
    sets: Sequence[BoxSet], sizes: Sequence[Sequence[tuple[int, int]]], side: int
) -> PoolingPlan:
    """Plan how to pool each box on the map that it belongs to.

    A box without a level is pooled on the coarsest map. It is in no pair, but its vector enters the
    batch statistics of the norms, as in the release. Leaving it out would make the number of rows
    depend on the boxes.

    Args:
        sets: The box sets of all pairs of views.
        sizes: For each view, height and width of its maps, finest first.
        side: Width and height of a pooled box.
    """
    views = []
    for view, maps in enumerate(sizes):
        # View 1 is in every pair; the boxes of all its sets are pooled together: (B, sets K, 4).
        mine = [number for number, box_set in enumerate(sets) if box_set.view == view]
        boxes = torch.cat([sets[n].boxes for n in mine], dim=1)
        assigned = torch.cat([sets[n].levels for n in mine], dim=1)
        assigned = torch.where(assigned >= 0, assigned, len(maps) - 1)
        levels = []
        for level, (height, width) in enumerate(maps):
            rows, columns = box_weights(boxes, height, width, side)
            levels.append((rows * (assigned == level)[..., None, None], columns))
        views.append(ViewPlan(levels, mine))
    return PoolingPlan(views, sets)


def describe_assigned(maps: Sequence[Maps], plan: PoolingPlan, describe: Describe) -> list[Vectors]:
    """Pool each box on its own level, and describe all boxes of all views in one call.

    Departure: in the release the head sees every box on all four levels. This is a quarter of its
    work, and the batch statistics of the norms are those of boxes on their own level.

    Args:
        maps: For each view its feature maps, finest first, each (B, C, H, W).
        plan: Which box is pooled where.
        describe: Maps (R, C, side, side) to (R, D).

    Returns:
        For each set (B, K, D) vectors; a box without a level has the id 0.
    """
    # (R, C, side, side), where R counts the boxes of all views: view by view, image by image.
    pooled = torch.cat(
        [_pool_on_levels(of_view, view) for of_view, view in zip(maps, plan.views, strict=True)]
    )
    described = describe(pooled.contiguous(memory_format=torch.channels_last))
    counts = [view.levels[0][0].shape[:2].numel() for view in plan.views]
    values: dict[int, Tensor] = {}
    for view, of_view in zip(plan.views, described.split(counts), strict=True):
        # (B, M, D), then (B, K, D) for each set.
        of_image = of_view.unflatten(0, view.levels[0][0].shape[:2])
        boxes = [plan.sets[number].ids.shape[1] for number in view.sets]
        values |= zip(view.sets, of_image.split(boxes, dim=1), strict=True)
    return [
        Vectors(values[number], box_set.ids * (box_set.levels >= 0))
        for number, box_set in enumerate(plan.sets)
    ]


def _pool_on_levels(maps: Maps, view: ViewPlan) -> Tensor:
    """Pool all boxes of a view on each of its maps, and add: (B x M, C, side, side).

    All but one of the terms are 0. Selecting the boxes of each map instead would be less work for
    the products, which are a small part of a step, but with sizes that depend on the boxes.
    """
    pooled = [
        pool(features, rows, columns)
        for features, (rows, columns) in zip(maps, view.levels, strict=True)
    ]
    return functools.reduce(torch.add, pooled)


def describe_on_all_levels(
    maps: Sequence[Maps], sets: Sequence[BoxSet], side: int, describe: Describe
) -> list[Vectors]:
    """Pool each box on every level, and describe each level of each set in a call of its own.

    This is the release's way. Vectors of wrong levels are in no pair, but they do enter
    the batch statistics of the norms.

    Args:
        maps: For each view its feature maps, finest first, each (B, C, H, W).
        sets: The box sets of all pairs of views.
        side: Width and height of a pooled box.
        describe: Maps (R, C, side, side) to (R, D).

    Returns:
        For each set (B, levels x K, D) vectors, level by level; entries on another level than the
        box's have the id 0.
    """
    vectors = []
    for box_set in sets:
        of_view, shape = maps[box_set.view], box_set.ids.shape
        # For each level (B K, D) as (B, K, D).
        described = [
            describe(align(features, box_set.boxes, side)).view(*shape, -1) for features in of_view
        ]
        ids = [box_set.ids * (box_set.levels == level) for level in range(len(of_view))]
        vectors.append(Vectors(torch.cat(described, dim=1), torch.cat(ids, dim=1)))
    return vectors
