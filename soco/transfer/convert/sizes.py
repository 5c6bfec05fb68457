"""Read the detector's sizes off the pretrained tensors themselves."""

from collections.abc import Collection, Mapping

from torch import Tensor

from soco.config import DetectorConfig
from soco.errors import UserError

# Blocks of the four stages, and convolutions in a block (He et al., CVPR 2016, table 1).
_RESNETS: dict[tuple[tuple[int, ...], int], str] = {
    ((2, 2, 2, 2), 2): "resnet18",
    ((3, 4, 6, 3), 2): "resnet34",
    ((3, 4, 6, 3), 3): "resnet50",
    ((3, 4, 23, 3), 3): "resnet101",
}


def sizes_of(state: Mapping[str, Tensor]) -> DetectorConfig:
    """Infer backbone, FPN channels and box head sizes; parts without weights get the defaults.

    Args:
        state: Tensors by our name.

    Raises:
        UserError: It is not one of the supported ResNets.
    """
    encoder = {name.removeprefix("encoder.") for name in state if name.startswith("encoder.")}
    sizes: dict[str, str | int] = {"backbone": resnet_of(encoder)}
    if "neck.fpn_convs.0.conv.weight" in state:
        sizes["fpn_channels"] = state["neck.fpn_convs.0.conv.weight"].shape[0]
    if "head.fc1.weight" in state:
        sizes["head_fc"] = state["head.fc1.weight"].shape[0]
        sizes["head_convs"] = sum(
            name.startswith("head.conv") and name.endswith(".weight") for name in state
        )
    if "head.conv1.weight" in state:
        sizes["head_channels"] = state["head.conv1.weight"].shape[0]
    return DetectorConfig.model_validate(sizes)


def resnet_of(names: Collection[str], owner: str = "The ResNet of the weights") -> str:
    """Identify a ResNet by its numbers of blocks and of convolutions in a block.

    Args:
        names: torchvision's names of the tensors.
        owner: Which ResNet it is, for the message.

    Raises:
        UserError: It is not one of the supported ResNets.
    """
    blocks = tuple(_count_numbered(names, f"layer{stage}.") for stage in (1, 2, 3, 4))
    # Bottleneck blocks have a third convolution, basic blocks do not.
    convs = sum(f"layer1.0.conv{n}.weight" in names for n in (1, 2, 3))
    if (blocks, convs) not in _RESNETS:
        raise UserError(
            "convert.unknown_resnet",
            "{owner} has {blocks} blocks of {convs} convolutions, unlike {supported}; give the"
            " weights of one of these.",
            owner=owner,
            blocks=", ".join(map(str, blocks)),
            convs=convs,
            supported=", ".join(_RESNETS.values()),
        )
    return _RESNETS[blocks, convs]


def _count_numbered(names: Collection[str], prefix: str) -> int:
    """How many different numbers follow the prefix."""
    return len(
        {name.removeprefix(prefix).split(".")[0] for name in names if name.startswith(prefix)}
    )
