"""The plan of each composed image, made before anything is painted: background and objects."""

from dataclasses import dataclass

import numpy as np

from soco.demo.categories import FINE
from soco.demo.photographs import Photograph, Split, backgrounds_of
from soco.seeds import generator

# Fewest objects of a fine category in a split, if there is room: AP of one object means little.
FEWEST = {"train": 1, "val": 4}


@dataclass(frozen=True)
class PlannedImage:
    """One image: its number from 1, background, and its objects' fine categories, back to front."""

    number: int
    background: Photograph
    objects: tuple[str, ...]


def plan_split(split: Split, count: int, objects: tuple[int, int], seed: int) -> list[PlannedImage]:
    """Plan the labelled images of a split, with as many objects of each category as it needs.

    Args:
        split: `train` or `val`; decides which photographs are used.
        count: Number of images.
        objects: Fewest and most objects in an image.
        seed: Seed of every draw.

    Returns:
        One plan per image.
    """
    rng = generator(seed, f"plan/{split}", 0)
    sizes = rng.integers(objects[0], objects[1], size=count, endpoint=True)
    deck = iter(_deck(split, count, int(sizes.sum()), rng))
    backgrounds = _turns(backgrounds_of(split), count, rng)
    return [
        PlannedImage(number, background, tuple(next(deck) for _ in range(size)))
        for number, (size, background) in enumerate(zip(sizes, backgrounds, strict=True), start=1)
    ]


def plan_unlabelled(count: int, objects: tuple[int, int], seed: int) -> list[PlannedImage]:
    """Plan unlabelled images, distributed as the training images.

    A plan depends on its number alone: more images do not change the first ones.

    Args:
        count: Number of images.
        objects: Fewest and most objects in an image.
        seed: Seed of every draw.

    Returns:
        One plan per image.
    """
    return [_unlabelled(number, objects, seed) for number in range(1, count + 1)]


def _unlabelled(number: int, objects: tuple[int, int], seed: int) -> PlannedImage:
    rng = generator(seed, "plan/unlabelled", number)
    backgrounds = backgrounds_of("train")
    background = backgrounds[rng.integers(len(backgrounds))]
    size = int(rng.integers(*objects, endpoint=True))
    chosen = rng.choice(len(FINE), size=size, p=_probabilities(sum(objects) / 2))
    return PlannedImage(number, background, tuple(FINE[i].name for i in chosen))


def _probabilities(objects: float) -> np.ndarray:
    """The share of each fine category, at a mean number of objects per image."""
    shares = np.array([category.share or 0.0 for category in FINE])
    # Where images have room for less than the tail, the tail is all that they show.
    rest = max(0.0, objects - shares.sum())
    head = np.array([category.share is None for category in FINE])
    weights = shares + head * (rest / head.sum())
    return weights / weights.sum()


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
