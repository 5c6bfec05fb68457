import math

import pytest
from detectron2.modeling import build_model as build_detector

from soco.config import DetectorConfig, FinetuneConfig
from soco.pretrain.model import build_model
from soco.transfer.convert.names import translated
from soco.transfer.detect.detectron2_config import build_config


@pytest.mark.parametrize("draw", ["release", "detectron2"])
def test_drawn_as_detectron2_all_weights_have_its_lengths(draw, tiny_recipe):
    """The other draw has other lengths, so the comparison can fail."""
    sizes = DetectorConfig(
        backbone="resnet18", fpn_channels=32, head_channels=32, head_convs=2, head_fc=64
    )
    model = build_model(tiny_recipe.model_copy(update={"fresh_weights": draw}), sizes, seed=1)
    settings = FinetuneConfig(dataset="none", initialisations=("scratch",))
    theirs = build_detector(build_config(settings, sizes, classes=1, rle=False, seed=1))
    drawn = {name: float(p.detach().norm()) for name, p in theirs.named_parameters()}
    others = set()
    for name, p in model.named_parameters():
        # detectron2's checkpointer adds the prefixes.
        ending = f".{translated(name, 'ours', 'detectron2')}"
        for length in (drawn[full] for full in drawn if full.endswith(ending)):
            if not math.isclose(float(p.detach().norm()), length, rel_tol=0.1, abs_tol=1e-6):
                others.add(name)
    if draw == "detectron2":
        assert not others
    else:
        assert {"encoder.layer1.0.bn2.weight", "head.conv1.weight"} < others
