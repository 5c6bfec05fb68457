import json

import pytest
from PIL import Image

from soco.config import DatasetConfig
from soco.data.checks import check_dataset

WIDTH, HEIGHT = 40, 30


class Set:
    """A detection set of twelve images per split with one object each; tests change its tables."""

    def __init__(self, folder, photograph):
        self.folder, self.form = folder, "coco"
        self.contents = {
            split: self._make(split, photograph, row) for row, split in enumerate(("train", "val"))
        }

    def _make(self, split, photograph, row):
        images, annotations = [], []
        (self.folder / split).mkdir()
        for number in range(1, 13):
            left, top = 7 * number, 60 * row
            crop = Image.fromarray(photograph).crop((left, top, left + WIDTH, top + HEIGHT))
            name = f"{split}{number}.jpg"
            crop.save(self.folder / split / name)
            images.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
            annotations.append(
                {
                    "id": 100 + number,
                    "image_id": number,
                    "category_id": 1 + number % 2,
                    "bbox": [4, 5, 8, 10],
                    "area": 80,
                    "iscrowd": 0,
                    "segmentation": [[4, 5, 12, 5, 12, 15, 4, 15]],
                }
            )
        categories = [{"id": 1, "name": "cup"}, {"id": 2, "name": "spoon"}]
        return {"images": images, "annotations": annotations, "categories": categories}

    def as_lvis(self):
        self.form = "lvis"
        for content in self.contents.values():
            for image in content["images"]:
                image |= {"neg_category_ids": [], "not_exhaustive_category_ids": []}
            for category in content["categories"]:
                category["frequency"] = "f"
            for entry in content["annotations"]:
                del entry["iscrowd"]

    def dataset(self):
        splits = {}
        for split, content in self.contents.items():
            path = self.folder / f"{split}.json"
            path.write_text(json.dumps(content))
            splits[split] = {"images": str(self.folder / split), "annotations": str(path)}
        return DatasetConfig(format=self.form, **splits)

    def check(self):
        return check_dataset(self.dataset())

    def write(self):
        """Check and write; return what training and evaluation read, and the findings."""
        paths = [self.folder / "out" / name for name in ("train.json", "val.json", "findings.json")]
        self.check().write(*paths)
        return [json.loads(path.read_text()) for path in paths]


@pytest.fixture
def detection_set(tmp_path, photograph):
    return Set(tmp_path, photograph("coffee_half"))


@pytest.fixture
def train(detection_set):
    """The training split's tables, to be changed before the set is checked."""
    return detection_set.contents["train"]


@pytest.fixture
def val(detection_set):
    return detection_set.contents["val"]


@pytest.fixture
def third(train):
    """The third object of the training split, with the id 103."""
    return train["annotations"][2]


@pytest.fixture
def findings(detection_set):
    """Check the set; return its findings as (split, code, count)."""
    return lambda: [(it.split, it.code, it.count) for it in detection_set.check().findings]


@pytest.fixture
def sentence(detection_set):
    """Check the set; return the first sentence of a code."""
    return lambda code: next(
        finding.sentence for finding in detection_set.check().findings if finding.code == code
    )
