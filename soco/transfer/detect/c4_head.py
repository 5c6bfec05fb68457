"""The head of the paper's C4 detector, which detectron2 lacks: res5 with one more norm after it.

The SoCo release names it in its configuration, as others do that fine-tune unfrozen C4 detectors:
res5 ends in a sum that no norm follows, and with a trained norm there its scale cannot drift.
"""

from detectron2.config import CfgNode
from detectron2.layers import get_norm
from detectron2.modeling import ROI_HEADS_REGISTRY
from detectron2.modeling.roi_heads import Res5ROIHeads
from torch import nn


@ROI_HEADS_REGISTRY.register()
class Res5ROIHeadsExtraNorm(Res5ROIHeads):
    """detectron2's C4 head, whose res5 ends in a norm of the kind that the ResNet has."""

    @classmethod
    def _build_res5_block(cls, cfg: CfgNode) -> tuple[nn.Sequential, int]:
        res5, channels = super()._build_res5_block(cfg)
        res5.add_module("norm", get_norm(cfg.MODEL.RESNETS.NORM, channels))
        return res5, channels
