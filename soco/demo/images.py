"""The unlabelled images: large crops of the training photographs, a folder a scene."""

from pathlib import Path

import cv2
import numpy as np

from soco.demo.draws import crop_box
from soco.demo.photographs import Photograph, of_split, pixels_of
from soco.errors import UserError
from soco.seeds import generator

CROP_SHARES = (0.4, 1.0)
JPEG_QUALITY = 92


def write_images(folder: Path, count: int, longest: int, seed: int) -> None:
    """Writes `count` images as `folder/SCENE/NAME.jpg`.

    Args:
        folder: Receives one sub-folder a scene.
        count: Images to write; the photographs take turns.
        longest: Longest side of an image in pixels.
        seed: Decides every crop.
    """
    photographs = of_split("train", scenes_only=True)
    order = generator(seed, "pictures/order", 0).permutation(len(photographs))
    for index in range(count):
        photograph = photographs[order[index % len(photographs)]]
        path = folder / photograph.scene / f"{Path(photograph.file).stem}_{index:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, _image(photograph, longest, generator(seed, "pictures", index)))


def write_image(path: Path, image: np.ndarray) -> None:
    """Writes uint8 (height, width, 3) BGR pixels in the format that the path's suffix names.

    Raises:
        UserError: The file cannot be written.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if path.suffix == ".jpg" else []
    if not cv2.imwrite(str(path), image, options):
        raise UserError(
            f"{path} could not be written: check free space and permissions of its folder."
        )


def _image(photograph: Photograph, longest: int, rng: np.random.Generator) -> np.ndarray:
    image = pixels_of(photograph)
    crop = image[crop_box(rng, image.shape[:2], CROP_SHARES, aspect=1.5)]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    height, width = crop.shape[:2]
    scale = longest / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(crop, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
