"""The models of torchvision, timm and mmdetection that converted files are verified in."""

from collections.abc import Iterator
from pathlib import Path

import torch
import torchvision
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead, FastRCNNPredictor
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.feature_extraction import create_feature_extractor

from soco.config import DetectorConfig
from soco.errors import UserError
from soco.pretrain.model.encoder import channels_of
from soco.pretrain.model.heads import ROI_SIDE
from soco.transfer.convert.features import LEVELS, Features, ProbeInput, name_levels
from soco.transfer.convert.state_dicts import check_state_dict

FRESH = ("rpn.", "roi_heads.box_predictor.", "roi_heads.mask_head.", "roi_heads.mask_predictor.")
"""Prefixes of the tensors of torchvision's Mask R-CNN that pretraining does not make."""


def torchvision_detector(detector: DetectorConfig, classes: int) -> MaskRCNN:
    """Build torchvision's Mask R-CNN with fresh weights and norms in FPN and box head.

    A converted file fills backbone, FPN and box head. With the paper's sizes these parts equal
    those of `torchvision.models.detection.maskrcnn_resnet50_fpn_v2`, which takes the same file.
    Norms are `BatchNorm2d`; to train on several GPUs, convert them to `SyncBatchNorm`.

    Args:
        detector: Sizes of the detector, the same as in pretraining.
        classes: Object classes without background, which torchvision counts as class 0.
    """
    norm = nn.BatchNorm2d
    resnet = torchvision.models.get_model(detector.backbone, weights=None)
    # torchvision calls the levels P2 to P5 "0" to "3".
    stages = {f"layer{level - 1}": str(level - 2) for level in LEVELS}
    channels, width = detector.fpn_channels, detector.head_channels
    return MaskRCNN(
        BackboneWithFPN(resnet, stages, list(channels_of(resnet)), channels, norm_layer=norm),
        box_head=FastRCNNConvFCHead(
            (channels, ROI_SIDE, ROI_SIDE),
            [width] * detector.head_convs,
            [detector.head_fc],
            norm_layer=norm,
        ),
        box_predictor=FastRCNNPredictor(detector.head_fc, classes + 1),
        # Mask R-CNN's four convolutions, without dilation (1).
        mask_head=MaskRCNNHeads(channels, [width] * 4, 1, norm_layer=norm),
        mask_predictor=MaskRCNNPredictor(width, width, classes + 1),
    )


@torch.inference_mode()
def run_torchvision_detector(path: Path, detector: DetectorConfig, probe: ProbeInput) -> Features:
    """Load a converted file into torchvision's Mask R-CNN; run its backbone, FPN and box head."""
    model, weights = torchvision_detector(detector, classes=1), load_file(path)
    check_state_dict("torchvision's Mask R-CNN", model.state_dict(), weights, FRESH)
    model.load_state_dict(weights, strict=False)
    backbone = model.eval().backbone
    maps = list(backbone.body(probe.image).values())
    # torchvision adds one more level, subsampled from the last.
    pyramid = list(backbone(probe.image).values())[: len(LEVELS)]
    head = {"head": model.roi_heads.box_head(probe.rois)}
    return name_levels("C", maps) | name_levels("P", pyramid) | head


@torch.inference_mode()
def run_torchvision_resnet(path: Path, detector: DetectorConfig, probe: ProbeInput) -> Features:
    """Load a converted file into torchvision's ResNet, except the classifier; run it."""
    model, weights = torchvision.models.get_model(detector.backbone, weights=None), load_file(path)
    check_state_dict("torchvision's ResNet", model.state_dict(), weights, fresh=("fc.",))
    model.load_state_dict(weights, strict=False)
    stages = {f"layer{level - 1}": f"C{level}" for level in LEVELS}
    return dict(create_feature_extractor(model.eval(), stages)(probe.image))


@torch.inference_mode()
def run_timm(path: Path, detector: DetectorConfig, probe: ProbeInput) -> Features:
    """Load a converted file into timm's ResNet with timm's own loader; run it."""
    try:
        import timm
    except ImportError:
        raise UserError(
            "convert.timm_missing",
            "timm, which verifies the converted file, is not installed; run `make install`.",
        ) from None
    model = timm.create_model(detector.backbone, pretrained=False, num_classes=0)
    check_state_dict("timm's ResNet", model.state_dict(), load_file(path))
    timm.models.load_checkpoint(model, str(path), strict=True)
    # timm's index 0 is the stem.
    maps = model.eval().forward_intermediates(
        probe.image, indices=[1, 2, 3, 4], intermediates_only=True
    )
    return name_levels("C", maps)


def match_mmdetection(path: Path, detector: DetectorConfig, probe: ProbeInput) -> Features:
    """Compare a converted file with the names and shapes of mmdetection, which is not installed.

    Returns:
        An empty dictionary: no features are computed.
    """
    content = torch.load(path, map_location="cpu", weights_only=True)
    needed = mmdetection_tensors(detector)
    check_state_dict("mmdetection's Mask R-CNN", needed, content["state_dict"])
    return {}


def mmdetection_tensors(detector: DetectorConfig) -> dict[str, Tensor]:
    """The tensors of mmdetection's modules that pretraining fills, without values.

    They belong to `ResNet` (style pytorch), `FPN` with norms, and the shared layers of
    `ConvFCBBoxHead` with norms. The names come from the modules' own naming (a `ConvModule` has
    `conv` and `bn`) and not from our table, so that they check the table.
    """
    with torch.device("meta"):
        resnet = torchvision.models.get_model(detector.backbone, weights=None)
        tensors = {
            f"backbone.{name}": value
            for name, value in resnet.state_dict().items()
            if not name.startswith("fc.")
        }
        channels, width = detector.fpn_channels, detector.head_channels
        for entry, inputs in enumerate(channels_of(resnet)):
            tensors |= _conv_module(f"neck.lateral_convs.{entry}", inputs, channels, 1)
            tensors |= _conv_module(f"neck.fpn_convs.{entry}", channels, channels, 3)
        head = "roi_head.bbox_head.shared"
        for number in range(detector.head_convs):
            inputs = width if number else channels
            tensors |= _conv_module(f"{head}_convs.{number}", inputs, width, 3)
        layer = nn.Linear(width * ROI_SIDE**2, detector.head_fc)
        return tensors | dict(_prefixed(f"{head}_fcs.0", layer))


def _conv_module(name: str, inputs: int, outputs: int, kernel: int) -> dict[str, Tensor]:
    # A ConvModule with a norm has no bias.
    conv = nn.Conv2d(inputs, outputs, kernel, bias=False)
    norm = nn.BatchNorm2d(outputs)
    return dict([*_prefixed(f"{name}.conv", conv), *_prefixed(f"{name}.bn", norm)])


def _prefixed(prefix: str, module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, value in module.state_dict().items():
        yield f"{prefix}.{name}", value
