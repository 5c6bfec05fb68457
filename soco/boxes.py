"""The one place where the release's integer rects become the package's float boxes."""

import numpy as np
import numpy.typing as npt

Rects = npt.NDArray[np.integer]
Boxes = npt.NDArray[np.float32]


def rects_to_boxes(rects: Rects) -> Boxes:
    """Turn rects of the store into boxes.

    A rect's width and height are differences of inclusive pixel coordinates (max - min), and the
    release takes x2 = left + width - 1 in training; both are kept, so that its numbers come out.

    Args:
        rects: (N, 4) integers: left, top, width, height, in pixels of the image.

    Returns:
        (N, 4) float32: x1, y1, x2, y2, in pixels of the image.
    """
    boxes = rects.astype(np.float32)
    boxes[:, 2:] += boxes[:, :2] - 1
    return boxes
