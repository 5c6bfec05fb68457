"""Probes on a folder of one's own."""

import json
import shutil

import pytest
import torch
import torchvision


@pytest.mark.slow
def test_an_added_image_is_probed_anew(workflow, folder_of_images):
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
