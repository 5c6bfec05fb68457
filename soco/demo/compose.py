"""Paints the composed images of a split and records, for each, what its pixels show."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from soco.demo.arrange import arrange, ownership
from soco.demo.images import write_image
from soco.demo.paint import paint
from soco.demo.photographs import Split
from soco.demo.plan import PlannedImage
from soco.demo.polygons import polygons_of
from soco.seeds import generator


@dataclass(frozen=True)
class Instance:
    """One object as its image shows it; area, box and polygons are those of its visible pixels.

    Attributes:
        category: Name of its fine category.
        texture: Key of the photograph on it.
        area: Visible pixels.
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
    """Writes a split's images as `folder/NUMBER.png`.

    Args:
        folder: Receives the images.
        split: `train` or `val`; keeps their draws apart.
        plans: What to paint.
        side: Width and height of an image in pixels.
        seed: Decides every draw.

    Returns:
        One record an image, in the plans' order.
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
