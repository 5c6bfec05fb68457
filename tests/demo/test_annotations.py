"""The four annotation files, read by the tools of COCO and LVIS."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from lvis import LVIS
from pycocotools import mask as mask_tools
from pycocotools.coco import COCO

from soco.demo.annotations import lvis_categories
from soco.demo.categories import FINE_BY_NAME
from soco.demo.compose import Composed, Instance

FILES = [f"{form}_{split}.json" for form in ("coco", "lvis_v1") for split in ("train", "val")]


def load(demo: Path, name: str) -> dict[str, Any]:
    return json.loads((demo / "shapes" / name).read_text())


def masks_of(content: dict[str, Any]) -> list[tuple[dict[str, Any], np.ndarray]]:
    sizes = {image["id"]: (image["height"], image["width"]) for image in content["images"]}
    return [
        (
            entry,
            mask_tools.decode(
                mask_tools.frPyObjects(entry["segmentation"], *sizes[entry["image_id"]])
            ).max(axis=2),
        )
        for entry in content["annotations"]
    ]


@pytest.mark.parametrize("name", FILES)
def test_areas_and_boxes_are_those_of_the_masks(demo: Path, name: str) -> None:
    for entry, mask in masks_of(load(demo, name)):
        rows, columns = np.nonzero(mask)
        left, top = columns.min(), rows.min()
        assert entry["area"] == mask.sum()
        assert entry["bbox"] == [left, top, columns.max() + 1 - left, rows.max() + 1 - top]
        assert entry["iscrowd"] == 0


@pytest.mark.parametrize("name", FILES)
def test_masks_of_one_image_never_overlap(demo: Path, name: str) -> None:
    content = load(demo, name)
    covered = {
        image["id"]: np.zeros((image["height"], image["width"]), int) for image in content["images"]
    }
    for entry, mask in masks_of(content):
        covered[entry["image_id"]] += mask
    assert max(layer.max() for layer in covered.values()) == 1


@pytest.mark.parametrize("name", FILES)
def test_ids_are_unique_and_files_exist(demo: Path, name: str) -> None:
    content = load(demo, name)
    for table in ("images", "annotations", "categories"):
        ids = [entry["id"] for entry in content[table]]
        assert ids == list(range(1, len(ids) + 1))
    folder = demo / "shapes" / ("train" if name.endswith("train.json") else "val")
    assert sorted(image["file_name"] for image in content["images"]) == sorted(
        path.name for path in folder.iterdir()
    )


def test_coco_reads_the_coco_files(demo: Path) -> None:
    for split, count in (("train", 24), ("val", 12)):
        api = COCO(demo / "shapes" / f"coco_{split}.json")
        assert len(api.getImgIds()) == count
        assert len(api.getCatIds()) == 6
        assert all(
            api.annToMask(entry).sum() == entry["area"] for entry in api.loadAnns(api.getAnnIds())
        )


def test_lvis_reads_the_lvis_files(demo: Path) -> None:
    for split, count in (("train", 24), ("val", 12)):
        api = LVIS(str(demo / "shapes" / f"lvis_v1_{split}.json"))
        assert len(api.get_img_ids()) == count
        assert len(api.get_cat_ids()) == 16
        assert all(api.ann_to_mask(entry).sum() == entry["area"] for entry in api.anns.values())


def test_coco_url_ends_in_the_path_below_shapes(demo: Path) -> None:
    for image in load(demo, "lvis_v1_val.json")["images"]:
        assert (demo / "shapes" / "/".join(image["coco_url"].split("/")[-2:])).is_file()


def test_both_formats_describe_the_same_objects(demo: Path) -> None:
    coco, lvis = load(demo, "coco_train.json"), load(demo, "lvis_v1_train.json")
    coarse = {entry["id"]: entry["name"] for entry in coco["categories"]}
    fine = {entry["id"]: entry["name"] for entry in lvis["categories"]}
    for one, other in zip(coco["annotations"], lvis["annotations"], strict=True):
        assert one["segmentation"] == other["segmentation"]
        assert coarse[one["category_id"]] == FINE_BY_NAME[fine[other["category_id"]]].coarse


def test_lvis_lists_exactly_the_absent_categories(demo: Path) -> None:
    content = load(demo, "lvis_v1_val.json")
    every = {entry["id"] for entry in content["categories"]}
    for image in content["images"]:
        shown = {
            entry["category_id"]
            for entry in content["annotations"]
            if entry["image_id"] == image["id"]
        }
        assert set(image["neg_category_ids"]) == every - shown
        assert image["not_exhaustive_category_ids"] == []


def test_lvis_counts_are_those_of_the_training_split(demo: Path) -> None:
    train, val = load(demo, "lvis_v1_train.json"), load(demo, "lvis_v1_val.json")
    assert train["categories"] == val["categories"]
    for category in train["categories"]:
        shown = [
            entry["image_id"]
            for entry in train["annotations"]
            if entry["category_id"] == category["id"]
        ]
        assert (category["instance_count"], category["image_count"]) == (
            len(shown),
            len(set(shown)),
        )


def test_frequency_follows_images_not_objects() -> None:
    disc = Instance("round_disc", "", (0, 0, 1, 1), 1, (0, 0, 1, 1), [])
    cross = Instance("upright_cross", "", (0, 0, 1, 1), 1, (0, 0, 1, 1), [])
    images = [
        Composed(n, "", "", (disc, disc, disc) if n <= 10 else (cross,)) for n in range(1, 112)
    ]
    groups = {entry["name"]: entry["frequency"] for entry in lvis_categories(images)}
    assert (groups["round_disc"], groups["upright_cross"]) == ("r", "f")
    groups = {entry["name"]: entry["frequency"] for entry in lvis_categories(images[:110])}
    assert groups["upright_cross"] == "c"


def test_objects_contrast_with_their_surroundings(demo: Path) -> None:
    content = load(demo, "coco_val.json")
    files = {
        image["id"]: demo / "shapes" / "val" / image["file_name"] for image in content["images"]
    }
    steps = []
    for entry, mask in masks_of(content):
        image = cv2.imread(str(files[entry["image_id"]])).mean(axis=2)
        around = cv2.dilate(mask, np.ones((9, 9), np.uint8)) - cv2.dilate(
            mask, np.ones((3, 3), np.uint8)
        )
        steps.append(abs(image[mask == 1].mean() - image[around == 1].mean()))
    assert np.median(steps) > 25
