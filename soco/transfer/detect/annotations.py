"""Read one split of a detection set as training and evaluation use it.

The workflow checks and repairs a set first (`soco.data.checks`); the checks here protect other
callers from faults that would stop training.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soco.config import DatasetConfig, SplitConfig
from soco.data import annotated_image
from soco.data.checks import lvis_faults, read_tables
from soco.errors import UserError


@dataclass(frozen=True)
class Split:
    """One split of a detection set, as in its annotation file.

    Attributes:
        images: Folder of the images.
        annotations: The annotation file.
        content: The file's content: `images`, `annotations`, `categories`.
        categories: Category ids in ascending order; their positions are the detector's classes.
        classes: The categories' names in that order.
        rle: Whether any training mask (crowd regions excluded) is run-length encoded.
    """

    images: Path
    annotations: Path
    content: dict[str, Any]
    categories: list[int]
    classes: list[str]
    rle: bool

    @property
    def instances(self) -> int:
        """Number of annotated objects, without crowd regions."""
        return sum(not entry.get("iscrowd", 0) for entry in self.content["annotations"])


def read_split(split: SplitConfig) -> Split:
    """Read and check one split of a detection set.

    Raises:
        UserError: The folder or file is missing, the file is not in COCO's or LVIS's format, an
            object has no mask, or the first image is not where the file says.
    """
    folder, path = Path(split.images), Path(split.annotations)
    content = read_tables(split)
    _check_content(content, path, folder)
    categories = sorted(content["categories"], key=lambda category: category["id"])
    return Split(
        images=folder,
        annotations=path,
        content=content,
        categories=[category["id"] for category in categories],
        classes=[category["name"] for category in categories],
        # COCO's crowd regions are run-length encoded, but detectron2 does not train on them.
        rle=any(
            isinstance(entry["segmentation"], dict)
            for entry in content["annotations"]
            if not entry.get("iscrowd", 0)
        ),
    )


def check_lvis(split: Split) -> None:
    """Check that LVIS's evaluation can score a file.

    Raises:
        UserError: A category has no `frequency`, or an image lacks a list that a federated set has.
    """
    for table, key, _ in lvis_faults(split.content):
        raise UserError(
            "detect.not_lvis",
            "{path} has entries of `{table}` without `{key}`, which LVIS's evaluation needs; add"
            " it, or set `format: coco` for this set in `datasets`.",
            path=split.annotations,
            table=table,
            key=key,
        )


def read_dataset(dataset: DatasetConfig) -> tuple[Split, Split]:
    """Read and check both splits before anything is trained.

    Raises:
        UserError: A split is refused (see `read_split`, `check_lvis`), or their categories differ.
    """
    train, val = read_split(dataset.train), read_split(dataset.val)
    if train.categories != val.categories:
        raise UserError(
            "detect.categories_differ",
            "{train} and {val} list different category ids; give both the same `categories`.",
            train=train.annotations,
            val=val.annotations,
        )
    if not train.instances:
        raise UserError(
            "detect.only_crowds",
            "{path} has only crowd regions (`iscrowd` 1), which are not trained on; give a file"
            " with objects of `iscrowd` 0.",
            path=train.annotations,
        )
    if dataset.format == "lvis":
        check_lvis(val)
    return train, val


def _check_content(content: dict[str, Any], path: Path, folder: Path) -> None:
    bare = [entry["id"] for entry in content["annotations"] if not entry.get("segmentation")]
    if bare:
        raise UserError(
            "detect.no_mask",
            "{path} has {count} objects without `segmentation` (first id: {first}), and the"
            " detector trains on masks; add polygons or run-length masks.",
            path=path,
            count=len(bare),
            first=bare[0],
        )
    # Only the first: a wrong folder lacks all, and COCO's 118,000 take long on a network disk.
    first = annotated_image(folder, content["images"][0])
    if not first.is_file():
        raise UserError(
            "detect.image_not_found",
            "{path} lists {name}, but there is no {image}; correct `images` of this set in"
            " `datasets`.",
            path=path,
            name=first.name,
            image=first,
        )
