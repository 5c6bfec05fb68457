"""The detector and its training protocol, as a detectron2 configuration made from ours.

It is Mask R-CNN on a ResNet with FPN as the paper fine-tunes it: batch norm over all processes in backbone, FPN, box
head and mask head, nothing frozen, a box head of convolutions and one fully connected layer, pictures as RGB.
"""

import torch
from detectron2.config import CfgNode, get_cfg

from soco.config.schema import DetectorConfig, FinetuneConfig

NORM = "SyncBN"
PIXEL_MEAN = [123.675, 116.280, 103.530]
PIXEL_STD = [58.395, 57.120, 57.375]
LEVELS = ["p2", "p3", "p4", "p5", "p6"]


def build_config(settings: FinetuneConfig, detector: DetectorConfig, classes: int, rle: bool, seed: int) -> CfgNode:
    """Make detectron2's configuration of one fine-tuning; data sets, weights and output folder are left to the caller.

    Args:
        settings: The protocol.
        detector: Sizes of the detector, those that were pretrained.
        classes: Object classes, background aside.
        rle: Whether the training masks include run-length ones, which detectron2 must be told.
        seed: Of the shuffling, the augmentation and the fresh weights.
    """
    cfg = get_cfg()
    cfg.SEED = seed
    cfg.MODEL.DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
    _set_backbone(cfg, detector)
    _set_proposals(cfg, settings)
    _set_heads(cfg, settings, detector, classes)
    _set_pictures(cfg, settings, rle)
    _set_solver(cfg, settings)
    return cfg


def _set_backbone(cfg: CfgNode, detector: DetectorConfig) -> None:
    depth = int(detector.backbone.removeprefix("resnet"))
    cfg.MODEL.MASK_ON = True
    cfg.MODEL.PIXEL_MEAN, cfg.MODEL.PIXEL_STD = PIXEL_MEAN, PIXEL_STD
    cfg.MODEL.BACKBONE.NAME = "build_resnet_fpn_backbone"
    cfg.MODEL.BACKBONE.FREEZE_AT = 0
    cfg.MODEL.RESNETS.DEPTH = depth
    cfg.MODEL.RESNETS.NORM = NORM
    cfg.MODEL.RESNETS.STRIDE_IN_1X1 = False  # torchvision's ResNet, which was pretrained, strides in the 3x3
    cfg.MODEL.RESNETS.RES2_OUT_CHANNELS = 64 if depth < 50 else 256
    cfg.MODEL.RESNETS.OUT_FEATURES = ["res2", "res3", "res4", "res5"]
    cfg.MODEL.FPN.IN_FEATURES = ["res2", "res3", "res4", "res5"]
    cfg.MODEL.FPN.OUT_CHANNELS = detector.fpn_channels
    cfg.MODEL.FPN.NORM = NORM


def _set_proposals(cfg: CfgNode, settings: FinetuneConfig) -> None:
    cfg.MODEL.ANCHOR_GENERATOR.SIZES = [[side] for side in settings.anchor_sizes]
    cfg.MODEL.RPN.IN_FEATURES = LEVELS
    # detectron2 trains 512 boxes of 1000 proposals, which are the best of 2000 a level (1000 when testing); a head
    # trained on fewer boxes is given proportionally fewer.
    kept = min(1000, 2 * settings.rois_per_image)
    cfg.MODEL.RPN.PRE_NMS_TOPK_TRAIN, cfg.MODEL.RPN.PRE_NMS_TOPK_TEST = 2 * kept, kept
    cfg.MODEL.RPN.POST_NMS_TOPK_TRAIN = cfg.MODEL.RPN.POST_NMS_TOPK_TEST = kept


def _set_heads(cfg: CfgNode, settings: FinetuneConfig, detector: DetectorConfig, classes: int) -> None:
    cfg.MODEL.ROI_HEADS.NAME = "StandardROIHeads"
    cfg.MODEL.ROI_HEADS.IN_FEATURES = LEVELS[:4]
    cfg.MODEL.ROI_HEADS.NUM_CLASSES = classes
    cfg.MODEL.ROI_HEADS.BATCH_SIZE_PER_IMAGE = settings.rois_per_image
    cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = settings.score_threshold
    box, mask = cfg.MODEL.ROI_BOX_HEAD, cfg.MODEL.ROI_MASK_HEAD
    box.NAME = "FastRCNNConvFCHead"
    box.NUM_CONV, box.CONV_DIM = detector.head_convs, detector.head_channels
    box.NUM_FC, box.FC_DIM = 1, detector.head_fc
    box.NORM = mask.NORM = NORM
    box.POOLER_RESOLUTION, mask.POOLER_RESOLUTION = 7, 14
    mask.NUM_CONV, mask.CONV_DIM = 4, detector.head_channels


def _set_pictures(cfg: CfgNode, settings: FinetuneConfig, rle: bool) -> None:
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
    cfg.SOLVER.IMS_PER_BATCH = settings.batch_size
    cfg.SOLVER.BASE_LR = settings.base_lr
    cfg.SOLVER.WEIGHT_DECAY = settings.weight_decay
    cfg.SOLVER.MAX_ITER = settings.iterations
    cfg.SOLVER.STEPS = tuple(step for step in settings.steps if step < settings.iterations)
    cfg.SOLVER.WARMUP_ITERS = settings.warmup_iterations
    cfg.SOLVER.CHECKPOINT_PERIOD = settings.checkpoint_iterations
    cfg.TEST.PRECISE_BN.ENABLED = settings.precise_bn_batches > 0
    cfg.TEST.PRECISE_BN.NUM_ITER = settings.precise_bn_batches
