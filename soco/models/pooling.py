"""RoIAlign of boxes in 0..1, in two orders of work: on each box's own level, or on all levels as in the release."""

import dataclasses
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torchvision.ops import roi_align

from soco.models.loss import Vectors


@dataclasses.dataclass(frozen=True)
class BoxSet:
    """The boxes that one view brings to one pair of views.

    Attributes:
        maps: The view's feature maps, finest first, each (B, C, H, W).
        boxes: (B, K, 4) x1, y1, x2, y2 in 0..1 of the view.
        ids: (B, K) int64, from 1.
        levels: (B, K) int64; number of the map that a box belongs to, -1 for none.
    """

    maps: Sequence[Tensor]
    boxes: Tensor
    ids: Tensor
    levels: Tensor


Describe = Callable[[Tensor], Tensor]


def align(features: Tensor, boxes: Tensor, pictures: Tensor, side: int) -> Tensor:
    """RoIAlign (aligned, adaptive sampling) of boxes given in 0..1.

    Args:
        features: (B, C, H, W).
        boxes: (R, 4) x1, y1, x2, y2 in 0..1 of the view.
        pictures: (R,) the picture of the batch that each box is of.
        side: Width and height of the result.

    Returns:
        (R, C, side, side), in the type of `features`.
    """
    height, width = features.shape[-2:]
    scale = boxes.new_tensor([width, height, width, height])
    rois = torch.cat([pictures[:, None].to(boxes.dtype), boxes * scale], dim=1).float()
    with torch.autocast(features.device.type, enabled=False):
        pooled = roi_align(features.float(), rois, side, spatial_scale=1.0, sampling_ratio=-1, aligned=True)
    return pooled.to(features.dtype)


def describe_assigned(sets: Sequence[BoxSet], side: int, describe: Describe) -> list[Vectors]:
    """Pool each box on its own level alone and describe all boxes of all views in one call.

    Args:
        sets: The box sets of all pairs of views.
        side: Width and height of a pooled box.
        describe: (R, C, side, side) to (R, D).

    Returns:
        For each set, (B, K, D) vectors; a box without a level has zeros and the id 0.
    """
    pooled, places = [], []
    for number, box_set in enumerate(sets):
        for level, features in enumerate(box_set.maps):
            picture, box = torch.nonzero(box_set.levels == level, as_tuple=True)
            pooled.append(align(features, box_set.boxes[picture, box], picture, side))
            places.append((number, picture, box))
    described = describe(torch.cat(pooled))
    values = [described.new_zeros(*box_set.ids.shape, described.shape[1]) for box_set in sets]
    for (number, picture, box), part in zip(places, described.split([len(p) for p in pooled]), strict=True):
        values[number] = values[number].index_put((picture, box), part)
    return [Vectors(of_set, box_set.ids * (box_set.levels >= 0)) for of_set, box_set in zip(values, sets, strict=True)]


def describe_on_all_levels(sets: Sequence[BoxSet], side: int, describe: Describe) -> list[Vectors]:
    """Pool each box on every level and describe each level of each set in a call of its own, as the authors do.

    The vectors of wrong levels enter no pair; they do enter the norms' batch statistics.

    Args:
        sets: The box sets of all pairs of views.
        side: Width and height of a pooled box.
        describe: (R, C, side, side) to (R, D).

    Returns:
        For each set, (B, levels x K, D) vectors, level by level; entries of another level than the box's have id 0.
    """
    vectors = []
    for box_set in sets:
        count, boxes = box_set.ids.shape
        picture = torch.arange(count, device=box_set.ids.device).repeat_interleave(boxes)
        flat = box_set.boxes.flatten(0, 1)
        described = [describe(align(features, flat, picture, side)).view(count, boxes, -1) for features in box_set.maps]
        ids = [box_set.ids * (box_set.levels == level) for level in range(len(box_set.maps))]
        vectors.append(Vectors(torch.cat(described, dim=1), torch.cat(ids, dim=1)))
    return vectors
