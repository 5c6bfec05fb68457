"""Compose the images of the demo, record what they show, and cut out their objects."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from soco.data import read_rgb
from soco.demo.arrange import Placed, arrange, ownership
from soco.demo.categories import FINE_BY_NAME
from soco.demo.materials import MATERIALS, Patch, draw_patch
from soco.demo.paint import paint
from soco.demo.photographs import Split
from soco.demo.plan import PlannedImage
from soco.demo.polygons import polygons_of
from soco.errors import UserError
from soco.seeds import generator

JPEG_QUALITY = 92
IMAGES_PER_FOLDER = 500  # of unlabelled images
MOST_CUTOUTS = {"train": 60, "val": 20}  # of a category
_MARGIN = 1.2  # side of a cut-out, relative to the longer side of the object's box


@dataclass(frozen=True)
class Instance:
    """The visible part of one object.

    Attributes:
        category: Name of its fine category.
        texture: Key of the photograph that covers it.
        texture_box: x, y, width and height of the patch in that photograph.
        area: Number of visible pixels.
        box: x, y, width and height in pixels.
        polygons: See `soco.demo.polygons`.
    """

    category: str
    texture: str
    texture_box: tuple[int, int, int, int]
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


@dataclass(frozen=True)
class _Scene:
    """An image in memory: uint8 (side, side, 3) in BGR, and its objects with their patches."""

    pixels: np.ndarray
    objects: list[tuple[Placed, Patch]]


def compose_unlabelled(folder: Path, plans: list[PlannedImage], side: int, seed: int) -> None:
    """Write unlabelled images as `folder/NNN/NUMBER.jpg`, composed as training images are.

    Args:
        folder: Receives sub-folders of `IMAGES_PER_FOLDER` images.
        plans: What to paint.
        side: Width and height of an image in pixels.
        seed: Seed of every draw.
    """
    for plan in plans:
        part = folder / f"{plan.number // IMAGES_PER_FOLDER:03d}"
        part.mkdir(parents=True, exist_ok=True)
        scene = _compose(plan, "train", side, generator(seed, "unlabelled", plan.number))
        write_image(part / f"{plan.number:06d}.jpg", scene.pixels)


def compose_split(
    folder: Path, split: Split, plans: list[PlannedImage], side: int, seed: int
) -> list[Composed]:
    """Write a split's labelled images as `folder/NUMBER.png`.

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
    records = []
    for plan in plans:
        scene = _compose(plan, split, side, generator(seed, f"shapes/{split}", plan.number))
        file = f"{plan.number:06d}.png"
        write_image(folder / file, scene.pixels)
        records.append(Composed(plan.number, file, plan.background.key, _instances(scene)))
    return records


def write_image(path: Path, image: np.ndarray) -> None:
    """Write uint8 (height, width, 3) BGR pixels in the format of the path's suffix.

    Raises:
        UserError: The file cannot be written.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if path.suffix == ".jpg" else []
    if not cv2.imwrite(str(path), image, options):
        raise UserError(
            "demo.not_written",
            "Cannot write {path}; check free space and permissions of its folder.",
            path=path,
        )


def _compose(plan: PlannedImage, split: Split, side: int, rng: np.random.Generator) -> _Scene:
    objects = [
        (placed, draw_patch(MATERIALS[FINE_BY_NAME[placed.category].coarse], split, rng))
        for placed in arrange(plan.objects, side, rng)
    ]
    return _Scene(paint(plan.background, objects, side, rng), objects)


def _instances(scene: _Scene) -> tuple[Instance, ...]:
    owner = ownership([placed for placed, _ in scene.objects], len(scene.pixels))
    return tuple(
        _instance(placed.category, patch, owner == index)
        for index, (placed, patch) in enumerate(scene.objects, start=1)
    )


def _instance(category: str, patch: Patch, mask: np.ndarray) -> Instance:
    rows, columns = np.nonzero(mask)
    left, top = int(columns.min()), int(rows.min())
    box = (left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top)
    texture = patch.material.photograph.key
    return Instance(category, texture, patch.box, int(mask.sum()), box, polygons_of(mask))


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
