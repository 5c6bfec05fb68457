"""torchvision's Mask R-CNN of the form that was pretrained.

Norms in FPN and box head, convolutions in the latter.
"""

from pathlib import Path

import torch
import torchvision
from safetensors.torch import load_file
from torch import nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead, FastRCNNPredictor
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor

from soco.config import DetectorConfig
from soco.pretrain.model.encoder import channels_of
from soco.pretrain.model.heads import ROI_SIDE
from soco.transfer.convert.features import LEVELS, Features, Probe, named
from soco.transfer.convert.state_dicts import check_state_dict

FRESH = ("rpn.", "roi_heads.box_predictor.", "roi_heads.mask_head.", "roi_heads.mask_predictor.")
"""What the names of tensors begin with that pretraining does not make."""


def torchvision_detector(detector: DetectorConfig, classes: int) -> MaskRCNN:
    """Make torchvision's Mask R-CNN with freshly drawn weights; a converted file fills backbone,
    FPN and box head.

    With the paper's sizes these are the parts of
    `torchvision.models.detection.maskrcnn_resnet50_fpn_v2`, which takes the same file. Norms are
    `BatchNorm2d`; to train on several GPUs, convert them to `SyncBatchNorm`.

    Args:
        detector: Sizes of the detector, those that were pretrained.
        classes: Object classes, background aside; torchvision counts it as class 0.
    """
    norm = nn.BatchNorm2d
    resnet = torchvision.models.get_model(detector.backbone, weights=None)
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
        mask_head=MaskRCNNHeads(channels, [width] * 4, 1, norm_layer=norm),
        mask_predictor=MaskRCNNPredictor(width, width, classes + 1),
    )


@torch.inference_mode()
def run_in_torchvision(path: Path, detector: DetectorConfig, probe: Probe) -> Features:
    """Load a converted file into torchvision's Mask R-CNN, and run its backbone, FPN and box head."""
    model, weights = torchvision_detector(detector, classes=1), load_file(path)
    check_state_dict("torchvision's Mask R-CNN", model.state_dict(), weights, FRESH)
    model.load_state_dict(weights, strict=False)
    backbone = model.eval().backbone
    maps = list(backbone.body(probe.image).values())
    pyramid = list(backbone(probe.image).values())[
        : len(LEVELS)
    ]  # then one more, subsampled from the last
    return named("C", maps) | named("P", pyramid) | {"head": model.roi_heads.box_head(probe.rois)}
