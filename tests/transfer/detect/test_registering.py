from pathlib import Path

import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog

from soco.transfer.detect.annotations import read_split
from soco.transfer.detect.datasets import register
from soco.transfer.detect.mapper import ImageMapper
from soco.transfer.detect.protocol import build_config


@pytest.mark.parametrize("form", ["coco", "lvis"])
def test_ids_with_gaps_become_classes_without(datasets, form):
    name = register(read_split(datasets[form].train), form)
    records = DatasetCatalog.get(name)
    assert [entry["category_id"] for entry in records[0]["annotations"]] == [0, 1, 2]
    assert MetadataCatalog.get(name).thing_classes == ["disc", "square", "triangle"]
    assert MetadataCatalog.get(name).thing_dataset_id_to_contiguous_id == {2: 0, 5: 1, 9: 2}


def test_lvis_images_are_found_by_their_url(datasets, tiny):
    records = DatasetCatalog.get(register(read_split(datasets["lvis"].train), "lvis"))
    assert len(records) == 6
    assert all(Path(record["file_name"]).parent == tiny / "train2017" for record in records)
    assert all(Path(record["file_name"]).is_file() for record in records)


def test_both_kinds_of_mask_reach_the_detector(datasets, settings, detector):
    areas = {}
    for key in ("coco", "rle"):
        split = read_split(datasets[key].train)
        cfg = build_config(settings, detector, 3, split.rle, seed=1)
        cfg.INPUT.RANDOM_FLIP = "none"
        record = DatasetCatalog.get(register(split, "coco"))[0]
        masks = ImageMapper(cfg, True)(record)["instances"].gt_masks
        areas[key] = masks.area() if key == "coco" else masks.tensor.flatten(1).sum(1)
    assert torch.allclose(torch.as_tensor(areas["coco"]).double(), areas["rle"].double(), rtol=0.2)
