"""Draw the weights of backbone, FPN and head as detectron2 does."""

from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck


def draw_as_detectron2(encoder: nn.Module, neck: nn.Module | None, head: nn.Module | None) -> None:
    """Draw weights as detectron2 draws those of a detector that it trains from scratch.

    The release differs in three ways: the last norm of each block is 0, convolutions of the head
    have torch's default, 2.4 times shorter, and those of the FPN are longer.

    Args:
        encoder: torchvision's ResNet, whose convolutions are drawn as detectron2's already.
        neck: The FPN, if there is one.
        head: The box head, if there is one.
    """
    for part in encoder.modules():
        if isinstance(part, BasicBlock | Bottleneck):
            last = part.bn3 if isinstance(part, Bottleneck) else part.bn2
            nn.init.ones_(last.weight)
    for part in neck.modules() if neck is not None else ():
        if isinstance(part, nn.Conv2d):
            # fvcore's c2_xavier_fill.
            nn.init.kaiming_uniform_(part.weight, a=1)
    for part in head.modules() if head is not None else ():
        if isinstance(part, nn.Conv2d):
            # fvcore's c2_msra_fill.
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(part, nn.Linear):
            nn.init.kaiming_uniform_(part.weight, a=1)
            nn.init.zeros_(part.bias)
