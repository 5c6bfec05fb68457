"""Pooling of boxes in two orders of work.

On each box's own level, or on all levels as in the release.
"""

import dataclasses
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torchvision.ops import roi_align

from soco.pretrain.model.loss import Vectors
from soco.pretrain.model.separable import box_weights, pool

Maps = Sequence[Tensor]
Describe = Callable[[Tensor], Tensor]


@dataclasses.dataclass(frozen=True)
class BoxSet:
    """The boxes that one view brings to one pair of views.

    Attributes:
        view: Number of the view.
        boxes: (B, K, 4) x1, y1, x2, y2 in 0..1 of the view.
        ids: (B, K) int64, from 1.
        levels: (B, K) int64; number of the map that a box belongs to, -1 for none.
    """

    view: int
    boxes: Tensor
    ids: Tensor
    levels: Tensor


@dataclasses.dataclass(frozen=True)
class Group:
    """Boxes of one view that are pooled on one of its maps: up to M of each image.

    Attributes:
        view: Number of the view.
        level: Number of its map.
        rows: (B, M, side, H) weights along the map's rows.
        columns: (B, M, side, W) weights along its columns.
    """

    view: int
    level: int
    rows: Tensor
    columns: Tensor


@dataclasses.dataclass(frozen=True)
class Plan:
    """Which box is pooled where; both branches follow one plan.

    Attributes:
        groups: One for each map of each view, without boxes (M = 0) where none belongs to it: every
            map stays in the graph, so that every parameter has a gradient at every step.
        taken: The rows of all groups that hold a box; other rows fill up images with fewer boxes
            than M.
        numbers: (R,) for each taken row, the number of its box among those of all sets.
        sets: The box sets.
    """

    groups: Sequence[Group]
    taken: Tensor
    numbers: Tensor
    sets: Sequence[BoxSet]


@torch.no_grad()
def plan_assigned(
    sets: Sequence[BoxSet], sizes: Sequence[Sequence[tuple[int, int]]], side: int
) -> Plan:
    """Group boxes by the map that they belong to.

    A box without a level is left out: it is in no pair and would only enter the norms' statistics.
    Should fewer than two boxes have a level, the others go along on the coarsest one, since norms
    need a batch to take statistics of.

    Args:
        sets: The box sets of all pairs of views.
        sizes: For each view, height and width of its maps, finest first.
        side: Width and height of a pooled box.
    """
    starts = [0]
    for box_set in sets:
        starts.append(starts[-1] + box_set.ids.numel())
    has_level = torch.cat([box_set.levels.flatten() for box_set in sets]) >= 0
    coarsest = torch.where(has_level.sum() < 2, len(sizes[0]) - 1, -1)
    members = []
    for view, maps in enumerate(sizes):
        mine = [number for number, box_set in enumerate(sets) if box_set.view == view]
        boxes = torch.cat([sets[n].boxes for n in mine], dim=1)
        levels = torch.cat([sets[n].levels for n in mine], dim=1)
        levels = torch.where(levels >= 0, levels, coarsest)
        numbers = torch.cat([_numbers(sets[n], starts[n]) for n in mine], dim=1)
        members += [
            (view, level, size, boxes, levels == level, numbers) for level, size in enumerate(maps)
        ]
    # the one transfer to the host: how many rows each group has
    most = torch.stack([belongs.sum(dim=1).max() for *_, belongs, _ in members]).tolist()
    groups, taken, chosen = [], [], []
    for (view, level, (height, width), boxes, belongs, numbers), count in zip(
        members, most, strict=True
    ):
        order = belongs.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :count]
        nearest = boxes.gather(1, order[..., None].expand(-1, -1, 4))
        groups.append(Group(view, level, *box_weights(nearest, height, width, side)))
        taken.append(belongs.gather(1, order).flatten())
        chosen.append(numbers.gather(1, order).flatten())
    rows = torch.cat(taken).nonzero()[:, 0]
    return Plan(groups, rows, torch.cat(chosen)[rows], sets)


def _numbers(box_set: BoxSet, start: int) -> Tensor:
    ids = box_set.ids
    return torch.arange(start, start + ids.numel(), device=ids.device).view_as(ids)


def describe_assigned(maps: Sequence[Maps], plan: Plan, describe: Describe) -> list[Vectors]:
    """Pool each box on its own level alone and describe all boxes of all views in one call.

    Args:
        maps: For each view its feature maps, finest first, each (B, C, H, W).
        plan: Which box is pooled where.
        describe: (R, C, side, side) to (R, D).

    Returns:
        For each set, (B, K, D) vectors; a box without a level has zeros and the id 0.
    """
    pooled = torch.cat(
        [pool(maps[group.view][group.level], group.rows, group.columns) for group in plan.groups]
    )
    described = describe(
        pooled.index_select(0, plan.taken).contiguous(memory_format=torch.channels_last)
    )
    shapes = [box_set.ids.shape for box_set in plan.sets]
    all_boxes = described.new_zeros(sum(shape.numel() for shape in shapes), described.shape[1])
    values = all_boxes.index_copy(0, plan.numbers, described).split(
        [shape.numel() for shape in shapes]
    )
    return [
        Vectors(of_set.view(*box_set.ids.shape, -1), box_set.ids * (box_set.levels >= 0))
        for of_set, box_set in zip(values, plan.sets, strict=True)
    ]


def align(features: Tensor, boxes: Tensor, side: int) -> Tensor:
    """RoIAlign by torchvision (aligned, adaptive sampling) of boxes given in 0..1.

    Args:
        features: (B, C, H, W).
        boxes: (B, K, 4) x1, y1, x2, y2 in 0..1 of the view.
        side: Width and height of the result.

    Returns:
        (B x K, C, side, side), in the type of `features`.
    """
    height, width = features.shape[-2:]
    scale = boxes.new_tensor([width, height, width, height])
    rois = list((boxes * scale).float().unbind())
    with torch.autocast(features.device.type, enabled=False):
        pooled = roi_align(
            features.float(), rois, side, spatial_scale=1.0, sampling_ratio=-1, aligned=True
        )
    return pooled.to(features.dtype)


def describe_on_all_levels(
    maps: Sequence[Maps], sets: Sequence[BoxSet], side: int, describe: Describe
) -> list[Vectors]:
    """Pool each box on every level and describe each level of each set in a call of its own, as the
    authors do.

    The vectors of wrong levels enter no pair; they do enter the norms' batch statistics.

    Args:
        maps: For each view its feature maps, finest first, each (B, C, H, W).
        sets: The box sets of all pairs of views.
        side: Width and height of a pooled box.
        describe: (R, C, side, side) to (R, D).

    Returns:
        For each set, (B, levels x K, D) vectors, level by level; entries of another level than the
        box's have id 0.
    """
    vectors = []
    for box_set in sets:
        of_view, shape = maps[box_set.view], box_set.ids.shape
        described = [
            describe(align(features, box_set.boxes, side)).view(*shape, -1) for features in of_view
        ]
        ids = [box_set.ids * (box_set.levels == level) for level in range(len(of_view))]
        vectors.append(Vectors(torch.cat(described, dim=1), torch.cat(ids, dim=1)))
    return vectors
