"""Verify a converted file in detectron2: load it, check that every tensor fits, and run it."""

from pathlib import Path

import torch
from detectron2.checkpoint import DetectionCheckpointer
from detectron2.modeling import build_backbone, build_model
from torch import Tensor, nn

from soco.config import DetectorConfig, FinetuneConfig
from soco.config.section import Architecture
from soco.transfer.convert.features import LEVELS, Features, ProbeInput, name_levels
from soco.transfer.convert.state_dicts import raise_mismatches
from soco.transfer.detect.compat import silence_loading_warnings
from soco.transfer.detect.detectron2_config import build_config
from soco.transfer.detect.loading_report import loading_report

FRESH = (
    "proposal_generator.",
    "roi_heads.box_predictor.",
    "roi_heads.mask_head.",
)
"""Prefixes of the tensors that pretraining does not make."""

_STAGES = [f"res{level}" for level in LEVELS]


@torch.inference_mode()
def run_in_detectron2(path: Path, detector: DetectorConfig, probe: ProbeInput) -> Features:
    """Load a converted file into detectron2's model, and compute its features.

    Args:
        path: A `.pkl` file that `soco.transfer.convert` wrote.
        detector: Sizes of the detector.
        probe: The image, and the input of the box head; without the latter, only the ResNet runs.

    Raises:
        UserError: Tensors are missing or unexpected.
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
        "Res5ROIHeads"  # detectron2's own: pretraining has no norm after res5
    )
    return _run_c4(_loaded(build_model(cfg), path), probe.image)


def _loaded(model: nn.Module, path: Path) -> nn.Module:
    with silence_loading_warnings():
        DetectionCheckpointer(model).load(str(path))
    report = loading_report(model, path)
    mismatches = {
        "unexpected": report["unused_names"],
        "missing": [name for name in report["fresh_names"] if not name.startswith(FRESH)],
        "that should be fresh": [name for name in report["taken_names"] if name.startswith(FRESH)],
    }
    raise_mismatches("detectron2's model", mismatches)
    # The other library computes in this memory format, too: another one rounds differently.
    return model.to(memory_format=torch.contiguous_format).eval()


def _run_fpn(model: nn.Module, image: Tensor, rois: Tensor) -> Features:
    pyramid = model.backbone(image)
    features = _run_resnet(model.backbone.bottom_up, image)
    features |= name_levels("P", [pyramid[f"p{level}"] for level in LEVELS])
    return features | {"head": model.roi_heads.box_head(rois)}


def _run_resnet(backbone: nn.Module, image: Tensor) -> Features:
    maps = backbone(image)
    return name_levels("C", [maps[stage] for stage in _STAGES])


def _run_c4(model: nn.Module, image: Tensor) -> Features:
    maps = model.backbone(image)
    c5 = model.roi_heads.res5(maps["res4"])
    return name_levels("C", [*(maps[stage] for stage in _STAGES[:-1]), c5])
