import json
from pathlib import Path

import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog

from soco.config import DatasetConfig
from soco.data.checks import check_dataset, with_annotations
from soco.transfer.detect.annotations import read_dataset, read_split
from soco.transfer.detect.datasets import register
from soco.transfer.detect.detectron2_config import build_config
from soco.transfer.detect.mapper import ImageMapper


@pytest.mark.parametrize("form", ["coco", "lvis"])
def test_ids_with_gaps_become_consecutive_classes(datasets, form):
    name = register(read_split(datasets[form].train), form)
    records = DatasetCatalog.get(name)
    assert [entry["category_id"] for entry in records[0]["annotations"]] == [0, 1, 2]
    assert MetadataCatalog.get(name).thing_classes == ["disc", "square", "triangle"]
    assert MetadataCatalog.get(name).thing_dataset_id_to_contiguous_id == {2: 0, 5: 1, 9: 2}


def test_lvis_images_are_located_by_their_url(datasets, tiny):
    records = DatasetCatalog.get(register(read_split(datasets["lvis"].train), "lvis"))
    assert len(records) == 6
    assert all(Path(record["file_name"]).parent == tiny / "train2017" for record in records)
    assert all(Path(record["file_name"]).is_file() for record in records)


def test_polygons_and_run_lengths_give_the_same_masks(datasets, settings, detector):
    areas = {}
    for key in ("coco", "rle"):
        split = read_split(datasets[key].train)
        cfg = build_config(settings, detector, 3, split.rle, seed=1)
        cfg.INPUT.RANDOM_FLIP = "none"
        record = DatasetCatalog.get(register(split, "coco"))[0]
        masks = ImageMapper(cfg, True)(record)["instances"].gt_masks
        areas[key] = masks.area() if key == "coco" else masks.tensor.flatten(1).sum(1)
    assert torch.allclose(torch.as_tensor(areas["coco"]).double(), areas["rle"].double(), rtol=0.2)


FAULTS = [
    {"id": 0, "image_id": "1"},
    {"bbox": [float("nan"), 0, 1, 1]},
    {"bbox": [-20, 10, 200, 30]},
    {"segmentation": [10, 10, 30, 10, 30, 30]},
    {"segmentation": {"size": [64, 64], "counts": [700, 20, 44, 20, 3312]}, "area": None},
    {"iscrowd": None, "id": 2},
    {"ignore": 1},
    {"segmentation": [[1, 2], [10, 10, 30, 10, 30, 30]]},
]


@pytest.fixture
def faulty(tiny, tmp_path):
    """The tiny set with a fault in each of its first objects, in both splits."""
    content = json.loads((tiny / "coco.json").read_text())
    for entry, fault in zip(content["annotations"], FAULTS, strict=False):
        entry |= fault
    content["images"][3].pop("width")
    (tmp_path / "faulty.json").write_text(json.dumps(content))
    split = {"images": str(tiny / "train2017"), "annotations": str(tmp_path / "faulty.json")}
    return DatasetConfig(train=split, val=split)


@pytest.fixture
def load(settings, detector):
    """Load a set as training does: the objects of every image, as tensors."""

    def loaded(dataset):
        train, _ = read_dataset(dataset)
        cfg = build_config(settings, detector, len(train.classes), train.rle, seed=1)
        mapper = ImageMapper(cfg, True)
        return [
            mapper(record)["instances"] for record in DatasetCatalog.get(register(train, "coco"))
        ]

    return loaded


def test_detectron2_fails_on_the_faults_and_loads_the_repaired_copy(faulty, load, tmp_path):
    with pytest.raises(Exception):  # noqa: B017 - whichever fault comes first
        load(faulty)
    checked = check_dataset(faulty)
    checked.write(tmp_path / "train.json", tmp_path / "val.json", tmp_path / "findings.json")
    objects = load(with_annotations(faulty, tmp_path / "val.json", tmp_path / "train.json"))
    # The object with `ignore` became a crowd region, which is not trained on.
    assert sum(map(len, objects)) == 18 - 1
    assert all(len(instances.gt_masks) == len(instances) for instances in objects)
