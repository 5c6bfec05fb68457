"""The size, rotation and place of each object in an image, so that every one stays visible."""

from dataclasses import dataclass

import cv2
import numpy as np

from soco.demo.forms import loops_of

REFERENCE_SIDE = 128  # pixels
SIDES = (28.0, 72.0)  # of an object, in an image of REFERENCE_SIDE
LARGEST_TURN = 18.0  # degrees, in both directions
LARGEST_STRETCH = 1.2  # factor between width and height
LEAST_VISIBLE = 0.4  # share of an object's mask
TRIES = 30
_SUBPIXELS = 8  # points per side of a pixel, for anti-aliased edges


@dataclass(frozen=True)
class Placed:
    """An object in its place.

    Attributes:
        category: Name of its fine category.
        box: Rows and columns of the pixels that it touches.
        coverage: float32, the share of each pixel of the box that it covers.
        mask: bool (side, side), the pixels that it covers by half or more.
    """

    category: str
    box: tuple[slice, slice]
    coverage: np.ndarray
    mask: np.ndarray


def arrange(categories: tuple[str, ...], side: int, rng: np.random.Generator) -> list[Placed]:
    """Place objects, each over the ones before it, so that none loses more than 60 % of its mask.

    An object that finds no place in `TRIES` draws is dropped.

    Args:
        categories: The fine category of each object, back to front.
        side: Width and height of the image in pixels.
        rng: Draws size, rotation and place.
    """
    placed: list[Placed] = []
    for category in categories:
        for attempt in range(TRIES):
            candidate = _draw(category, side, 1.0 - 0.5 * attempt / TRIES, rng)
            if _all_visible([*placed, candidate]):
                placed.append(candidate)
                break
    return placed


def ownership(placed: list[Placed], side: int) -> np.ndarray:
    """int32 (side, side): 0 for the background, else 1 + the index of the visible object."""
    owner = np.zeros((side, side), np.int32)
    for index, item in enumerate(placed, start=1):
        owner[item.mask] = index
    return owner


def _all_visible(placed: list[Placed]) -> bool:
    owner = ownership(placed, placed[0].mask.shape[0])
    visible = np.bincount(owner.ravel(), minlength=len(placed) + 1)[1:]
    whole = np.array([item.mask.sum() for item in placed])
    return bool(np.all(whole > 0) and np.all(visible >= LEAST_VISIBLE * whole))


def _draw(category: str, side: int, shrink: float, rng: np.random.Generator) -> Placed:
    """Draw one object entirely inside the image; `shrink` below 1 makes large ones less likely."""
    low, high = (limit * side / REFERENCE_SIDE for limit in SIDES)
    length = low * (max(low, high * shrink) / low) ** rng.random()
    stretch = LARGEST_STRETCH ** rng.uniform(-1, 1)
    turn = rng.uniform(-LARGEST_TURN, LARGEST_TURN)
    loops = loops_of(category, length, turn, stretch, bool(rng.random() < 0.5))
    reach = np.abs(np.concatenate(loops)).max(axis=0) + 1.0
    centre = reach + rng.random(2) * np.maximum(0.0, side - 2 * reach)
    loops = [loop + centre for loop in loops]
    box = _box(np.concatenate(loops), side)
    coverage = _coverage(loops, box)
    mask = np.zeros((side, side), bool)
    mask[box] = coverage >= 0.5
    return Placed(category, box, coverage, mask)


def _box(points: np.ndarray, side: int) -> tuple[slice, slice]:
    """Rows and columns of the pixels that contain the points, inside the image."""
    low = np.clip(np.floor(points.min(axis=0)), 0, side - 1).astype(int).tolist()
    high = np.clip(np.ceil(points.max(axis=0)), 1, side).astype(int).tolist()
    return slice(low[1], high[1]), slice(low[0], high[0])


def _coverage(loops: list[np.ndarray], box: tuple[slice, slice]) -> np.ndarray:
    """float32 over the box: the share of each pixel's 8 x 8 points inside the loops (even-odd)."""
    rows, columns = box
    height, width = rows.stop - rows.start, columns.stop - columns.start
    corner = (columns.start, rows.start)
    points = [np.round((loop - corner) * _SUBPIXELS - 0.5).astype(np.int32) for loop in loops]
    canvas = np.zeros((height * _SUBPIXELS, width * _SUBPIXELS), np.uint8)
    cv2.fillPoly(canvas, points, 255)
    blocks = canvas.reshape(height, _SUBPIXELS, width, _SUBPIXELS)
    return blocks.mean(axis=(1, 3), dtype=np.float32) / 255.0
