import json

import pytest
import torch
import torchvision


@pytest.fixture
def supervised(workflow):
    """The workflow with a supervised ResNet to start from beside its pretraining."""
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18().state_dict(), workflow.folder / "resnet18.pth")
    workflow.overlay["weights"] = {"supervised": {"path": "resnet18.pth"}}
    workflow.overlay["finetune"]["shapes_coco"]["initialisations"] = ["supervised", "soco"]
    return workflow


def test_a_given_file_is_converted_and_starts_a_detector(supervised):
    target = "results/finetune/shapes_coco/supervised/seed_1/weights.pth"
    supervised(target)
    assert "pretrain_model" not in supervised.ran
    summary = json.loads(supervised.path("convert", "supervised", "detectron2_c4.json").read_text())
    assert summary["left_behind"].keys() == {"classifier.weight", "classifier.bias"}
    loading = json.loads(
        supervised.path(
            "finetune", "shapes_coco", "supervised", "seed_1", "loading.json"
        ).read_text()
    )
    assert loading["taken"]["tensors"] == summary["converted"]
    assert all(name.startswith("backbone.bottom_up.") for name in loading["taken_names"])
    assert not [name for name in loading["fresh_names"] if name.startswith("backbone.bottom_up.")]


def test_what_a_given_file_does_not_hold_is_told(supervised):
    supervised.overlay["weights"]["supervised"]["holds"] = "detector"
    printed = supervised("results/convert/supervised/detectron2_fpn_head.pkl", succeeds=False)
    assert "hold no neck and no head" in printed
    assert "set `holds: resnet` for this file in `weights`" in printed


def test_a_probe_on_a_folder_of_ones_own_is_planned(workflow, folder_of_images):
    mine = {
        "train": str(folder_of_images),
        "val": str(folder_of_images),
        "initialisations": ["scratch"],
    }
    workflow.overlay["probes"] = {"shapes": None, "mine": mine}
    assert workflow.would_run("probes") - {"probes"} == {"probe_backbone"}
    mine["val"] = "absent"
    printed = workflow("probes", succeeds=False)
    assert "There is no absent (key probes.mine.val)" in printed


def test_a_given_file_that_is_not_there_is_told_before_anything_starts(supervised):
    supervised.overlay["weights"]["supervised"]["path"] = "absent.pth"
    printed = supervised("all", succeeds=False)
    assert "There is no absent.pth (key weights.supervised.path)" in printed
    assert not supervised.path().exists()
