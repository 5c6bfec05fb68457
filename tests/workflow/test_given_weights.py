import json
import shutil

import pytest
import torch
import torchvision


@pytest.fixture
def supervised(workflow):
    """The workflow with a supervised ResNet as a second initialisation."""
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18().state_dict(), workflow.folder / "resnet18.pth")
    workflow.overlay["weights"] = {"supervised": {"path": "resnet18.pth"}}
    workflow.overlay["finetune"]["shapes_coco"]["initialisations"] = ["supervised", "soco"]
    return workflow


def test_a_given_file_is_converted_and_initialises_a_detector(supervised):
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


def test_a_missing_part_of_a_given_file_is_reported(supervised):
    supervised.overlay["weights"]["supervised"]["holds"] = "detector"
    printed = supervised("results/convert/supervised/detectron2_fpn_head.pkl", succeeds=False)
    assert "no neck and no head" in printed
    assert "`holds: resnet`" in printed


def test_a_probe_on_ones_own_folder_is_planned(workflow, folder_of_images):
    mine = {
        "train": str(folder_of_images),
        "val": str(folder_of_images),
        "initialisations": ["scratch"],
    }
    workflow.overlay["probes"] = {"shapes": None, "mine": mine}
    assert workflow.would_run("probes") - {"probes"} == {"probe_backbone"}
    mine["val"] = "absent"
    printed = workflow("probes", succeeds=False)
    assert "probes.mine.val" in printed


def test_a_missing_given_file_is_reported_before_anything_runs(supervised):
    supervised.overlay["weights"]["supervised"]["path"] = "absent.pth"
    printed = supervised("all", succeeds=False)
    assert "weights.supervised.path" in printed
    assert not supervised.path().exists()


@pytest.mark.slow
def test_an_added_image_is_probed_again(workflow, folder_of_images):
    (folder_of_images / "e_empty.jpg").unlink()
    (folder_of_images / "f_cut.jpg").unlink()
    torch.save(torchvision.models.resnet18().state_dict(), workflow.folder / "given.pth")
    workflow.overlay["weights"] = {"given": {"path": "given.pth"}}
    mine = {key: str(folder_of_images) for key in ("train", "val")}
    sizes = {"short_side": 32, "crop": 32, "epochs": 1, "base_lrs": [0.1], "workers": 0}
    workflow.overlay["probes"] = {
        "shapes": None,
        "mine": {**mine, **sizes, "initialisations": ["scratch", "given"]},
    }
    workflow("probes")
    assert workflow.ran - {"probes"} == {"probe_backbone"}
    found = [
        json.loads(workflow.path("probe/mine", name, "metrics.json").read_text())
        for name in ("scratch", "given")
    ]
    assert [each["images"] for each in found] == [{"train": 4, "val": 4}] * 2
    assert workflow.would_run("probes") - {"probes"} == set()
    shutil.copy(folder_of_images / "d.bmp", folder_of_images / "c" / "new.bmp")
    assert workflow.would_run("probes") - {"probes"} == {"probe_backbone"}
