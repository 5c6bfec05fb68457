"""RoIAlign whose gradient on small maps is a matrix product, which a CPU computes on all cores."""

from typing import Any

import torch
from detectron2.layers import ROIAlign
from detectron2.modeling.poolers import ROIPooler
from torch import Tensor, nn

from soco.pretrain.model.roi_align import cell_weights

# The products use every cell of a map for every box. On larger maps they take longer than
# torchvision's kernel, which uses only the cells of the box, one after the other.
_MOST_CELLS = 64 * 64


class SmallMapAlign(ROIAlign):
    """detectron2's RoIAlign; on small maps on a CPU, it has another way to compute the gradient.

    torchvision's gradient takes ten times as long there as its forward pass, on one core. The
    gradients differ by rounding.
    """

    def forward(self, features: Tensor, rois: Tensor) -> Tensor:
        """Pool boxes.

        Args:
            features: (B, C, H, W).
            rois: (R, 5) image in the batch, x0, y0, x1, y1 in pixels; images rise.

        Returns:
            (R, C, side, side).
        """
        # detectron2 rounds boxes to the type of the features; bf16 has 8 digits, or whole pixels.
        values = features.float()
        height, width = values.shape[-2:]
        small = values.device.type == "cpu" and height * width <= _MOST_CELLS and len(rois) > 0
        if small and values.requires_grad:
            return _align(values, rois, self).to(features.dtype)
        pooled: Tensor = super().forward(values, rois)
        return pooled.to(features.dtype)


def pool_small_maps(model: nn.Module) -> None:
    """Let the detector's poolers use `SmallMapAlign`, which has no weights."""
    for module in model.modules():
        if isinstance(module, ROIPooler):
            for number, align in enumerate(module.level_poolers):
                # What `cell_weights` computes: aligned, with an adaptive number of samples.
                if isinstance(align, ROIAlign) and align.aligned and align.sampling_ratio == 0:
                    module.level_poolers[number] = SmallMapAlign(
                        align.output_size, align.spatial_scale, align.sampling_ratio, align.aligned
                    )


class _Align(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, rois: Tensor, align: ROIAlign) -> Tensor:
        ctx.save_for_backward(rois)
        ctx.shape, ctx.align = features.shape, align
        pooled: Tensor = ROIAlign.forward(align, features, rois)
        return pooled

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (rois,), (gradient,) = ctx.saved_tensors, gradients
        return _gradient(gradient, rois, ctx.shape, ctx.align), None, None


def _align(features: Tensor, rois: Tensor, align: ROIAlign) -> Tensor:
    pooled: Tensor = _Align.apply(features, rois, align)
    return pooled


def _gradient(gradient: Tensor, rois: Tensor, shape: torch.Size, align: ROIAlign) -> Tensor:
    """The sum of W_y^T G W_x over the boxes of each image, where RoIAlign is W_y F W_x^T.

    Args:
        gradient: (R, C, side, side), of the pooled boxes.
        rois: See `SmallMapAlign`.
        shape: B, C, H, W.
        align: The pooling.

    Returns:
        (B, C, H, W), of the features, in channels-last memory.
    """
    count, channels, height, width = shape
    side, scale = align.output_size[0], align.spatial_scale
    boxes = rois[:, 1:].float() * scale
    rows = cell_weights(boxes[:, 1], boxes[:, 3], height, side)
    columns = cell_weights(boxes[:, 0], boxes[:, 2], width, side)
    # G W_x, a product for each row of bins: (R side, W, side) (R side, side, C).
    repeated = columns.mT[:, None].expand(-1, side, -1, -1)
    bins = gradient.permute(0, 2, 3, 1).reshape(-1, side, channels).to(rows.dtype)
    of_rows = torch.bmm(repeated.reshape(-1, width, side), bins).view(len(rois) * side, -1)
    # W_y^T of that, a product for each image, whose n boxes are neighbours:
    # (H, n side) (n side, W C).
    features = of_rows.new_zeros(count, height, width * channels)
    start = 0
    for image, number in enumerate(torch.bincount(rois[:, 0].long(), minlength=count).tolist()):
        end = start + number
        weights = rows[start:end].reshape(-1, height).mT
        torch.mm(weights, of_rows[start * side : end * side], out=features[image])
        start = end
    of_maps = features.view(count, height, width, channels).permute(0, 3, 1, 2)
    return of_maps.to(gradient.dtype)
