"""The pixels of a composed image: objects of their materials in front of a blurred crop."""

import cv2
import numpy as np

from soco.demo.arrange import REFERENCE_SIDE, Placed
from soco.demo.materials import Patch, mean_light, pixels_of_patch
from soco.demo.photographs import Photograph, pixels_of

BACKGROUND_SHARES = (0.4, 1.0)  # side of a crop, of the photograph's shorter side
BACKGROUND_CONTRAST = 12.0  # standard deviation, of 255
BACKGROUND_LIGHT = (60.0, 90.0)  # mean, of 255
BACKGROUND_BLUR = 3.0  # sigma in pixels, in an image of REFERENCE_SIDE
_LEAST_CONTRAST = 8.0  # a sky is not stretched to the contrast of the others
OBJECT_LIGHT = (120.0, 170.0)  # mean of a material, of 255; above BACKGROUND_LIGHT
TINT = 0.08  # most that a channel's factor differs from the light's
SLOPE = 0.2  # most that the light changes across an object
RIM_WIDTH = 1.2  # pixels, in an image of REFERENCE_SIDE
RIM_LIGHT = 0.55


def paint(
    background: Photograph,
    objects: list[tuple[Placed, Patch]],
    side: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Paint one image.

    Args:
        background: The photograph behind the objects.
        objects: Each object with the patch that covers it, back to front.
        side: Width and height of the image in pixels.
        rng: Draws crops, light and colours.

    Returns:
        uint8 (side, side, 3) in BGR.
    """
    canvas = _background(background, side, rng)
    for placed, patch in objects:
        surface = _surface(placed, patch, rng)
        alpha = placed.coverage[..., None]
        canvas[placed.box] = canvas[placed.box] * (1 - alpha) + surface * alpha
    return np.clip(np.round(canvas), 0, 255).astype(np.uint8)


def _background(photograph: Photograph, side: int, rng: np.random.Generator) -> np.ndarray:
    """float32 (side, side, 3): a large square crop, out of focus, grey and faint.

    A background in its own colours would tell images apart better than any object does, and
    pretraining would learn backgrounds.
    """
    crop = _square(photograph, side, rng)
    crop = cv2.GaussianBlur(crop, (0, 0), BACKGROUND_BLUR * side / REFERENCE_SIDE)
    grey = crop.mean(axis=2, keepdims=True)
    grey = (grey - grey.mean()) / max(float(grey.std()), _LEAST_CONTRAST) * BACKGROUND_CONTRAST
    return np.repeat(grey + rng.uniform(*BACKGROUND_LIGHT), 3, axis=2).astype(np.float32)


def _square(photograph: Photograph, side: int, rng: np.random.Generator) -> np.ndarray:
    """float32 (side, side, 3): a random square crop of a photograph, flipped half the time."""
    image = pixels_of(photograph)
    length = max(1, round(min(image.shape[:2]) * rng.uniform(*BACKGROUND_SHARES)))
    top, left = (int(rng.integers(0, whole - length + 1)) for whole in image.shape[:2])
    crop = _flipped(image[top : top + length, left : left + length], rng)
    method = cv2.INTER_AREA if length > side else cv2.INTER_LINEAR
    return cv2.resize(crop, (side, side), interpolation=method).astype(np.float32)


def _surface(placed: Placed, patch: Patch, rng: np.random.Generator) -> np.ndarray:
    """float32 over the object's box: its patch in its own light, with a dark rim.

    The patch fills the square around the box: a larger object shows larger grains.
    """
    height, width = placed.coverage.shape
    texture = _flipped(pixels_of_patch(patch, max(height, width)), rng)[:height, :width]
    light = rng.uniform(*OBJECT_LIGHT) / mean_light(patch.material)
    # One factor for a channel keeps the material's own colours and contrast.
    factors = (light * (1 + rng.uniform(-TINT, TINT, size=3))).astype(np.float32)
    mask = placed.mask[placed.box]
    return texture * factors * _slope(mask, rng) * _rim(mask, len(placed.mask))


def _flipped(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return crop[:, ::-1] if rng.random() < 0.5 else crop


def _slope(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """float32 over the box: light that fades across the object in a random direction."""
    height, width = mask.shape
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    reach = max(height, width) / 2
    along = (x - (width - 1) / 2) * np.cos(angle) + (y - (height - 1) / 2) * np.sin(angle)
    return (1 + SLOPE * np.clip(along / reach, -1, 1)).astype(np.float32)[..., None]


def _rim(mask: np.ndarray, side: int) -> np.ndarray:
    """float32 over the box: `RIM_LIGHT` outside and at the edge, rising to 1 in `RIM_WIDTH`."""
    # The border keeps the distance to the edge where the object touches its box.
    padded = np.pad(mask.astype(np.uint8), 1)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    inward = np.clip(depth / (RIM_WIDTH * side / REFERENCE_SIDE) - 0.5, 0, 1)
    return (RIM_LIGHT + (1 - RIM_LIGHT) * inward).astype(np.float32)[..., None]
