import pickle

import numpy as np
import pytest
import torch
from detectron2.checkpoint import DetectionCheckpointer
from detectron2.modeling import build_model
from user_errors import refused

from soco.transfer.convert import convert_state, write_detectron2
from soco.transfer.detect.detectron2_config import build_config
from soco.transfer.detect.loading_report import check_all_used, describe, loading_report

CARRIED = ("backbone.bottom_up.", "backbone.fpn_", "roi_heads.box_head.")
FRESH = ("proposal_generator.", "roi_heads.box_predictor.", "roi_heads.mask_head.")


@pytest.fixture
def model(settings, detector):
    torch.manual_seed(3)
    cfg = build_config(settings, detector, 3, rle=False, seed=1)
    cfg.MODEL.DEVICE = "cpu"
    return build_model(cfg)


def test_exactly_backbone_fpn_and_box_head_are_loaded(model, converted, pretrained):
    DetectionCheckpointer(model).load(str(converted))
    report = loading_report(model, converted)
    names = set(model.state_dict())
    assert set(report["taken_names"]) == {name for name in names if name.startswith(CARRIED)}
    assert set(report["fresh_names"]) == {name for name in names if name.startswith(FRESH)}
    assert set(report["taken_names"]) | set(report["fresh_names"]) == names
    assert report["unused_names"] == []
    assert report["taken"] == {
        "tensors": len(pretrained),
        "numbers": sum(value.numel() for value in pretrained.values()),
    }
    described = describe(report)
    assert f"{len(pretrained)} of the detector's {len(names)} tensors" in described
    assert all(name in described for name in report["fresh_names"])


def test_a_c4_file_fills_only_the_backbone(model, pretrained, tmp_path):
    write_detectron2(tmp_path / "c4.pkl", convert_state(pretrained, "detectron2_c4"))
    DetectionCheckpointer(model).load(str(tmp_path / "c4.pkl"))
    report = loading_report(model, tmp_path / "c4.pkl")
    assert report["taken_names"]
    assert all(name.startswith("backbone.bottom_up.") for name in report["taken_names"])
    assert not any(name.startswith("backbone.bottom_up.") for name in report["fresh_names"])


def test_a_changed_tensor_does_not_count_as_loaded(model, converted):
    DetectionCheckpointer(model).load(str(converted))
    with torch.no_grad():
        model.backbone.fpn_output4.weight[0, 0, 0, 0] += 1
    report = loading_report(model, converted)
    assert "backbone.fpn_output4.weight" in report["fresh_names"]
    assert report["unused_names"] == ["fpn_output4.weight"]


def test_a_file_with_unused_tensors_is_refused(model, tmp_path):
    write_detectron2(tmp_path / "odd.pkl", {"stem.conv1.weight": np.zeros((1, 1), np.float32)})
    with refused("detect.unused_weights", count=1, first="stem.conv1.weight"):
        check_all_used(loading_report(model, tmp_path / "odd.pkl"))


def test_scratch_is_all_fresh(model):
    report = loading_report(model, None)
    assert report["weights"] is None
    assert report["fresh"]["tensors"] == len(model.state_dict())
    assert "from scratch" in describe(report)


def test_the_backbone_computes_what_was_pretrained(model, converted, encoder):
    DetectionCheckpointer(model).load(str(converted))
    images = torch.randn(2, 3, 96, 64)
    with torch.no_grad():
        ours = torch.nn.Sequential(*list(encoder.children())[:5])(images)
        features = {"res2": ours, "res3": encoder.layer2(ours)}
        features["res4"] = encoder.layer3(features["res3"])
        features["res5"] = encoder.layer4(features["res4"])
        # torchvision's memory format, so that both round alike.
        theirs = model.to(memory_format=torch.contiguous_format).eval().backbone.bottom_up(images)
    for level, feature in features.items():
        torch.testing.assert_close(theirs[level], feature, rtol=1e-5, atol=1e-5)


def test_the_box_head_computes_what_was_pretrained(model, converted, pretrained, detector):
    DetectionCheckpointer(model).load(str(converted))
    pooled = torch.randn(3, detector.fpn_channels, 7, 7)
    expected = pooled
    for n in range(1, detector.head_convs + 1):
        norm = {
            key: pretrained[f"head.bn{n}.{key}"]
            for key in ("running_mean", "running_var", "weight", "bias")
        }
        convolved = torch.nn.functional.conv2d(
            expected, pretrained[f"head.conv{n}.weight"], padding=1
        )
        expected = torch.nn.functional.batch_norm(convolved, **norm).relu()
    expected = torch.nn.functional.linear(
        expected.flatten(1), pretrained["head.fc1.weight"], pretrained["head.fc1.bias"]
    ).relu()
    with torch.no_grad():
        torch.testing.assert_close(
            model.eval().roi_heads.box_head(pooled), expected, rtol=1e-4, atol=1e-4
        )


def test_every_value_is_in_the_file(converted, pretrained):
    content = pickle.loads(converted.read_bytes())["model"]
    np.testing.assert_array_equal(content["box_head.fc1.bias"], pretrained["head.fc1.bias"].numpy())
