"""The pixels of a composed image: textured objects in front of a blurred crop."""

import cv2
import numpy as np

from soco.demo.arrange import REFERENCE_SIDE, Placed
from soco.demo.photographs import Photograph, pixels_of

BACKGROUND_SHARES = (0.4, 1.0)
TEXTURE_SHARES = (0.12, 0.4)
BACKGROUND_CONTRAST = 0.5
BACKGROUND_LIGHT = (45.0, 105.0)  # bounds of the mean, of 255
BACKGROUND_BLUR = 0.8  # sigma in pixels, in an image of REFERENCE_SIDE
TEXTURE_CONTRAST = 0.5
OBJECT_LIGHT = (150.0, 225.0)  # of 255, above BACKGROUND_LIGHT
TINT = 35.0  # most that a channel differs from the light, of 255
SLOPE = 0.2  # most that the light changes across an object
RIM_WIDTH = 1.6  # pixels, in an image of REFERENCE_SIDE
RIM_LIGHT = 0.55


def paint(
    background: Photograph, placed: list[Placed], side: int, rng: np.random.Generator
) -> np.ndarray:
    """Paint one image.

    Args:
        background: The photograph behind the objects.
        placed: The objects, back to front.
        side: Width and height of the image in pixels.
        rng: Draws crops, light and colours.

    Returns:
        uint8 (side, side, 3) in BGR.
    """
    canvas = _background(background, side, rng)
    for item in placed:
        surface = _surface(item, side, rng)
        alpha = item.coverage[..., None]
        canvas = canvas * (1 - alpha) + surface * alpha
    return np.clip(np.round(canvas), 0, 255).astype(np.uint8)


def _background(photograph: Photograph, side: int, rng: np.random.Generator) -> np.ndarray:
    """float32 (side, side, 3): a large square crop, slightly blurred and with less contrast."""
    crop = _square(photograph, BACKGROUND_SHARES, side, rng)
    crop = cv2.GaussianBlur(crop, (0, 0), BACKGROUND_BLUR * side / REFERENCE_SIDE)
    mean = crop.mean(axis=(0, 1))
    level = max(float(mean.mean()), 1.0)
    return (crop - mean) * BACKGROUND_CONTRAST + mean * (np.clip(level, *BACKGROUND_LIGHT) / level)


def _surface(item: Placed, side: int, rng: np.random.Generator) -> np.ndarray:
    """float32 (side, side, 3): the object's texture in its own light, with a dark rim."""
    patch = _square(item.planned.texture, TEXTURE_SHARES, side, rng)
    colour = rng.uniform(*OBJECT_LIGHT) + rng.uniform(-TINT, TINT, size=3)
    surface = (patch - patch[item.mask].mean(axis=0)) * TEXTURE_CONTRAST + colour
    return surface * _light(item.mask, rng) * _rim(item.mask)


def _light(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """float32 (side, side, 1): light that fades across the object in a random direction."""
    rows, columns = np.nonzero(mask)
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]].astype(np.float32)
    reach = max(int(np.ptp(rows)), int(np.ptp(columns)), 1) / 2
    along = ((x - columns.mean()) * np.cos(angle) + (y - rows.mean()) * np.sin(angle)) / reach
    return (1 + SLOPE * np.clip(along, -1, 1)).astype(np.float32)[..., None]


def _rim(mask: np.ndarray) -> np.ndarray:
    """float32 (side, side, 1): `RIM_LIGHT` outside and at the edge, rising to 1 in `RIM_WIDTH`."""
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    inward = np.clip(depth / (RIM_WIDTH * len(mask) / REFERENCE_SIDE) - 0.5, 0, 1)
    return (RIM_LIGHT + (1 - RIM_LIGHT) * inward).astype(np.float32)[..., None]


def _square(
    photograph: Photograph, shares: tuple[float, float], side: int, rng: np.random.Generator
) -> np.ndarray:
    """float32 (side, side, 3): a random square crop of a photograph, flipped half the time."""
    image = pixels_of(photograph)
    crop = image[_square_box(rng, image.shape[:2], shares)]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    method = cv2.INTER_AREA if len(crop) > side else cv2.INTER_LINEAR
    return cv2.resize(crop, (side, side), interpolation=method).astype(np.float32)


def _square_box(
    rng: np.random.Generator, size: tuple[int, int], shares: tuple[float, float]
) -> tuple[slice, slice]:
    """The rows and columns of a random square crop.

    Args:
        rng: The generator to draw from.
        size: Height and width of the image in pixels.
        shares: Smallest and largest side of the crop, as a share of the image's shorter side.
    """
    length = max(1, round(min(size) * rng.uniform(*shares)))
    top, left = (int(rng.integers(0, whole - length + 1)) for whole in size)
    return slice(top, top + length), slice(left, left + length)
