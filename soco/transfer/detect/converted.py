"""A converted file tried in detectron2.

Loaded by its checkpointer, with every tensor accounted for, and run.
"""

import logging
from pathlib import Path

import torch
from detectron2.checkpoint import DetectionCheckpointer
from detectron2.modeling import build_backbone, build_model
from torch import Tensor, nn

from soco.config import DetectorConfig, FinetuneConfig
from soco.config.section import Architecture
from soco.transfer.convert.features import LEVELS, Features, Probe, named
from soco.transfer.convert.state_dicts import refuse_leftovers
from soco.transfer.detect.loading import loading_report
from soco.transfer.detect.protocol import build_config

FRESH = (
    "proposal_generator.",
    "roi_heads.box_predictor.",
    "roi_heads.mask_head.",
)
"""What the names of tensors begin with that pretraining does not make."""

_STAGES = [f"res{level}" for level in LEVELS]


@torch.inference_mode()
def run_in_detectron2(path: Path, detector: DetectorConfig, probe: Probe) -> Features:
    """Load a converted file and compute what its weights compute: of a ResNet alone where the probe
    has no boxes.

    Args:
        path: A file that `soco.transfer.convert` wrote; its name ends in `.pkl`.
        detector: Sizes of the detector.
        probe: The image, and the pooled boxes for the box head.

    Raises:
        UserError: Tensors are left over in the file or in the model.
    """
    architecture: Architecture = "fpn" if probe.rois is not None else "c4"
    settings = FinetuneConfig(
        dataset="none", initialisations=("scratch",), architecture=architecture
    )
    cfg = build_config(settings, detector, classes=1, rle=False, seed=1)
    cfg.MODEL.DEVICE = "cpu"
    if probe.rois is not None:
        return _run_fpn(_loaded(build_model(cfg), path), probe.image, probe.rois)
    if cfg.MODEL.RESNETS.DEPTH < 50:  # detectron2's C4 head is made of bottleneck blocks
        cfg.MODEL.RESNETS.OUT_FEATURES = _STAGES
        return _run_resnet(_loaded(build_backbone(cfg), path), probe.image)
    cfg.MODEL.RESNETS.OUT_FEATURES = _STAGES[:-1]
    cfg.MODEL.ROI_HEADS.NAME = (
        "Res5ROIHeads"  # detectron2's own, whose res5 ends where the pretraining's does
    )
    return _run_c4(_loaded(build_model(cfg), path), probe.image)


def _loaded(model: nn.Module, path: Path) -> nn.Module:
    logger = logging.getLogger("fvcore.common.checkpoint")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it would warn of what is to start fresh
    try:
        DetectionCheckpointer(model).load(str(path))
    finally:
        logger.setLevel(level)
    report = loading_report(model, path)
    missing = [name for name in report["fresh_names"] if not name.startswith(FRESH)]
    odd = [name for name in report["taken_names"] if name.startswith(FRESH)]
    wrong = {"without a place": report["unused_names"], "missing": missing, "not to be given": odd}
    refuse_leftovers("detectron2's model", wrong)
    return model.eval()


def _run_fpn(model: nn.Module, image: Tensor, rois: Tensor) -> Features:
    pyramid = model.backbone(image)
    features = _run_resnet(model.backbone.bottom_up, image) | named(
        "P", [pyramid[f"p{level}"] for level in LEVELS]
    )
    return features | {"head": model.roi_heads.box_head(rois)}


def _run_resnet(backbone: nn.Module, image: Tensor) -> Features:
    maps = backbone(image)
    return named("C", [maps[stage] for stage in _STAGES])


def _run_c4(model: nn.Module, image: Tensor) -> Features:
    maps = model.backbone(image)
    return named(
        "C", [*(maps[stage] for stage in _STAGES[:-1]), model.roi_heads.res5(maps["res4"])]
    )
