import pytest
import torch
from detectron2.modeling import build_model

from soco.config import DetectorConfig, FinetuneConfig
from soco.transfer.detect.detectron2_config import build_config
from soco.transfer.detect.rescale import lengths, normed_convolutions, rescale_convolutions


@pytest.fixture
def detector():
    sizes = DetectorConfig(
        backbone="resnet18", fpn_channels=8, head_channels=8, head_convs=2, head_fc=16
    )
    settings = FinetuneConfig(dataset="none", initialisations=("scratch",))
    torch.manual_seed(0)
    model = build_model(build_config(settings, sizes, classes=2, rle=False, seed=1))
    with torch.no_grad():
        for _, part in normed_convolutions(model):
            norm = part.norm
            norm.running_mean.normal_()
            norm.running_var.uniform_(1e-5, 2)
            norm.weight.uniform_(0.5, 1.5)
    return model


@torch.no_grad()
def features(model, training):
    torch.manual_seed(1)
    images, rois = torch.randn(3, 3, 64, 64), torch.randn(5, 8, 7, 7)
    model.train(training)
    maps = model.backbone(images)
    return [*maps.values(), model.roi_heads.box_head(rois)]


def test_rescaled_convolutions_have_the_wanted_lengths_and_the_same_features(detector):
    wanted = {
        name: length * (0.3 + 0.2 * n) for n, (name, length) in enumerate(lengths(detector).items())
    }
    before = features(detector, training=False)
    factors = rescale_convolutions(detector, wanted)
    assert min(factors.values()) == pytest.approx(0.3) and max(factors.values()) > 4
    torch.testing.assert_close(lengths(detector), wanted, rtol=1e-5, atol=0.0)
    for old, new in zip(before, features(detector, training=False), strict=True):
        assert (old - new).abs().max() <= 1e-5 * old.abs().max()


def test_batch_statistics_also_give_the_same_features(detector):
    # Only batch statistics: eps is small beside them.
    with torch.no_grad():
        for _, part in normed_convolutions(detector):
            part.norm.running_var.fill_(1.0)
    before = features(detector, training=True)
    rescale_convolutions(detector, {name: 3 * length for name, length in lengths(detector).items()})
    for old, new in zip(before, features(detector, training=True), strict=True):
        assert (old - new).abs().max() <= 1e-3 * old.abs().max()
