"""Read one half of a detection set as training and evaluation use it.

The workflow checks and mends a set first (`soco.data.checks`); what is refused here is what would
stop a caller's training who has not.
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
    """One half of a detection set as its annotation file has it.

    Attributes:
        images: Folder of the images.
        annotations: The annotation file.
        content: What the file holds: `images`, `annotations`, `categories`.
        categories: Category ids in ascending order; their places are the detector's classes.
        classes: The categories' names in that order.
        rle: Whether any mask that is trained on (no crowd region's) is run-length coded rather than
            a polygon.
    """

    images: Path
    annotations: Path
    content: dict[str, Any]
    categories: list[int]
    classes: list[str]
    rle: bool

    @property
    def instances(self) -> int:
        """Annotated objects, crowd regions aside."""
        return sum(not entry.get("iscrowd", 0) for entry in self.content["annotations"])


def read_split(split: SplitConfig) -> Split:
    """Read and check one half of a detection set.

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
        rle=any(
            isinstance(entry["segmentation"], dict)
            for entry in content["annotations"]
            if not entry.get("iscrowd", 0)
        ),
    )


def check_lvis(split: Split) -> None:
    """Refuse a file that LVIS's evaluation cannot score.

    Raises:
        UserError: A category has no `frequency`, or an image none of the lists of a federated set.
    """
    for table, key, _ in lvis_faults(split.content):
        raise UserError(
            f"{split.annotations} has entries of `{table}` without `{key}`, which LVIS's evaluation"
            " needs; add it, or set `format: coco` for this set in `datasets`."
        )


def read_dataset(dataset: DatasetConfig) -> tuple[Split, Split]:
    """Read and check both halves before anything is trained.

    Raises:
        UserError: A half is refused (see `read_split`, `check_lvis`), or their categories differ.
    """
    train, val = read_split(dataset.train), read_split(dataset.val)
    if train.categories != val.categories:
        raise UserError(
            f"{train.annotations} and {val.annotations} list different category ids; give both the"
            " same `categories`."
        )
    if not train.instances:
        raise UserError(
            f"{train.annotations} annotates no object but crowd regions (`iscrowd` 1), which are"
            " not trained on; give a file with objects of `iscrowd` 0."
        )
    if dataset.format == "lvis":
        check_lvis(val)
    return train, val


def _check_content(content: dict[str, Any], path: Path, folder: Path) -> None:
    bare = [entry["id"] for entry in content["annotations"] if not entry.get("segmentation")]
    if bare:
        raise UserError(
            f"{path} has {len(bare)} object(s) without `segmentation` (the first has id {bare[0]}),"
            " and the detector trains on masks; add polygons or run-length masks."
        )
    first = annotated_image(folder, content["images"][0])
    if not first.is_file():
        raise UserError(
            f"{path} lists {first.name}, and there is no {first}; correct `images` of this set in"
            " `datasets`."
        )
