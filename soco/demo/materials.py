"""The material of each coarse category: a photograph, and which part of it a split may show.

The unlabelled and the training images show one part of a material, the validation images another:
they share what a material looks like, but no pixel of it.
"""

import functools
from dataclasses import dataclass

import cv2
import numpy as np

from soco.demo.photographs import PHOTOGRAPHS, Photograph, Split, pixels_of

TRAIN_SHARE = 0.58  # of the width of a material's area, from its left edge
VAL_SHARE = 0.38  # from its right edge; the gap between the parts is in neither

_BY_KEY = {photograph.key: photograph for photograph in PHOTOGRAPHS}


@dataclass(frozen=True)
class Material:
    """What covers the objects of a coarse category. Lengths are pixels of `pixels_of`.

    Attributes:
        photograph: A photograph of it.
        area: x, y, width and height of the rectangle that it fills.
        sides: Shortest and longest side of a patch: a patch shows several stones, bricks, blades.
    """

    photograph: Photograph
    area: tuple[int, int, int, int]
    sides: tuple[int, int]


@dataclass(frozen=True)
class Patch:
    """A square of a material: its left and top edge and its side, in pixels of the photograph."""

    material: Material
    left: int
    top: int
    side: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        """x, y, width and height."""
        return self.left, self.top, self.side, self.side


def _material(key: str, area: tuple[int, int, int, int], sides: tuple[int, int]) -> Material:
    return Material(_BY_KEY[key], area, sides)


MATERIALS: dict[str, Material] = {
    "disc": _material("scikit-image/gravel.png", (0, 0, 512, 512), (80, 150)),
    "ring": _material("scikit-image/brick.png", (0, 0, 512, 512), (140, 190)),
    "triangle": _material("scikit-image/grass.png", (0, 0, 512, 512), (80, 150)),
    "star": _material("mvtb-data/flowers1.png", (0, 50, 640, 280), (100, 180)),
    "cross": _material("mvtb-data/walls-l.png", (0, 560, 1000, 208), (90, 170)),
    "crescent": _material("mvtb-data/flowers2.png", (0, 0, 640, 426), (110, 200)),
}
"""By name of the coarse category."""


def part_of(material: Material, split: Split) -> tuple[int, int, int, int]:
    """x, y, width and height of the part of a material that a split may show."""
    left, top, width, height = material.area
    if split == "train":
        return left, top, int(width * TRAIN_SHARE), height
    part = int(width * VAL_SHARE)
    return left + width - part, top, part, height


def draw_patch(material: Material, split: Split, rng: np.random.Generator) -> Patch:
    """Draw a patch of a material from the part that the split may show."""
    left, top, width, height = part_of(material, split)
    side = int(rng.integers(*material.sides, endpoint=True))
    return Patch(
        material,
        left + int(rng.integers(width - side, endpoint=True)),
        top + int(rng.integers(height - side, endpoint=True)),
        side,
    )


@functools.cache
def mean_light(material: Material) -> float:
    """The mean of a material's area over pixels and channels, of 255."""
    left, top, width, height = material.area
    return float(pixels_of(material.photograph)[top : top + height, left : left + width].mean())


def pixels_of_patch(patch: Patch, side: int) -> np.ndarray:
    """A patch as float32 (side, side, 3) in BGR."""
    rows = slice(patch.top, patch.top + patch.side)
    columns = slice(patch.left, patch.left + patch.side)
    crop = pixels_of(patch.material.photograph)[rows, columns]
    method = cv2.INTER_AREA if patch.side > side else cv2.INTER_LINEAR
    return cv2.resize(crop, (side, side), interpolation=method).astype(np.float32)
