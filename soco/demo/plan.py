"""The plan of each composed image, made before anything is painted: background and objects."""

from dataclasses import dataclass

import numpy as np

from soco.demo.categories import FINE
from soco.demo.photographs import Photograph, Split, of_split
from soco.seeds import generator

# Fewest objects of a fine category in a split, if there is room: AP of one object means little.
FEWEST = {"train": 1, "val": 4}


@dataclass(frozen=True)
class PlannedObject:
    """One object: its fine category and the photograph whose patch covers it."""

    category: str
    texture: Photograph


@dataclass(frozen=True)
class PlannedImage:
    """One image: its number from 1, its background, and its objects, back to front."""

    number: int
    background: Photograph
    objects: tuple[PlannedObject, ...]


def plan_split(split: Split, count: int, objects: tuple[int, int], seed: int) -> list[PlannedImage]:
    """Plan the images of a split.

    Args:
        split: `train` or `val`; decides which photographs are used.
        count: Number of images.
        objects: Fewest and most objects in an image.
        seed: Seed of every draw.

    Returns:
        One plan per image. No texture shows the scene of its background.
    """
    rng = generator(seed, f"plan/{split}", 0)
    sizes = rng.integers(objects[0], objects[1], size=count, endpoint=True)
    deck = iter(_deck(split, count, int(sizes.sum()), rng))
    backgrounds = _turns(of_split(split, scenes_only=True), count, rng)
    plans = []
    for number, (size, background) in enumerate(zip(sizes, backgrounds, strict=True), start=1):
        painted = tuple(
            PlannedObject(next(deck), _texture(split, background, rng)) for _ in range(size)
        )
        plans.append(PlannedImage(number, background, painted))
    return plans


def _deck(split: Split, images: int, slots: int, rng: np.random.Generator) -> list[str]:
    """`slots` fine categories in random order: the tail by its shares, the rest in equal parts."""
    tail = [
        category.name
        for category in FINE
        if category.share is not None
        for _ in range(max(FEWEST[split], round(category.share * images)))
    ]
    tail = [tail[i] for i in rng.permutation(len(tail))][:slots]
    head = [category.name for category in FINE if category.share is None]
    deck = tail + [head[i % len(head)] for i in range(slots - len(tail))]
    return [deck[i] for i in rng.permutation(slots)]


def _turns(
    photographs: tuple[Photograph, ...], count: int, rng: np.random.Generator
) -> list[Photograph]:
    """`count` photographs in random order, each equally often up to one."""
    indices = np.concatenate(
        [rng.permutation(len(photographs)) for _ in range(-(-count // len(photographs)))]
    )
    return [photographs[i] for i in indices[:count]]


def _texture(split: Split, background: Photograph, rng: np.random.Generator) -> Photograph:
    """A photograph of another scene; scenes are equally likely, whatever their size."""
    others = [photograph for photograph in of_split(split) if photograph.scene != background.scene]
    scenes = sorted({photograph.scene for photograph in others})
    scene = scenes[rng.integers(len(scenes))]
    shown = [photograph for photograph in others if photograph.scene == scene]
    return shown[rng.integers(len(shown))]
