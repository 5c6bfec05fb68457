"""Paint the composed images of a split, record what they show, and cut out their objects."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from soco.data import read_rgb
from soco.demo.arrange import arrange, ownership
from soco.demo.categories import FINE_BY_NAME
from soco.demo.images import write_image
from soco.demo.paint import paint
from soco.demo.photographs import Split
from soco.demo.plan import PlannedImage
from soco.demo.polygons import polygons_of
from soco.seeds import generator

MOST_CUTOUTS = {"train": 60, "val": 20}  # of a category
_MARGIN = 1.2  # side of a cut-out, relative to the longer side of the object's box


@dataclass(frozen=True)
class Instance:
    """The visible part of one object.

    Attributes:
        category: Name of its fine category.
        texture: Key of the photograph that covers it.
        area: Number of visible pixels.
        box: x, y, width and height in pixels.
        polygons: See `soco.demo.polygons`.
    """

    category: str
    texture: str
    area: int
    box: tuple[int, int, int, int]
    polygons: list[list[int]]


@dataclass(frozen=True)
class Composed:
    """One written image: its number and file name, the key of its background, its objects."""

    number: int
    file: str
    background: str
    instances: tuple[Instance, ...]


def compose_split(
    folder: Path, split: Split, plans: list[PlannedImage], side: int, seed: int
) -> list[Composed]:
    """Write a split's images as `folder/NUMBER.png`.

    Args:
        folder: Receives the images.
        split: `train` or `val`, each with its own draws.
        plans: What to paint.
        side: Width and height of an image in pixels.
        seed: Seed of every draw.

    Returns:
        One record per image, in the order of the plans.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _compose(folder, plan, side, generator(seed, f"shapes/{split}", plan.number))
        for plan in plans
    ]


def _compose(folder: Path, plan: PlannedImage, side: int, rng: np.random.Generator) -> Composed:
    placed = arrange(plan.objects, side, rng)
    file = f"{plan.number:06d}.png"
    write_image(folder / file, paint(plan.background, placed, side, rng))
    owner = ownership(placed, side)
    instances = tuple(
        _instance(item.planned.category, item.planned.texture.key, owner == index)
        for index, item in enumerate(placed, start=1)
    )
    return Composed(plan.number, file, plan.background.key, instances)


def _instance(category: str, texture: str, mask: np.ndarray) -> Instance:
    rows, columns = np.nonzero(mask)
    left, top = int(columns.min()), int(rows.min())
    box = (left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top)
    return Instance(category, texture, int(mask.sum()), box, polygons_of(mask))


def write_cutouts(folder: Path, split: Split, images: list[Composed], shapes: Path) -> None:
    """Write the first objects of each coarse category as squares `folder/CATEGORY/NNNN.png`.

    Args:
        folder: Receives one folder per category.
        split: `train` or `val`; decides how many of a category are written.
        images: The split's images.
        shapes: The folder of these images.
    """
    written: Counter[str] = Counter()
    for record in images:
        image = read_rgb(shapes / record.file)[..., ::-1]
        for instance in record.instances:
            category = FINE_BY_NAME[instance.category].coarse
            if written[category] == MOST_CUTOUTS[split]:
                continue
            path = folder / category / f"{written[category]:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, _square(image, instance.box))
            written[category] += 1


def _square(image: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """The square around a box (x, y, width, height), shifted into the image."""
    height, width = image.shape[:2]
    side = min(round(_MARGIN * max(box[2:])), height, width)
    left, top = (
        int(np.clip(first + length / 2 - side / 2, 0, whole - side))
        for first, length, whole in zip(box[:2], box[2:], (width, height), strict=True)
    )
    return image[top : top + side, left : left + side]
