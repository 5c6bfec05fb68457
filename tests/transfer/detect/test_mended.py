import json

import pytest
from detectron2.data import DatasetCatalog

from soco.config import DatasetConfig
from soco.data.checks import check_dataset, with_annotations
from soco.transfer.detect.annotations import read_dataset
from soco.transfer.detect.datasets import register
from soco.transfer.detect.mapper import ImageMapper
from soco.transfer.detect.protocol import build_config

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
    """The tiny set with a fault in each of its first objects, in both halves."""
    content = json.loads((tiny / "coco.json").read_text())
    for entry, fault in zip(content["annotations"], FAULTS, strict=False):
        entry |= fault
    content["images"][3].pop("width")
    (tmp_path / "faulty.json").write_text(json.dumps(content))
    half = {"images": str(tiny / "train2017"), "annotations": str(tmp_path / "faulty.json")}
    return DatasetConfig(train=half, val=half)


@pytest.fixture
def load(settings, detector):
    """What training makes of a set: the objects of every image, as tensors."""

    def loaded(dataset):
        train, _ = read_dataset(dataset)
        cfg = build_config(settings, detector, len(train.classes), train.rle, seed=1)
        mapper = ImageMapper(cfg, True)
        return [
            mapper(record)["instances"] for record in DatasetCatalog.get(register(train, "coco"))
        ]

    return loaded


def test_detectron2_stops_at_the_faults_and_takes_the_mended_copy(faulty, load, tmp_path):
    with pytest.raises(Exception):  # noqa: B017 - whichever fault it meets first
        load(faulty)
    checked = check_dataset(faulty)
    checked.write(tmp_path / "train.json", tmp_path / "val.json", tmp_path / "findings.json")
    objects = load(with_annotations(faulty, tmp_path / "val.json", tmp_path / "train.json"))
    assert (
        sum(map(len, objects)) == 18 - 1
    )  # the one with `ignore` became a crowd region, which training passes over
    assert all(len(instances.gt_masks) == len(instances) for instances in objects)
