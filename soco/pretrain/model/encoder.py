"""The backbone: torchvision's ResNet without its classifier."""

import torchvision
from torch import Tensor, nn

from soco.pretrain.model.recompute import Call, plain


def build_encoder(name: str) -> nn.Module:
    """Make torchvision's ResNet of a name such as `resnet50`, randomly initialised.

    As in the release, the last norm of each block is initialised to 0, so that a block is the
    identity at first (Goyal et al., arXiv 1706.02677, section 5.1).
    """
    encoder = torchvision.models.get_model(name, weights=None, zero_init_residual=True)
    del encoder.fc
    return encoder


def channels_of(encoder: nn.Module) -> tuple[int, int, int, int]:
    """Return the number of channels of C2, C3, C4 and C5."""
    last = [
        list(stage.children())[-1]
        for stage in (encoder.layer1, encoder.layer2, encoder.layer3, encoder.layer4)
    ]
    # Read from the last convolution, since a basic block (ResNet-18 and -34) is not 4 times as wide
    # as its stage, as a bottleneck is.
    widths = [
        [m for m in block.modules() if isinstance(m, nn.Conv2d)][-1].out_channels for block in last
    ]
    return widths[0], widths[1], widths[2], widths[3]


def c4_map(encoder: nn.Module, images: Tensor, call: Call = plain) -> Tensor:
    """Map images to C4, the output of the third stage.

    Args:
        encoder: The ResNet.
        images: (B, 3, H, W).
        call: Runs the stem and each block, see `soco.pretrain.model.recompute`.

    Returns:
        (B, C, H/16, W/16).
    """
    return _stages(encoder, images, 3, call)[-1]


def c2_to_c5(encoder: nn.Module, images: Tensor, call: Call = plain) -> list[Tensor]:
    """Map images to C2, C3, C4 and C5, at strides 4, 8, 16 and 32; arguments as for `c4_map`."""
    return _stages(encoder, images, 4, call)


def _stages(encoder: nn.Module, images: Tensor, count: int, call: Call) -> list[Tensor]:
    # One call for the stem and one for each block: with recomputation only their inputs stay in
    # memory, and the peak is that of a single block.
    stem = nn.Sequential(encoder.conv1, encoder.bn1, encoder.relu, encoder.maxpool)
    features = call(stem, images)
    maps = []
    for stage in (encoder.layer1, encoder.layer2, encoder.layer3, encoder.layer4)[:count]:
        for block in stage:
            features = call(block, features)
        maps.append(features)
    return maps
