import re

import pytest
import torch
import torchvision
from safetensors.torch import load_file

from soco.cli import main
from soco.transfer.convert import TARGETS, convert_state


@pytest.fixture
def blocks(repository):
    """The page's Python blocks by section."""
    page = (repository / "docs" / "conversion.md").read_text()
    sections = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    return {
        section.split("\n")[0]: re.findall(r"```python\n(.*?)```", section, re.DOTALL)
        for section in sections
    }


@pytest.fixture
def here(tmp_path, monkeypatch, paper):
    """A working folder with the converted files that the page loads."""
    monkeypatch.chdir(tmp_path)
    for name, target in [
        ("soco", "torchvision"),
        ("soco", "detectron2"),
        ("resnet", "torchvision_resnet"),
        ("timm", "timm"),
    ]:
        TARGETS[target].write(
            tmp_path / f"{name}{TARGETS[target].suffix}", convert_state(paper, target)
        )
    return tmp_path


def run(block):
    names = {}
    exec(compile(block, "docs/conversion.md", "exec"), names)
    return names


def test_the_page_lists_every_target(repository, blocks):
    page = (repository / "docs" / "conversion.md").read_text()
    for name, target in TARGETS.items():
        assert f"| `{name}` | `{target.suffix}` |" in page
    assert {section: len(found) for section, found in blocks.items() if found} == {
        "detectron2": 1,
        "torchvision": 2,
        "timm": 1,
    }


def test_torchvision_takes_the_file(blocks, here, paper, capsys):
    detector = run(blocks["torchvision"][0])["detector"]
    assert torch.equal(detector.roi_heads.box_head[5].bias, paper["head.fc1.bias"])
    assert "roi_heads.box_predictor.cls_score.weight" in capsys.readouterr().out
    own = torchvision.models.detection.maskrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None)
    assert own.load_state_dict(load_file("soco.safetensors"), strict=False).unexpected_keys == []
    resnet = run(blocks["torchvision"][1])["resnet"]
    assert torch.equal(resnet.layer4[2].bn3.running_var, paper["encoder.layer4.2.bn3.running_var"])
    assert "['fc.weight', 'fc.bias']" in capsys.readouterr().out


def test_timm_takes_the_file(blocks, here, installed, paper):
    installed("timm")
    resnet = run(blocks["timm"][0])["resnet"]
    assert torch.equal(resnet.layer4[2].bn3.running_var, paper["encoder.layer4.2.bn3.running_var"])


def test_detectron2_takes_the_file(blocks, here, installed):
    installed("detectron2")
    from detectron2.checkpoint import DetectionCheckpointer
    from detectron2.modeling import build_model

    from soco.transfer.detect.loading_report import loading_report

    cfg = run(blocks["detectron2"][0])["cfg"]
    cfg.MODEL.DEVICE = "cpu"
    model = build_model(cfg)
    DetectionCheckpointer(model).load(cfg.MODEL.WEIGHTS)
    report = loading_report(model, here / "soco.pkl")
    assert report["taken"]["tensors"] == 392
    assert report["unused_names"] == []


def test_the_help_lists_every_target(capsys):
    with pytest.raises(SystemExit):
        main(["convert", "--help"])
    named = set(re.findall(r"\w+", capsys.readouterr().out))
    assert set(TARGETS) <= named


def test_the_command_converts(tmp_path, monkeypatch, weights, file_of, capsys):
    monkeypatch.chdir(tmp_path)
    assert (
        main(["convert", str(file_of(weights)), "out.safetensors", "--to", "torchvision_resnet"])
        == 0
    )
    assert "the weights compute" in capsys.readouterr().out
    assert (tmp_path / "out.safetensors").exists()
    assert (tmp_path / "out.safetensors.json").exists()
    assert main(["convert", "absent.pth", "out.safetensors", "--to", "timm"]) == 1
    assert "absent.pth" in capsys.readouterr().err
