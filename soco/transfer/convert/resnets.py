"""A plain ResNet's weights, in torchvision and in timm: both name its tensors alike."""

from pathlib import Path

import torch
import torchvision
from safetensors.torch import load_file
from torchvision.models.feature_extraction import create_feature_extractor

from soco.config import DetectorConfig
from soco.errors import UserError
from soco.transfer.convert.features import LEVELS, Features, Probe, named
from soco.transfer.convert.state_dicts import check_state_dict


@torch.inference_mode()
def run_in_torchvision(path: Path, detector: DetectorConfig, probe: Probe) -> Features:
    """Load a converted file into torchvision's ResNet, whose classifier starts fresh, and run it."""
    model, weights = torchvision.models.get_model(detector.backbone, weights=None), load_file(path)
    check_state_dict("torchvision's ResNet", model.state_dict(), weights, fresh=("fc.",))
    model.load_state_dict(weights, strict=False)
    stages = {f"layer{level - 1}": f"C{level}" for level in LEVELS}
    return dict(create_feature_extractor(model.eval(), stages)(probe.image))


@torch.inference_mode()
def run_in_timm(path: Path, detector: DetectorConfig, probe: Probe) -> Features:
    """Load a converted file into timm's ResNet without a classifier, by timm's own reader, and run it."""
    try:
        import timm
    except ImportError:
        raise UserError(
            "timm, in which the result is tried, is not installed; run `make install`."
        ) from None
    model = timm.create_model(detector.backbone, pretrained=False, num_classes=0)
    check_state_dict("timm's ResNet", model.state_dict(), load_file(path))
    timm.models.load_checkpoint(model, str(path), strict=True)
    return named(
        "C",
        model.eval().forward_intermediates(
            probe.image, indices=[1, 2, 3, 4], intermediates_only=True
        ),
    )
