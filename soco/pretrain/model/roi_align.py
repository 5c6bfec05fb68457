"""RoIAlign in two ways: as matrix products (ours), and by torchvision's kernel (the release's).

RoIAlign averages bilinear samples on a grid in each bin. The weight of a cell is a product of one
weight for each axis, so the pooled bins are W_y F W_x^T, where W_y and W_x have a row for each bin.
Compared with torchvision's kernel, the products run on all cores and in bf16, and their gradient
has a fixed order of summation on a GPU, too: the same run gives the same bits.
"""

import math

import torch
from torch import Tensor
from torchvision.ops import roi_align


def axis_weights(low: Tensor, high: Tensor, size: int, side: int) -> Tensor:
    """Return the weight of each cell of an axis in each bin.

    As torchvision's RoIAlign with `aligned=True` (half-pixel shift) and `sampling_ratio=-1`
    (adaptive number of sampling points).

    Args:
        low: (R,) where boxes begin, in 0..1 of the axis.
        high: (R,) where boxes end, in 0..1 of the axis.
        size: Number of cells of the axis.
        side: Number of bins of a box.

    Returns:
        (R, side, size) float32; the weights of a bin sum to 1 unless it reaches more than one cell
        beyond the map.
    """
    return cell_weights(low.float() * size, high.float() * size, size, side)


def cell_weights(low: Tensor, high: Tensor, size: int, side: int) -> Tensor:
    """Return the weights of `axis_weights` for boxes in cells of the map instead of 0..1."""
    # Aligned: the centre of cell i is at i, so that edges move by half a cell.
    start = low - 0.5
    # The operations are in torchvision's order: the number of sampling points jumps where an extent
    # is a whole number, and another rounding would give another number.
    extent = (high - 0.5) - start
    bin_size = extent / side
    points = torch.ceil(bin_size)
    # One more than needed, for an extent that rounding made longer than the axis.
    most = math.ceil(size / side) + 1
    bins = torch.arange(side, device=start.device)
    point = torch.arange(most, device=start.device)
    step = (bin_size / points.clamp(min=1))[:, None, None]
    # Positions of the sampling points: (R, side, most).
    at = start[:, None, None] + bins[:, None] * bin_size[:, None, None] + (point + 0.5) * step
    # As in torchvision, a sample up to one cell outside takes the border's value; one farther out
    # is 0, but still counts in the bin's average.
    counts = (point < points[:, None, None]) & (at >= -1) & (at <= size)
    cells = torch.arange(size, device=start.device)
    # Bilinear weights as a triangle, max(0, 1 - |position - cell|): (R, side, most, size).
    near = (1 - (at.clamp(0, size - 1)[..., None] - cells).abs()).clamp(min=0)
    # The clamp is for a box without extent, which has no points: weights of 0 instead of 0 / 0.
    return (near * counts[..., None]).sum(dim=2) / points.clamp(min=1)[:, None, None]


def box_weights(boxes: Tensor, height: int, width: int, side: int) -> tuple[Tensor, Tensor]:
    """Return the weights of boxes on a map, along its rows and along its columns.

    Args:
        boxes: (B, M, 4) x1, y1, x2, y2 in 0..1 of the view.
        height: Rows of the map.
        width: Columns of the map.
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
        features: (B, C, H, W), fastest in channels-last memory.
        rows: (B, M, side, H) from `box_weights`.
        columns: (B, M, side, W) from `box_weights`.

    Returns:
        (B x M, C, side, side) in channels-last memory.
    """
    count, channels, height, width = features.shape
    # Sizes are written out: with M = 0, reshape cannot infer them.
    boxes, side = rows.shape[1:3]
    # In channels-last memory this is a view, not a copy: (B, H, W C).
    across = features.permute(0, 2, 3, 1).reshape(count, height, width * channels)
    # W_y F for all boxes of an image in one product: (B, M side, W C).
    of_rows = torch.bmm(rows.reshape(count, boxes * side, height).to(features.dtype), across)
    of_rows = of_rows.view(count * boxes * side, width, channels)
    # (W_y F) W_x^T: a product of (side, W) and (W, C) for each pooled row.
    repeated = columns.reshape(count * boxes, 1, side, width).expand(-1, side, -1, -1)
    pooled = torch.bmm(
        repeated.reshape(count * boxes * side, side, width).to(features.dtype), of_rows
    )
    return pooled.view(count * boxes, side, side, channels).permute(0, 3, 1, 2)


def align(features: Tensor, boxes: Tensor, side: int) -> Tensor:
    """Pool boxes by torchvision's RoIAlign (aligned, adaptive sampling), in float32.

    Args:
        features: (B, C, H, W).
        boxes: (B, K, 4) x1, y1, x2, y2 in 0..1 of the view.
        side: Width and height of a pooled box.

    Returns:
        (B x K, C, side, side) in the type of `features`.
    """
    height, width = features.shape[-2:]
    # In cells of this map: torchvision's spatial_scale is one number, but height and width may
    # differ. By numbers, since a tensor of them would have to be copied to the GPU.
    x1, y1, x2, y2 = boxes.unbind(-1)
    cells = torch.stack([x1 * width, y1 * height, x2 * width, y2 * height], dim=-1)
    rois = list(cells.float().unbind())
    with torch.autocast(features.device.type, enabled=False):
        pooled = roi_align(
            features.float(), rois, side, spatial_scale=1.0, sampling_ratio=-1, aligned=True
        )
    return pooled.to(features.dtype)
