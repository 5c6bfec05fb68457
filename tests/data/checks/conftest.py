import json

import pytest
from PIL import Image

from soco.config import DatasetConfig
from soco.data.checks import check_dataset

WIDTH, HEIGHT = 40, 30


class Set:
    """A detection set of twelve images a half, an object on each, whose annotation files a test may change."""

    def __init__(self, folder, photograph):
        self.folder, self.form = folder, "coco"
        self.contents = {
            half: self._make(half, photograph, row) for row, half in enumerate(("train", "val"))
        }

    def _make(self, half, photograph, row):
        images, annotations = [], []
        (self.folder / half).mkdir()
        for number in range(1, 13):
            left, top = 7 * number, 60 * row
            crop = Image.fromarray(photograph).crop((left, top, left + WIDTH, top + HEIGHT))
            name = f"{half}{number}.jpg"
            crop.save(self.folder / half / name)
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
        halves = {}
        for half, content in self.contents.items():
            path = self.folder / f"{half}.json"
            path.write_text(json.dumps(content))
            halves[half] = {"images": str(self.folder / half), "annotations": str(path)}
        return DatasetConfig(format=self.form, **halves)

    def check(self):
        return check_dataset(self.dataset())

    def write(self):
        """Check and write; returns what training and evaluation read."""
        paths = [self.folder / "out" / name for name in ("train.json", "val.json", "findings.json")]
        self.check().write(*paths)
        return [json.loads(path.read_text()) for path in paths]


@pytest.fixture
def detection_set(tmp_path, photograph):
    return Set(tmp_path, photograph("coffee_half"))


@pytest.fixture
def train(detection_set):
    """The training half's tables, to be changed before the set is checked."""
    return detection_set.contents["train"]


@pytest.fixture
def val(detection_set):
    return detection_set.contents["val"]


@pytest.fixture
def third(train):
    """The third object of the training half, with the id 103."""
    return train["annotations"][2]


@pytest.fixture
def findings(detection_set):
    """What is found, as (kind, half, count, sentence)."""
    return lambda: [tuple(vars(found).values()) for found in detection_set.check().findings]
