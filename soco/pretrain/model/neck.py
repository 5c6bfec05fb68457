"""The neck: an FPN with batch norm, under the release's parameter names."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class ConvNorm(nn.Module):
    """A convolution without bias, followed by batch norm."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(channels_out)
        # The release's initialisation.
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C_in, H, W) to (B, C_out, H, W)."""
        return self.bn(self.conv(features))


class FPN(nn.Module):
    """Feature pyramid network (Lin et al., CVPR 2017) with batch norm.

    1x1 lateral convolutions, nearest upsampling and 3x3 output convolutions; no extra level.
    torchvision's class computes the same under other parameter names.
    """

    def __init__(self, channels_in: Sequence[int], channels: int) -> None:
        super().__init__()
        self.lateral_convs = nn.ModuleList(ConvNorm(width, channels, 1) for width in channels_in)
        self.fpn_convs = nn.ModuleList(ConvNorm(channels, channels, 3) for _ in channels_in)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Map C2..C5 to P2..P5, each (B, channels, H, W) at its own size."""
        merged = [
            lateral(features) for lateral, features in zip(self.lateral_convs, maps, strict=True)
        ]
        # From the coarsest map down: each level adds what all coarser ones have passed on.
        for level in range(len(merged) - 1, 0, -1):
            # Not a factor of 2: a view of 112 pixels has a C4 of 7x7 and a C5 of 4x4.
            size = merged[level - 1].shape[-2:]
            merged[level - 1] = merged[level - 1] + F.interpolate(
                merged[level], size=size, mode="nearest"
            )
        return [output(features) for output, features in zip(self.fpn_convs, merged, strict=True)]
