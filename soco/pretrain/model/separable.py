"""RoIAlign as two matrix products: along rows, then along columns.

Bilinear weights are a product of one weight for each axis, and the sampling points of a bin form a
grid. The average over a bin is therefore W_y F W_x^T, with a row of weights for each bin. Against
torchvision's kernel this runs on all cores and in bf16, and its gradient has a fixed order of
summation on a GPU too.
"""

import math

import torch
from torch import Tensor


def axis_weights(low: Tensor, high: Tensor, size: int, side: int) -> Tensor:
    """How much each cell of an axis counts in each bin (RoIAlign with half-pixel shift and adaptive
    sampling).

    Args:
        low: (R,) where boxes begin, in 0..1 of the axis.
        high: (R,) where they end.
        size: Cells of the axis.
        side: Bins of a box.

    Returns:
        (R, side, size) float32; a bin's weights add up to 1 unless it reaches more than a cell
        beyond the map.
    """
    start = low.float() * size - 0.5
    # The order of these roundings is torchvision's: the number of points jumps where an extent is a
    # whole number.
    extent = (high.float() * size - 0.5) - start
    bin_size = extent / side
    points = torch.ceil(bin_size)
    most = (
        math.ceil(size / side) + 1
    )  # one more, for an extent that rounding put above the whole axis
    bins = torch.arange(side, device=start.device)
    point = torch.arange(most, device=start.device)
    step = (bin_size / points.clamp(min=1))[:, None, None]
    at = (
        start[:, None, None] + bins[:, None] * bin_size[:, None, None] + (point + 0.5) * step
    )  # (R, side, most)
    counts = (point < points[:, None, None]) & (at >= -1) & (at <= size)
    cells = torch.arange(size, device=start.device)
    near = (1 - (at.clamp(0, size - 1)[..., None] - cells).abs()).clamp(min=0)
    return (near * counts[..., None]).sum(dim=2) / points.clamp(min=1)[:, None, None]


def box_weights(boxes: Tensor, height: int, width: int, side: int) -> tuple[Tensor, Tensor]:
    """Weights of boxes on a map, along rows and along columns.

    Args:
        boxes: (B, M, 4) x1, y1, x2, y2 in 0..1 of the view.
        height: Rows of the map.
        width: Its columns.
        side: Width and height of a pooled box.

    Returns:
        (B, M, side, height) and (B, M, side, width).
    """
    x1, y1, x2, y2 = boxes.flatten(0, 1).unbind(-1)
    rows, columns = axis_weights(y1, y2, height, side), axis_weights(x1, x2, width, side)
    return rows.unflatten(0, boxes.shape[:2]), columns.unflatten(0, boxes.shape[:2])


def pool(features: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Pool the boxes of each image by their weights.

    Args:
        features: (B, C, H, W), quickest in channels-last memory.
        rows: (B, M, side, H) from `box_weights`.
        columns: (B, M, side, W).

    Returns:
        (B x M, C, side, side) in channels-last memory.
    """
    count, channels, height, width = features.shape
    side = rows.shape[2]
    # flatten of no boxes cannot infer sizes, so they are written out
    boxes = rows.shape[1]
    across = features.permute(0, 2, 3, 1).reshape(count, height, width * channels)
    of_rows = torch.bmm(rows.reshape(count, boxes * side, height).to(features.dtype), across)
    of_rows = of_rows.view(count * boxes * side, width, channels)
    repeated = columns.reshape(count * boxes, 1, side, width).expand(-1, side, -1, -1)
    pooled = torch.bmm(
        repeated.reshape(count * boxes * side, side, width).to(features.dtype), of_rows
    )
    return pooled.view(count * boxes, side, side, channels).permute(0, 3, 1, 2)
