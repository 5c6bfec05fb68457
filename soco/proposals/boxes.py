"""Boxes: the stores' integer rects, the package's float boxes, and their overlap."""

import numpy as np
import numpy.typing as npt

Rects = npt.NDArray[np.integer]
Boxes = npt.NDArray[np.float32]


def rects_to_boxes(rects: Rects) -> Boxes:
    """Convert the stores' rects to boxes.

    Both conventions are the release's, so that our numbers equal its own: a rect's width and height
    are differences of inclusive pixel coordinates (max - min), and x2 = left + width - 1 in
    training. A box is therefore two pixels narrower than the region.

    Args:
        rects: (N, 4) integers: left, top, width, height, in pixels of the image.

    Returns:
        (N, 4) float32: x1, y1, x2, y2, in pixels of the image.
    """
    boxes = rects.astype(np.float32)
    boxes[:, 2:] += boxes[:, :2] - 1
    return boxes


def pairwise_iou(
    objects: npt.NDArray[np.floating], boxes: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Compute the intersection over union of every object with every box.

    Unlike `torchvision.ops.box_iou`, it needs no torch in the search jobs, computes in double
    precision, and gives 0 for boxes without area.

    Args:
        objects: (G, 4) x1, y1, x2, y2.
        boxes: (R, 4) x1, y1, x2, y2.

    Returns:
        (G, R).
    """
    # IoU = |A and B| / (|A| + |B| - |A and B|), in continuous coordinates (sides without + 1).
    # Shapes: (G, 1, 4) and (1, R, 4), then (G, R, 2) for low and high.
    one, other = objects[:, None].astype(np.float64), boxes[None].astype(np.float64)
    low, high = np.maximum(one[..., :2], other[..., :2]), np.minimum(one[..., 2:], other[..., 2:])
    common = np.maximum(high - low, 0.0).prod(axis=-1)
    areas = [
        np.maximum(these[..., 2:] - these[..., :2], 0.0).prod(axis=-1) for these in (one, other)
    ]
    union = areas[0] + areas[1] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)
