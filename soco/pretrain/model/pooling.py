"""From feature maps to box vectors: scale-aware assignment, RoIAlign and the head.

There are two ways, which give the same loss with norms in eval mode. `assigned` pools a box on its
own FPN level only and describes all boxes in one call of the head. `release` pools every box on all
levels, with a call for each level and box set, as the authors' program does.
"""

import dataclasses
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
    squares = torch.tensor([bound**2 for bound in bounds], device=boxes.device)
    level = torch.bucketize(area, squares)
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
class Group:
    """Boxes of one view that are pooled on one of its maps: up to M of each image.

    Attributes:
        view: Index of the view.
        level: Index of its map.
        rows: (B, M, side, H) weights along the map's rows.
        columns: (B, M, side, W) weights along its columns.
    """

    view: int
    level: int
    rows: Tensor
    columns: Tensor


@dataclasses.dataclass(frozen=True)
class PoolingPlan:
    """Which box is pooled on which map; both branches share a plan.

    Attributes:
        groups: One for each map of each view. A map without boxes has a group with M = 0 and stays
            in the graph, so that every parameter has a gradient at every step (DDP requires it).
        taken: Indices of the rows of all groups that are a box; the other rows are padding, for
            images with fewer boxes than M.
        numbers: (R,) for each taken row, the index of its box among the boxes of all sets.
        sets: The box sets.
    """

    groups: Sequence[Group]
    taken: Tensor
    numbers: Tensor
    sets: Sequence[BoxSet]


@torch.no_grad()
def plan_assigned(
    sets: Sequence[BoxSet], sizes: Sequence[Sequence[tuple[int, int]]], side: int
) -> PoolingPlan:
    """Group boxes by the map that they belong to.

    A box without a level is left out: it is in no pair and would only change the batch statistics
    of the norms. If fewer than two boxes have a level, those without one are pooled on the coarsest
    map, since batch norm needs at least two rows.

    Args:
        sets: The box sets of all pairs of views.
        sizes: For each view, height and width of its maps, finest first.
        side: Width and height of a pooled box.
    """
    # All boxes are numbered through, so that their vectors find the way back to their sets.
    starts = [0]
    for box_set in sets:
        starts.append(starts[-1] + box_set.ids.numel())
    has_level = torch.cat([box_set.levels.flatten() for box_set in sets]) >= 0
    # By `where`: an `if` would wait for the GPU.
    coarsest = torch.where(has_level.sum() < 2, len(sizes[0]) - 1, NO_LEVEL)
    members = []
    for view, maps in enumerate(sizes):
        # View 1 is in every pair; the boxes of all its sets are pooled together: (B, sets K, 4).
        mine = [number for number, box_set in enumerate(sets) if box_set.view == view]
        boxes = torch.cat([sets[n].boxes for n in mine], dim=1)
        assigned = torch.cat([sets[n].levels for n in mine], dim=1)
        assigned = torch.where(assigned >= 0, assigned, coarsest)
        numbers = torch.cat([_numbers(sets[n], starts[n]) for n in mine], dim=1)
        members += [
            (view, level, size, boxes, assigned == level, numbers)
            for level, size in enumerate(maps)
        ]
    # The only transfer from the GPU to the host: the number of rows of each group, all at once.
    most = torch.stack([belongs.sum(dim=1).max() for *_, belongs, _ in members]).tolist()
    groups, taken, chosen = [], [], []
    for (view, level, (height, width), boxes, belongs, numbers), count in zip(
        members, most, strict=True
    ):
        # This map's boxes first, in their own order, cut to the most that any image has: (B, M).
        # Equal numbers make the pooling one batched product; `taken` then drops the padding.
        order = belongs.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :count]
        nearest = boxes.gather(1, order[..., None].expand(-1, -1, 4))
        groups.append(Group(view, level, *box_weights(nearest, height, width, side)))
        taken.append(belongs.gather(1, order).flatten())
        chosen.append(numbers.gather(1, order).flatten())
    rows = torch.cat(taken).nonzero()[:, 0]
    return PoolingPlan(groups, rows, torch.cat(chosen)[rows], sets)


def _numbers(box_set: BoxSet, start: int) -> Tensor:
    ids = box_set.ids
    return torch.arange(start, start + ids.numel(), device=ids.device).view_as(ids)


def describe_assigned(maps: Sequence[Maps], plan: PoolingPlan, describe: Describe) -> list[Vectors]:
    """Pool each box on its own level, and describe all boxes of all views in one call.

    Departure: in the release the head sees every box on all four levels. This is a quarter of its
    work, and the batch statistics of the norms are those of the boxes that the loss compares.

    Args:
        maps: For each view its feature maps, finest first, each (B, C, H, W).
        plan: Which box is pooled where.
        describe: Maps (R, C, side, side) to (R, D).

    Returns:
        For each set (B, K, D) vectors; a box without a level has zeros and the id 0.
    """
    # (rows of all groups, C, side, side), then without padding (R, C, side, side).
    pooled = torch.cat(
        [pool(maps[group.view][group.level], group.rows, group.columns) for group in plan.groups]
    )
    described = describe(
        pooled.index_select(0, plan.taken).contiguous(memory_format=torch.channels_last)
    )
    shapes = [box_set.ids.shape for box_set in plan.sets]
    # Back to the order of the sets: (all boxes, D), then (B K, D) for each set.
    all_boxes = described.new_zeros(sum(shape.numel() for shape in shapes), described.shape[1])
    values = all_boxes.index_copy(0, plan.numbers, described).split(
        [shape.numel() for shape in shapes]
    )
    return [
        # (B, K, D). The id is 0 without a level, even where a box was pooled only to have two rows.
        Vectors(of_set.view(*box_set.ids.shape, -1), box_set.ids * (box_set.levels >= 0))
        for of_set, box_set in zip(values, plan.sets, strict=True)
    ]


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
