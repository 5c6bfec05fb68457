"""The annotations of the composed images, as COCO and LVIS v1 files."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from soco.demo.categories import COARSE_IDS, FINE, FINE_BY_NAME, FINE_IDS, frequency
from soco.demo.compose import Composed, Instance
from soco.demo.photographs import Split
from soco.io import atomic_write

Json = dict[str, Any]


def write_coco(path: Path, images: list[Composed], side: int) -> None:
    """Write a COCO instances file of the six coarse categories.

    Three keys are not in COCO's format: an image's `background` and an annotation's `texture` name
    their photographs, and `texture_box` is the patch of the texture: x, y, width and height in the
    photograph as `soco.demo.photographs.pixels_of` returns it.
    """
    content = {
        "info": _info("COCO"),
        "licenses": [],
        "images": [_image(image, side) for image in images],
        "annotations": _annotations(
            images, lambda it: COARSE_IDS[FINE_BY_NAME[it.category].coarse]
        ),
        "categories": [
            {"id": id_, "name": name, "supercategory": "shape"} for name, id_ in COARSE_IDS.items()
        ],
    }
    _write(path, content)


def write_lvis(
    path: Path, split: Split, images: list[Composed], side: int, train: list[Composed]
) -> None:
    """Write an LVIS v1 file of the sixteen fine categories.

    Every category that an image does not show is listed as absent, since that is known here. Counts
    and frequency groups in both files are those of the training split, as in LVIS.

    Args:
        path: The file to write.
        split: `train` or `val`: the folder of the images.
        images: The split's images.
        side: Width and height of an image in pixels.
        train: The training split's images.
    """
    content = {
        "info": _info("LVIS v1"),
        "licenses": [],
        "images": [_lvis_image(image, split, side) for image in images],
        "annotations": _annotations(images, lambda it: FINE_IDS[it.category]),
        "categories": lvis_categories(train),
    }
    _write(path, content)


def lvis_categories(train: list[Composed]) -> list[Json]:
    """The LVIS entries of all fine categories, with their counts in the training split."""
    instances = Counter(it.category for image in train for it in image.instances)
    images = Counter(name for image in train for name in {it.category for it in image.instances})
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
    return {
        "description": f"Forms of six materials over photographs, {form} format",
        "version": "1",
    }


def _image(image: Composed, side: int) -> Json:
    return {
        "id": image.number,
        "file_name": image.file,
        "width": side,
        "height": side,
        "background": image.background,
    }


def _lvis_image(image: Composed, split: Split, side: int) -> Json:
    shown = {FINE_IDS[it.category] for it in image.instances}
    return {
        **_image(image, side),
        "coco_url": f"demo://shapes/{split}/{image.file}",
        "neg_category_ids": [id_ for id_ in FINE_IDS.values() if id_ not in shown],
        "not_exhaustive_category_ids": [],
    }


def _annotations(images: list[Composed], category_of: Callable[[Instance], int]) -> list[Json]:
    pairs = [(image, it) for image in images for it in image.instances]
    return [
        {
            "id": id_,
            "image_id": image.number,
            "category_id": category_of(it),
            "segmentation": it.polygons,
            "area": it.area,
            "bbox": list(it.box),
            "iscrowd": 0,
            "texture": it.texture,
            "texture_box": list(it.texture_box),
        }
        for id_, (image, it) in enumerate(pairs, start=1)
    ]


def _write(path: Path, content: Json) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, separators=(",", ":")) + "\n")
