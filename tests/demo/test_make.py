"""All of make_demo: its files, their sizes, that a seed repeats them, and what it refuses."""

import csv
import hashlib
import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from user_errors import refused

from soco.config.schema import DemoConfig
from soco.demo import compose, make_demo, photographs
from soco.demo.compose import MOST_CUTOUTS
from soco.demo.photographs import PHOTOGRAPHS


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def test_one_seed_gives_the_same_bytes(demo: Path, settings: DemoConfig) -> None:
    photographs.pixels_of.cache_clear()
    make_demo(settings, seed=1)
    assert digests(Path(settings.path)) == digests(demo)


def test_another_seed_gives_other_images(demo: Path, settings: DemoConfig) -> None:
    make_demo(settings, seed=2)
    first, second = digests(demo), digests(Path(settings.path))
    same = {name for name in first.keys() & second.keys() if first[name] == second[name]}
    assert same == {"sources.csv"}


def test_more_images_do_not_change_the_first_ones(demo: Path, settings: DemoConfig) -> None:
    make_demo(settings.model_copy(update={"images": 14}), seed=1)
    first, second = (
        {name: digest for name, digest in digests(root).items() if name.startswith("images/")}
        for root in (demo, Path(settings.path))
    )
    assert len(second) == 14
    assert first.items() < second.items()


def test_images_are_readable_and_of_the_right_size(demo: Path) -> None:
    unlabelled = sorted((demo / "images").rglob("*.jpg"))
    assert [path.name for path in unlabelled] == [f"{number:06d}.jpg" for number in range(1, 13)]
    assert all(cv2.imread(str(path)).shape == (96, 96, 3) for path in unlabelled)
    for split, count in (("train", 24), ("val", 12)):
        composed = sorted((demo / "shapes" / split).iterdir())
        assert len(composed) == count
        assert all(cv2.imread(str(path)).shape == (96, 96, 3) for path in composed)


def test_unlabelled_images_are_not_the_training_images(demo: Path) -> None:
    labelled = np.stack([cv2.imread(str(path)) for path in (demo / "shapes/train").iterdir()])
    for path in (demo / "images").rglob("*.jpg"):
        differences = np.abs(labelled.astype(float) - cv2.imread(str(path))).mean(axis=(1, 2, 3))
        assert differences.min() > 10  # of 255; a JPEG of the same image differs by 2


def test_a_folder_holds_some_hundred_unlabelled_images(
    settings: DemoConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compose, "IMAGES_PER_FOLDER", 5)
    make_demo(settings, seed=1)
    folders = sorted(Path(settings.path, "images").iterdir())
    assert [folder.name for folder in folders] == ["000", "001", "002"]
    assert [len(list(folder.iterdir())) for folder in folders] == [4, 5, 3]


def test_objects_are_cut_out_by_category(demo: Path) -> None:
    for split in ("train", "val"):
        content = json.loads((demo / "shapes" / f"coco_{split}.json").read_text())
        names = {category["id"]: category["name"] for category in content["categories"]}
        objects = Counter(names[entry["category_id"]] for entry in content["annotations"])
        written = Counter(path.parent.name for path in (demo / "classes" / split).rglob("*.png"))
        assert written == {name: min(count, MOST_CUTOUTS[split]) for name, count in objects.items()}
    first = next(entry for entry in content["annotations"] if names[entry["category_id"]] == "disc")
    image = cv2.imread(str(demo / "shapes/val" / f"{first['image_id']:06d}.png"))
    left, top, width, height = first["bbox"]
    cut = cv2.imread(str(demo / "classes/val/disc/0000.png"))
    assert cut.shape == (round(1.2 * max(width, height)),) * 2 + (3,)
    found = cv2.matchTemplate(cut, image[top : top + height, left : left + width], cv2.TM_SQDIFF)
    assert found.min() < 1e3 < 1e6 < np.median(found)  # sums of squares, by a Fourier transform


def test_the_number_of_cut_outs_is_limited(settings: DemoConfig) -> None:
    make_demo(settings.model_copy(update={"val": 60, "train": 2}), seed=1)
    written = Counter(
        path.parent.name for path in Path(settings.path, "classes/val").rglob("*.png")
    )
    assert max(written.values()) == MOST_CUTOUTS["val"] == 20


def test_sources_list_every_photograph(demo: Path) -> None:
    with (demo / "sources.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["package"], row["file"]) for row in rows] == [
        (p.package, p.file) for p in PHOTOGRAPHS
    ]
    assert {row["use"] for row in rows} == {"train", "val", "material"}
    assert all(row["scene"] and row["note"] for row in rows)


def test_fewer_images_leave_no_old_ones_behind(settings: DemoConfig) -> None:
    fewer = settings.model_copy(update={"images": 2, "train": 3, "val": 2})
    make_demo(settings.model_copy(update={"images": 4, "train": 5, "val": 2}), seed=1)
    make_demo(fewer, seed=1)
    assert len(list(Path(settings.path, "images").rglob("*.jpg"))) == 2
    assert len(list(Path(settings.path, "shapes", "train").iterdir())) == 3


def test_a_folder_of_other_images_is_refused(settings: DemoConfig) -> None:
    mine = Path(settings.path, "images", "mine.jpg")
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    with refused("demo.foreign_files", folder=mine.parent):
        make_demo(settings, seed=1)
    assert mine.read_bytes() == b"mine"


def test_a_missing_package_is_named(settings: DemoConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(photographs._FOLDERS, "mvtb-data", "no_such_package_here/images")
    with refused("demo.no_package", package="mvtb-data"):
        make_demo(settings, seed=1)


def test_a_minimum_of_objects_above_the_maximum_is_refused(settings: DemoConfig) -> None:
    with pytest.raises(ValueError, match="objects asks for at least 3 and at most 2"):
        DemoConfig.model_validate(settings.model_dump() | {"objects": (3, 2)})
