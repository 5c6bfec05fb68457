"""The unlabelled images: large crops of the training photographs, in one folder per scene."""

from pathlib import Path

import cv2
import numpy as np

from soco.demo.photographs import Photograph, of_split, pixels_of
from soco.errors import UserError
from soco.seeds import generator

CROP_SHARES = (0.4, 1.0)  # of a photograph's sides
JPEG_QUALITY = 92


def write_images(folder: Path, count: int, longest: int, seed: int) -> None:
    """Write `count` images as `folder/SCENE/NAME.jpg`.

    Args:
        folder: Receives one sub-folder per scene.
        count: How many images to write; the photographs take turns.
        longest: Longest side of an image in pixels.
        seed: Seed of every crop.
    """
    photographs = of_split("train", scenes_only=True)
    order = generator(seed, "pictures/order", 0).permutation(len(photographs))
    for index in range(count):
        photograph = photographs[order[index % len(photographs)]]
        path = folder / photograph.scene / f"{Path(photograph.file).stem}_{index:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, _image(photograph, longest, generator(seed, "pictures", index)))


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


def _image(photograph: Photograph, longest: int, rng: np.random.Generator) -> np.ndarray:
    image = pixels_of(photograph)
    crop = image[_crop_box(rng, image.shape[:2], aspect=1.5)]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    height, width = crop.shape[:2]
    scale = longest / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(crop, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def _crop_box(
    rng: np.random.Generator, size: tuple[int, int], aspect: float
) -> tuple[slice, slice]:
    """The rows and columns of a random crop.

    Args:
        rng: The generator to draw from.
        size: Height and width of the image in pixels.
        aspect: Largest factor by which the shares of the two sides differ.
    """
    share = rng.uniform(*CROP_SHARES)
    stretch = aspect ** rng.uniform(-0.5, 0.5)
    low, high = CROP_SHARES
    sides = [
        max(1, round(side * float(np.clip(share * factor, low, high))))
        for side, factor in zip(size, (stretch, 1 / stretch), strict=True)
    ]
    starts = [
        int(rng.integers(0, whole - side + 1)) for whole, side in zip(size, sides, strict=True)
    ]
    rows, columns = (slice(start, start + side) for start, side in zip(starts, sides, strict=True))
    return rows, columns
