"""The records of composed pictures as COCO and as LVIS v1 annotation files."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from soco.demo.categories import COARSE_IDS, FINE, FINE_BY_NAME, FINE_IDS, frequency
from soco.demo.compose import Composed, Instance
from soco.demo.photographs import Split
from soco.stores.files import whole_file

Json = dict[str, Any]


def write_coco(path: Path, pictures: list[Composed], side: int) -> None:
    """Writes a COCO instances file of the six coarse categories.

    Beside the format's own keys, an image names its `background` and an annotation its `texture`.
    """
    content = {
        "info": _info("COCO"),
        "licenses": [],
        "images": [_image(picture, side) for picture in pictures],
        "annotations": _annotations(pictures, lambda it: COARSE_IDS[FINE_BY_NAME[it.category].coarse]),
        "categories": [{"id": id_, "name": name, "supercategory": "shape"} for name, id_ in COARSE_IDS.items()],
    }
    _write(path, content)


def write_lvis(path: Path, split: Split, pictures: list[Composed], side: int, train: list[Composed]) -> None:
    """Writes an LVIS v1 file of the sixteen fine categories.

    Every category that a picture does not show is listed as absent: the painter knows. Counts and frequency groups are
    those of the training split in both files, as in LVIS itself.

    Args:
        path: The file to write.
        split: `train` or `val`, the folder that the pictures lie in.
        pictures: The split's records.
        side: Width and height of a picture in pixels.
        train: The training split's records.
    """
    content = {
        "info": _info("LVIS v1"),
        "licenses": [],
        "images": [_lvis_image(picture, split, side) for picture in pictures],
        "annotations": _annotations(pictures, lambda it: FINE_IDS[it.category]),
        "categories": lvis_categories(train),
    }
    _write(path, content)


def lvis_categories(train: list[Composed]) -> list[Json]:
    """Returns the LVIS entries of all fine categories, counted on the training split's records."""
    instances = Counter(it.category for picture in train for it in picture.instances)
    images = Counter(name for picture in train for name in {it.category for it in picture.instances})
    return [
        {
            "id": FINE_IDS[category.name],
            "name": category.name,
            "synset": f"{category.name}.n.01",
            "synonyms": [category.name],
            "def": category.definition,
            "frequency": frequency(images[category.name]),
            "image_count": images[category.name],
            "instance_count": instances[category.name],
        }
        for category in FINE
    ]


def _info(form: str) -> Json:
    return {"description": f"Forms painted over photographs, {form} format", "version": "1"}


def _image(picture: Composed, side: int) -> Json:
    return {
        "id": picture.number,
        "file_name": picture.file,
        "width": side,
        "height": side,
        "background": picture.background,
    }


def _lvis_image(picture: Composed, split: Split, side: int) -> Json:
    shown = {FINE_IDS[it.category] for it in picture.instances}
    return {
        **_image(picture, side),
        "coco_url": f"demo://shapes/{split}/{picture.file}",
        "neg_category_ids": [id_ for id_ in FINE_IDS.values() if id_ not in shown],
        "not_exhaustive_category_ids": [],
    }


def _annotations(pictures: list[Composed], category_of: Callable[[Instance], int]) -> list[Json]:
    pairs = [(picture, it) for picture in pictures for it in picture.instances]
    return [
        {
            "id": id_,
            "image_id": picture.number,
            "category_id": category_of(it),
            "segmentation": it.polygons,
            "area": it.area,
            "bbox": list(it.box),
            "iscrowd": 0,
            "texture": it.texture,
        }
        for id_, (picture, it) in enumerate(pairs, start=1)
    ]


def _write(path: Path, content: Json) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(content, separators=(",", ":")) + "\n")
