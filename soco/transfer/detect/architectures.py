"""The paper's two detectors as detectron2 configurations: Mask R-CNN with FPN and with C4."""

from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.layers import get_norm
from detectron2.modeling import META_ARCH_REGISTRY, ROI_HEADS_REGISTRY, GeneralizedRCNN
from detectron2.modeling.roi_heads import Res5ROIHeads
from detectron2.structures import ImageList, Instances
from torch import Tensor, nn

from soco.config import DetectorConfig, FinetuneConfig
from soco.transfer.detect.masks import to_output_sizes
from soco.transfer.detect.pooling import pool_small_maps

_PYRAMID = ["p2", "p3", "p4", "p5", "p6"]
_STAGES = ["res2", "res3", "res4", "res5"]


@META_ARCH_REGISTRY.register()
class BatchRCNN(GeneralizedRCNN):
    """detectron2's Mask R-CNN with quicker ways to the same results, mostly for small images.

    Masks of a batch are pasted at once. On a CPU, RoIAlign has another way to its gradient, and
    convolutions run in channels-last memory, which they need not rearrange. Both sum in another
    order, so the bits of a training differ from detectron2's, as losses do by rounding.
    """

    def __init__(self, cfg: CfgNode) -> None:
        """Build the detector that a configuration describes, with detectron2's tensor names."""
        super().__init__(cfg)
        pool_small_maps(self)
        for part in self.modules():
            if isinstance(part, nn.SyncBatchNorm):
                part.register_forward_pre_hook(widen_empty)
        self._bf16 = cfg.MODEL.PRECISION == "bf16"
        self._format = torch.contiguous_format
        if cfg.MODEL.DEVICE == "cpu":
            self._format = torch.channels_last
            self.to(memory_format=self._format)

    def forward(self, batched_inputs: list[dict[str, Any]]) -> Any:
        """As detectron2's: the losses of a batch in training, else its detections."""
        bf16 = self._bf16 and self.training
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            return super().forward(batched_inputs)

    def preprocess_image(self, batched_inputs: list[dict[str, Any]]) -> ImageList:
        """Normalise images and pad them to one tensor, as detectron2 does."""
        images = super().preprocess_image(batched_inputs)
        images.tensor = images.tensor.contiguous(memory_format=self._format)
        return images

    def inference(
        self,
        batched_inputs: list[dict[str, Any]],
        detected_instances: list[Instances] | None = None,
        do_postprocess: bool = True,
    ) -> list[Any]:
        """Detect objects; arguments and results are those of detectron2's method."""
        found = super().inference(batched_inputs, detected_instances, do_postprocess=False)
        if not do_postprocess:
            return found
        return [{"instances": each} for each in to_output_sizes(found, batched_inputs)]


def widen_empty(norm: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
    """Turn a bf16 input without rows into float32; a forward pre-hook of synchronised norms.

    torch's SyncBatchNorm sends float32 statistics, but those of an empty input in the input's type.
    Between GPUs the messages would then differ in length, as in the mask head of a process whose
    images have no object.
    """
    (features,) = inputs
    return inputs if features.numel() else (features.float(),)


@ROI_HEADS_REGISTRY.register()
class Res5ROIHeadsExtraNorm(Res5ROIHeads):
    """The paper's C4 head, which detectron2 lacks: res5 with one more norm after it.

    The SoCo release names it in its configuration, as other projects do that fine-tune unfrozen C4
    detectors: res5 ends in a sum without a norm, and a trained norm there keeps its scale from
    drifting.
    """

    @classmethod
    def _build_res5_block(cls, cfg: CfgNode) -> tuple[nn.Sequential, int]:
        res5, channels = super()._build_res5_block(cfg)
        res5.add_module("norm", get_norm(cfg.MODEL.RESNETS.NORM, channels))
        return res5, channels


def set_fpn(cfg: CfgNode, settings: FinetuneConfig, detector: DetectorConfig, norm: str) -> None:
    """Set up the FPN, the box head (convolutions, one fully connected layer) and the mask head."""
    cfg.MODEL.BACKBONE.NAME = "build_resnet_fpn_backbone"
    cfg.MODEL.RESNETS.OUT_FEATURES = cfg.MODEL.FPN.IN_FEATURES = _STAGES
    cfg.MODEL.FPN.OUT_CHANNELS = detector.fpn_channels
    cfg.MODEL.FPN.NORM = norm
    cfg.MODEL.ANCHOR_GENERATOR.SIZES = [[side] for side in settings.anchor_sizes]
    cfg.MODEL.RPN.IN_FEATURES = _PYRAMID
    kept = _kept(settings)
    # detectron2's Base-RCNN-FPN (before suppression, for each level): 2000 and 1000, 1000 and 1000.
    _set_proposals(cfg, train=(2 * kept, kept), test=(kept, kept))
    cfg.MODEL.ROI_HEADS.NAME = "StandardROIHeads"
    cfg.MODEL.ROI_HEADS.IN_FEATURES = _PYRAMID[:4]
    box, mask = cfg.MODEL.ROI_BOX_HEAD, cfg.MODEL.ROI_MASK_HEAD
    # The head that SoCo pretrains: 4 convolutions and 1 fully connected layer in the paper.
    box.NAME = "FastRCNNConvFCHead"
    box.NUM_CONV, box.CONV_DIM = detector.head_convs, detector.head_channels
    box.NUM_FC, box.FC_DIM = 1, detector.head_fc
    box.NORM = mask.NORM = norm
    # 7 as in pretraining, 14 as in Mask R-CNN.
    box.POOLER_RESOLUTION, mask.POOLER_RESOLUTION = 7, 14
    mask.NUM_CONV, mask.CONV_DIM = 4, detector.head_channels


def set_c4(cfg: CfgNode, settings: FinetuneConfig, detector: DetectorConfig) -> None:
    """Set up one map of stride 16 for proposals and pooling, and res5 with a norm as head."""
    cfg.MODEL.BACKBONE.NAME = "build_resnet_backbone"
    cfg.MODEL.RESNETS.OUT_FEATURES = ["res4"]
    cfg.MODEL.ANCHOR_GENERATOR.SIZES = [list(settings.anchor_sizes)]
    cfg.MODEL.RPN.IN_FEATURES = cfg.MODEL.ROI_HEADS.IN_FEATURES = ["res4"]
    kept = _kept(settings)
    # detectron2's defaults, which are for one map: 12000 and 2000, 6000 and 1000.
    _set_proposals(cfg, train=(12 * kept, 2 * kept), test=(6 * kept, kept))
    # Pretraining pools C4 to 14x14 before res5, and so does this head.
    cfg.MODEL.ROI_HEADS.NAME = Res5ROIHeadsExtraNorm.__name__
    cfg.MODEL.ROI_BOX_HEAD.POOLER_RESOLUTION = 14
    mask = cfg.MODEL.ROI_MASK_HEAD
    mask.NUM_CONV, mask.CONV_DIM = 0, detector.head_channels  # the one layer has no norm


def _kept(settings: FinetuneConfig) -> int:
    """Proposals that are kept: 1000, detectron2's number, if the head trains on 512 boxes."""
    return min(1000, 2 * settings.rois_per_image)


def _set_proposals(cfg: CfgNode, train: tuple[int, int], test: tuple[int, int]) -> None:
    """Set how many proposals are kept before and after non-maximum suppression."""
    cfg.MODEL.RPN.PRE_NMS_TOPK_TRAIN, cfg.MODEL.RPN.POST_NMS_TOPK_TRAIN = train
    cfg.MODEL.RPN.PRE_NMS_TOPK_TEST, cfg.MODEL.RPN.POST_NMS_TOPK_TEST = test
