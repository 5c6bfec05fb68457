"""Objects of the composed images, each cut out with a little of what surrounds it.

A folder a coarse category.
"""

from collections import Counter
from pathlib import Path

import numpy as np

from soco.data import read_rgb
from soco.demo.categories import FINE_BY_NAME
from soco.demo.compose import Composed
from soco.demo.images import write_image
from soco.demo.photographs import Split

MOST = {"train": 60, "val": 20}  # of a category
_MARGIN = 1.2  # side of a cut-out for the longer side of the object's box


def write_cutouts(folder: Path, split: Split, images: list[Composed], shapes: Path) -> None:
    """Writes the first objects of each category as `folder/CATEGORY/NNNN.png`, squares of their
    images.

    Args:
        folder: Receives a folder a category.
        split: `train` or `val`; decides how many of a category are written.
        images: The split's records.
        shapes: Where its images lie.
    """
    written: Counter[str] = Counter()
    for record in images:
        image = read_rgb(shapes / record.file)[..., ::-1]
        for instance in record.instances:
            category = FINE_BY_NAME[instance.category].coarse
            if written[category] == MOST[split]:
                continue
            path = folder / category / f"{written[category]:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, _square(image, instance.box))
            written[category] += 1


def _square(image: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """The square around a box (x, y, width, height), moved to lie in the image."""
    height, width = image.shape[:2]
    side = min(round(_MARGIN * max(box[2:])), height, width)
    left, top = (
        int(np.clip(start + length / 2 - side / 2, 0, whole - side))
        for start, length, whole in zip(box[:2], box[2:], (width, height), strict=True)
    )
    return image[top : top + side, left : left + side]
