"""Sizes of the detector that pretrained weights are of, read off the tensors themselves."""

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
    """Tell backbone, FPN channels and the box head's sizes; of parts that the weights lack, the
    defaults.

    Args:
        state: Tensors by our name.

    Raises:
        UserError: The ResNet is none that the project knows.
    """
    sizes: dict[str, str | int] = {"backbone": resnet_of(_encoder(state))}
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


def resnet_of(names: Collection[str], holder: str = "The weights' ResNet") -> str:
    """Tell which ResNet tensors are of, by how many blocks there are and by the convolutions in
    them.

    Args:
        names: torchvision's names of the tensors.
        holder: Whose they are, for the message.

    Raises:
        UserError: The ResNet is none that the project knows.
    """
    blocks = tuple(_numbered(names, f"layer{stage}.") for stage in (1, 2, 3, 4))
    convs = sum(f"layer1.0.conv{n}.weight" in names for n in (1, 2, 3))
    if (blocks, convs) not in _RESNETS:
        raise UserError(
            f"{holder} has {', '.join(map(str, blocks))} blocks of {convs} convolutions, and is"
            f" none of {', '.join(_RESNETS.values())}; give the weights of one of these."
        )
    return _RESNETS[blocks, convs]


def _encoder(state: Collection[str]) -> set[str]:
    return {name.removeprefix("encoder.") for name in state if name.startswith("encoder.")}


def _numbered(names: Collection[str], prefix: str) -> int:
    """How many numbers follow the prefix."""
    return len(
        {name.removeprefix(prefix).split(".")[0] for name in names if name.startswith(prefix)}
    )
