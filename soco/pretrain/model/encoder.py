"""The backbone.

Torchvision's ResNet without its classifier, read at the levels that a detector uses.
"""

import torchvision
from torch import Tensor, nn

from soco.pretrain.model.recompute import Call, plain


def build_encoder(name: str) -> nn.Module:
    """Make torchvision's ResNet of a name such as `resnet50`, randomly initialised, without its
    last layer.

    The last norm of each block starts at 0, as in the release: a block begins as the identity
    (Goyal et al., 2017).
    """
    encoder = torchvision.models.get_model(name, weights=None, zero_init_residual=True)
    del encoder.fc
    return encoder


def channels_of(encoder: nn.Module) -> tuple[int, int, int, int]:
    """Channels of C2, C3, C4 and C5."""
    last = [
        list(stage.children())[-1]
        for stage in (encoder.layer1, encoder.layer2, encoder.layer3, encoder.layer4)
    ]
    widths = [
        [m for m in block.modules() if isinstance(m, nn.Conv2d)][-1].out_channels for block in last
    ]
    return widths[0], widths[1], widths[2], widths[3]


def c4_map(encoder: nn.Module, images: Tensor, call: Call = plain) -> Tensor:
    """(B, 3, H, W) to C4, (B, C, H/16, W/16); `call` runs the stem and each block."""
    return _stages(encoder, images, 3, call)[-1]


def c2_to_c5(encoder: nn.Module, images: Tensor, call: Call = plain) -> list[Tensor]:
    """(B, 3, H, W) to C2, C3, C4 and C5, at strides 4, 8, 16 and 32.

    `call` runs the stem and each block.
    """
    return _stages(encoder, images, 4, call)


def _stages(encoder: nn.Module, images: Tensor, count: int, call: Call) -> list[Tensor]:
    stem = nn.Sequential(encoder.conv1, encoder.bn1, encoder.relu, encoder.maxpool)
    features = call(stem, images)
    maps = []
    for stage in (encoder.layer1, encoder.layer2, encoder.layer3, encoder.layer4)[:count]:
        for block in stage:
            features = call(block, features)
        maps.append(features)
    return maps
