"""The detector and its training protocol, as a detectron2 configuration made from ours.

It is Mask R-CNN as the paper fine-tunes it: batch norm over all processes everywhere, nothing
frozen, images as RGB.
"""

from typing import Any

import detectron2
import torch
from detectron2.config import CfgNode, get_cfg

from soco.config import DetectorConfig, FinetuneConfig
from soco.config.presets import changed
from soco.transfer.detect.architectures import set_c4, set_fpn
from soco.transfer.detect.schedule import schedule_of

PIXEL_MEAN = [123.675, 116.280, 103.530]
PIXEL_STD = [58.395, 57.120, 57.375]


def norm_of(processes: int, device: str) -> str:
    """detectron2's name of a batch norm that takes its statistics over all processes.

    PyTorch's own works between GPUs alone; detectron2's naive one works elsewhere, and weights each
    process by its boxes, of which there may be none. In one process all are the same.
    """
    return "naiveSyncBN_N" if processes > 1 and device == "cpu" else "SyncBN"


def build_config(
    settings: FinetuneConfig,
    detector: DetectorConfig,
    classes: int,
    rle: bool,
    seed: int,
    processes: int = 1,
) -> CfgNode:
    """Make detectron2's configuration of one fine-tuning; data sets, weights and output folder are
    left to the caller.

    Args:
        settings: The protocol.
        detector: Sizes of the detector, those that were pretrained.
        classes: Object classes, background aside.
        rle: Whether the training masks include run-length ones, which detectron2 must be told.
        seed: Of the shuffling, the augmentation and the fresh weights.
        processes: That train together; on one machine with GPUs, one for each.
    """
    cfg = get_cfg()
    cfg.SEED = seed
    cfg.MODEL.DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
    norm = norm_of(processes, cfg.MODEL.DEVICE)
    _set_resnet(cfg, detector, norm)
    if settings.architecture == "fpn":
        set_fpn(cfg, settings, detector, norm)
    else:
        set_c4(cfg, settings, detector)
    cfg.MODEL.MASK_ON = True
    cfg.MODEL.ROI_HEADS.NUM_CLASSES = classes
    cfg.MODEL.ROI_HEADS.BATCH_SIZE_PER_IMAGE = settings.rois_per_image
    cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = settings.score_threshold
    _set_images(cfg, settings, rle)
    _set_solver(cfg, settings)
    return cfg


def describe_run(
    settings: FinetuneConfig, detector: DetectorConfig, processes: int, seed: int
) -> dict[str, Any]:
    """The protocol as it is run, in plain values: what an AP must be read with.

    Args:
        settings: The protocol as it is configured.
        detector: Sizes of the detector.
        processes: That train together.
        seed: Of this training.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    run = schedule_of(settings)
    fpn_head = f"{detector.head_convs} conv + 1 fc"
    return {
        "name": settings.protocol,
        "changed": changed(settings.model_dump(mode="json")),
        "architecture": settings.architecture,
        "head": fpn_head if settings.architecture == "fpn" else "res5 + norm",
        "norm": (
            f"{norm_of(processes, device)} over {processes} process{'es' if processes > 1 else ''}"
        ),
        "batch_size": run.batch_size,
        "base_lr": run.base_lr,
        "iterations": run.iterations,
        "steps": list(run.steps),
        "warmup_iterations": run.warmup_iterations,
        "weight_decay": settings.weight_decay,
        "short_sides": list(settings.short_sides),
        "max_long_side": settings.max_long_side,
        "rois_per_image": settings.rois_per_image,
        "repeat_threshold": settings.repeat_threshold,
        "precise_bn_batches": settings.precise_bn_batches,
        "processes": processes,
        "device": device,
        "detectron2": detectron2.__version__,
        "torch": torch.__version__,
        "seed": seed,
    }


def _set_resnet(cfg: CfgNode, detector: DetectorConfig, norm: str) -> None:
    depth = int(detector.backbone.removeprefix("resnet"))
    cfg.MODEL.PIXEL_MEAN, cfg.MODEL.PIXEL_STD = PIXEL_MEAN, PIXEL_STD
    cfg.MODEL.BACKBONE.FREEZE_AT = 0
    cfg.MODEL.RESNETS.DEPTH = depth
    cfg.MODEL.RESNETS.NORM = norm
    cfg.MODEL.RESNETS.STRIDE_IN_1X1 = (
        False  # torchvision's ResNet, which was pretrained, strides in the 3x3
    )
    cfg.MODEL.RESNETS.RES2_OUT_CHANNELS = 64 if depth < 50 else 256


def _set_images(cfg: CfgNode, settings: FinetuneConfig, rle: bool) -> None:
    cfg.INPUT.FORMAT = "RGB"
    cfg.INPUT.MIN_SIZE_TRAIN = settings.short_sides
    cfg.INPUT.MIN_SIZE_TEST = settings.test_short_side
    cfg.INPUT.MAX_SIZE_TRAIN = cfg.INPUT.MAX_SIZE_TEST = settings.max_long_side
    cfg.INPUT.MASK_FORMAT = "bitmask" if rle else "polygon"
    cfg.DATALOADER.NUM_WORKERS = settings.workers
    if settings.repeat_threshold > 0:
        cfg.DATALOADER.SAMPLER_TRAIN = "RepeatFactorTrainingSampler"
        cfg.DATALOADER.REPEAT_THRESHOLD = settings.repeat_threshold
    cfg.TEST.DETECTIONS_PER_IMAGE = settings.detections_per_image


def _set_solver(cfg: CfgNode, settings: FinetuneConfig) -> None:
    run = schedule_of(settings)
    cfg.SOLVER.IMS_PER_BATCH = run.batch_size
    cfg.SOLVER.BASE_LR = run.base_lr
    cfg.SOLVER.MAX_ITER = run.iterations
    cfg.SOLVER.STEPS = run.steps
    cfg.SOLVER.WARMUP_ITERS = run.warmup_iterations
    cfg.SOLVER.WEIGHT_DECAY = settings.weight_decay
    cfg.SOLVER.CHECKPOINT_PERIOD = settings.checkpoint_iterations
    cfg.TEST.EVAL_PERIOD = settings.evaluate_every
    # Not ENABLED, which has detectron2 load the training set for a hook of its own: trainer.py has
    # one.
    cfg.TEST.PRECISE_BN.NUM_ITER = settings.precise_bn_batches
