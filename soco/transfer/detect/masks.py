"""Paste the masks of a whole batch at once, and encode those of an image at once."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pycocotools.mask as mask_tools
import torch
from detectron2.layers import paste_masks_in_image
from detectron2.modeling.postprocessing import detector_postprocess
from detectron2.structures import Instances
from torch import Tensor
from torch.nn import functional as F

_THRESHOLD = 0.5
# On larger images, on a CPU, detectron2's way is quicker: it samples only near each box.
_SMALL = 256 * 256
# Pixels of all masks that are pasted at once; the sampling grid needs 8 bytes for each.
_CHUNK = 1 << 22

_PATCHES = "patches"


def to_output_sizes(
    found: Sequence[Instances], inputs: Sequence[Mapping[str, Any]]
) -> list[Instances]:
    """Scale the detections of a batch to the sizes of their images, as detectron2 does one by one.

    Args:
        found: For each image the raw detections, with `pred_masks` of (N, 1, M, M); changed.
        inputs: The records of the images; `height` and `width` are the sizes to scale to.

    Returns:
        For each image its detections, with `pred_masks` of (N, height, width), boolean.
    """
    scaled, same_size = [], defaultdict(list)
    for instances, entry in zip(found, inputs, strict=True):
        height, width = instances.image_size
        size = entry.get("height", height), entry.get("width", width)
        # Under another name detectron2 filters them with their boxes, and does not paste them.
        instances.set(_PATCHES, instances.pred_masks[:, 0])
        instances.remove("pred_masks")
        scaled.append(detector_postprocess(instances, *size))
        same_size[size].append(scaled[-1])
    for size, group in same_size.items():
        pasted = paste_masks(
            torch.cat([instances.get(_PATCHES) for instances in group]),
            torch.cat([instances.pred_boxes.tensor for instances in group]),
            size,
        )
        parts = pasted.split([len(instances) for instances in group])
        for instances, masks in zip(group, parts, strict=True):
            instances.remove(_PATCHES)
            instances.pred_masks = masks
    return scaled


def paste_masks(patches: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Paste masks into their boxes; the pixels are those of detectron2's `paste_masks_in_image`.

    Args:
        patches: (N, M, M) probabilities.
        boxes: (N, 4) as x0, y0, x1, y1 in pixels; each mask fills its box.
        size: Height and width of the image.

    Returns:
        (N, height, width), boolean.
    """
    if patches.device.type != "cpu" or size[0] * size[1] > _SMALL or not len(patches):
        # detectron2 pastes all at once on a GPU; without a mask its result has another type.
        return paste_masks_in_image(patches, boxes, size, _THRESHOLD).to(torch.bool)
    # For each box, detectron2 runs a dozen operations, which take longer on a CPU than sampling
    # all pixels of a small image. Pixels outside a box are below the threshold either way: more
    # than half of their weight is on the zeros around the mask.
    count = max(1, _CHUNK // (size[0] * size[1]))
    return torch.cat(
        [
            _sample(some, theirs, size) >= _THRESHOLD
            for some, theirs in zip(patches.split(count), boxes.split(count), strict=True)
        ]
    )


def _sample(patches: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """The probability at the centre of each pixel, (N, height, width)."""
    height, width = size
    left, top, right, bottom = boxes[:, :, None].unbind(1)
    # In the coordinates of `grid_sample`, a box reaches from -1 to 1. In this order of operations
    # the rounding is detectron2's.
    across = (torch.arange(width) + 0.5 - left) / (right - left) * 2 - 1
    down = (torch.arange(height) + 0.5 - top) / (bottom - top) * 2 - 1
    grid = torch.stack(
        [across[:, None].expand(-1, height, -1), down[:, :, None].expand(-1, -1, width)], dim=3
    )
    return F.grid_sample(patches[:, None], grid, align_corners=False)[:, 0]


def encode_masks(masks: Tensor) -> list[dict[str, Any]]:
    """Encode masks as COCO's compressed run lengths.

    Args:
        masks: (N, height, width), boolean, on the CPU.

    Returns:
        For each mask its `size` and `counts`, the latter as text.
    """
    # pycocotools reads masks column by column, as (height, width, N). The transposition lays them
    # out so, and one call encodes all.
    columns = masks.to(torch.uint8).transpose(1, 2).contiguous().numpy()
    encoded = mask_tools.encode(np.asfortranarray(columns.transpose(2, 1, 0)))
    return [{**each, "counts": each["counts"].decode("ascii")} for each in encoded]
