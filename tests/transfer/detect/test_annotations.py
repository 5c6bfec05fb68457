import json

import pytest

pytest.importorskip("detectron2")

from user_errors import refused

from soco.config import DatasetConfig, SplitConfig
from soco.errors import UserError
from soco.transfer.detect.annotations import read_dataset, read_split


def changed(tiny, tmp_path, file="coco.json", **tables):
    """A split of the tiny set whose annotation file has other tables."""
    content = json.loads((tiny / file).read_text()) | tables
    (tmp_path / "changed.json").write_text(json.dumps(content))
    folder = tiny if file == "lvis.json" else tiny / "train2017"
    return SplitConfig(images=str(folder), annotations=str(tmp_path / "changed.json"))


def test_a_split_is_read(datasets):
    split = read_split(datasets["coco"].train)
    assert (split.categories, split.classes) == ([2, 5, 9], ["disc", "square", "triangle"])
    assert split.instances == 18
    assert not split.rle
    assert read_split(datasets["rle"].train).rle


def test_run_lengths_of_crowd_regions_do_not_count(tiny, tmp_path):
    entries = json.loads((tiny / "coco.json").read_text())["annotations"]
    entries[0] |= {"iscrowd": 1, "segmentation": {"size": [64, 64], "counts": [64, 8, 4024]}}
    assert not read_split(changed(tiny, tmp_path, annotations=entries)).rle
    entries[0]["iscrowd"] = 0
    assert read_split(changed(tiny, tmp_path, annotations=entries)).rle


def test_a_missing_annotation_file_is_refused(tiny):
    with pytest.raises(UserError, match=r"absent\.json"):
        read_split(SplitConfig(images=str(tiny), annotations=str(tiny / "absent.json")))


def test_a_missing_folder_is_refused(tiny):
    with pytest.raises(UserError, match="absent"):
        read_split(SplitConfig(images=str(tiny / "absent"), annotations=str(tiny / "coco.json")))


def test_a_wrong_folder_is_detected_by_its_first_image(tiny):
    with refused("detect.image_not_found", image=tiny / "000000000001.png"):
        read_split(SplitConfig(images=str(tiny), annotations=str(tiny / "coco.json")))


@pytest.mark.parametrize("text", ["{", "[]", '{"images": []}'])
def test_a_file_of_another_format_is_refused(tiny, tmp_path, text):
    (tmp_path / "odd.json").write_text(text)
    with pytest.raises(UserError, match=r"odd\.json"):
        read_split(SplitConfig(images=str(tiny), annotations=str(tmp_path / "odd.json")))


def test_an_object_without_mask_is_refused(tiny, tmp_path):
    bare = [{"id": 41, "image_id": 1, "category_id": 2, "bbox": [0, 0, 9, 9], "area": 81}]
    with refused("detect.no_mask", count=1, first=41):
        read_split(changed(tiny, tmp_path, annotations=bare))


def test_splits_with_different_categories_are_refused(tiny, tmp_path, datasets):
    val = changed(tiny, tmp_path, categories=[{"id": 1, "name": "disc"}])
    with refused("detect.categories_differ"):
        read_dataset(DatasetConfig(train=datasets["coco"].train, val=val))


def test_a_training_split_with_only_crowds_is_refused(tiny, tmp_path, datasets):
    entries = json.loads((tiny / "coco.json").read_text())["annotations"]
    train = changed(tiny, tmp_path, annotations=[{**entry, "iscrowd": 1} for entry in entries])
    with refused("detect.only_crowds"):
        read_dataset(DatasetConfig(train=train, val=datasets["coco"].val))


def test_lvis_needs_frequencies(tiny, tmp_path, datasets):
    categories = json.loads((tiny / "coco.json").read_text())["categories"]
    val = changed(tiny, tmp_path, "lvis.json", categories=categories)
    with refused("detect.not_lvis", table="categories", key="frequency"):
        read_dataset(DatasetConfig(format="lvis", train=datasets["lvis"].train, val=val))
