"""mmdetection, which is not installed here.

A file for it is held against the names and shapes of its modules.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn

from soco.config import DetectorConfig
from soco.pretrain.model.encoder import channels_of
from soco.pretrain.model.heads import ROI_SIDE
from soco.transfer.convert.features import Features, Probe
from soco.transfer.convert.state_dicts import check_state_dict


def match_mmdetection(path: Path, detector: DetectorConfig, probe: Probe) -> Features:
    """Hold a converted file's names and shapes against mmdetection's; no features are computed."""
    content = torch.load(path, map_location="cpu", weights_only=True)
    check_state_dict("mmdetection's Mask R-CNN", tensors_of(detector), content["state_dict"])
    return {}


def tensors_of(detector: DetectorConfig) -> dict[str, Tensor]:
    """The tensors of mmdetection's modules that pretraining fills, without values.

    They are those of `ResNet` (style pytorch), of `FPN` with norms, and of the shared layers of
    `ConvFCBBoxHead` with norms. They are spelled out from the modules' own naming (a `ConvModule`
    holds `conv` and `bn`), and not from the table that renames.
    """
    with torch.device("meta"):
        resnet = torchvision.models.get_model(detector.backbone, weights=None)
        tensors = {
            f"backbone.{name}": held
            for name, held in resnet.state_dict().items()
            if name[:3] != "fc."
        }
        channels, width = detector.fpn_channels, detector.head_channels
        for entry, below in enumerate(channels_of(resnet)):
            tensors |= _conv_module(f"neck.lateral_convs.{entry}", below, channels, 1)
            tensors |= _conv_module(f"neck.fpn_convs.{entry}", channels, channels, 3)
        head = "roi_head.bbox_head.shared"
        for number in range(detector.head_convs):
            tensors |= _conv_module(
                f"{head}_convs.{number}", width if number else channels, width, 3
            )
        return tensors | dict(
            _of(f"{head}_fcs.0", nn.Linear(width * ROI_SIDE**2, detector.head_fc))
        )


def _conv_module(name: str, inputs: int, outputs: int, kernel: int) -> dict[str, Tensor]:
    conv = nn.Conv2d(inputs, outputs, kernel, bias=False)
    return dict([*_of(f"{name}.conv", conv), *_of(f"{name}.bn", nn.BatchNorm2d(outputs))])


def _of(name: str, module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for own, held in module.state_dict().items():
        yield f"{name}.{own}", held
