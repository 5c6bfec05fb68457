"""Build detectron2's configuration of a detector and its training protocol from ours.

The detector is Mask R-CNN as the paper fine-tunes it: synchronised batch norm everywhere, no frozen
layers, RGB images.
"""

from typing import Any

import detectron2
import torch
from detectron2.config import CfgNode, get_cfg

from soco.config import DetectorConfig, FinetuneConfig
from soco.config.presets import changed
from soco.transfer.detect.architectures import BatchRCNN, set_c4, set_fpn
from soco.transfer.detect.schedule import schedule_of

# ImageNet's mean and deviation, as in pretraining, times 255: detectron2 has pixels of 0..255.
PIXEL_MEAN = [123.675, 116.280, 103.530]
PIXEL_STD = [58.395, 57.120, 57.375]


def norm_of(processes: int, device: str) -> str:
    """detectron2's name of a batch norm whose statistics cover all processes.

    PyTorch's SyncBN works only between GPUs. detectron2's naive one works on CPUs too, and weights
    each process by its number of boxes, which may be 0. In one process both are plain batch norm.
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
    """Build detectron2's configuration of one fine-tuning.

    The caller sets data sets, weights and output folder.

    Args:
        settings: The protocol.
        detector: Sizes of the detector, the same as in pretraining.
        classes: Object classes without background.
        rle: Whether some training masks are run-length encoded, which detectron2 needs to know.
        seed: Seed of the shuffling, the augmentation and the fresh weights.
        processes: Number of processes that train together, one per GPU.
    """
    cfg = get_cfg()
    cfg.SEED = seed
    cfg.MODEL.DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
    cfg.MODEL.META_ARCHITECTURE = BatchRCNN.__name__
    cfg.MODEL.PRECISION = settings.precision  # a key of `BatchRCNN`; detectron2's AMP needs a GPU
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
    """The protocol as it is run, in plain values; an AP means nothing without it.

    Args:
        settings: The protocol as it is configured.
        detector: Sizes of the detector.
        processes: Number of processes that train together.
        seed: Seed of this training.
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
        "rescale_convolutions": settings.rescale_convolutions,
        "precision": settings.precision,
        "processes": processes,
        "device": device,
        "detectron2": detectron2.__version__,
        "torch": torch.__version__,
        "seed": seed,
    }


def _set_resnet(cfg: CfgNode, detector: DetectorConfig, norm: str) -> None:
    depth = int(detector.backbone.removeprefix("resnet"))
    cfg.MODEL.PIXEL_MEAN, cfg.MODEL.PIXEL_STD = PIXEL_MEAN, PIXEL_STD
    # SoCo, section 4.1: all layers are fine-tuned. detectron2 freezes the stem and res2, which only
    # suits supervised weights.
    cfg.MODEL.BACKBONE.FREEZE_AT = 0
    cfg.MODEL.RESNETS.DEPTH = depth
    cfg.MODEL.RESNETS.NORM = norm
    # Pretraining uses torchvision's ResNet, which strides in the 3x3 convolution.
    cfg.MODEL.RESNETS.STRIDE_IN_1X1 = False
    # Basic blocks (depth below 50) do not expand their channels fourfold.
    cfg.MODEL.RESNETS.RES2_OUT_CHANNELS = 64 if depth < 50 else 256


def _set_images(cfg: CfgNode, settings: FinetuneConfig, rle: bool) -> None:
    cfg.INPUT.FORMAT = "RGB"  # as in pretraining; detectron2's default is BGR
    cfg.INPUT.MIN_SIZE_TRAIN = settings.short_sides
    cfg.INPUT.MIN_SIZE_TEST = settings.test_short_side
    cfg.INPUT.MAX_SIZE_TRAIN = cfg.INPUT.MAX_SIZE_TEST = settings.max_long_side
    # Only bitmasks take run lengths; polygons need less memory and are cropped exactly.
    cfg.INPUT.MASK_FORMAT = "bitmask" if rle else "polygon"
    cfg.DATALOADER.NUM_WORKERS = settings.workers
    if settings.repeat_threshold > 0:  # LVIS: images of rare categories are repeated
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
    # Not ENABLED: detectron2 would load the training set again for its hook; trainer.py has ours.
    cfg.TEST.PRECISE_BN.NUM_ITER = settings.precise_bn_batches
