"""Read one picture as a viewer would show it."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps


class UnreadablePictureError(Exception):
    """A file that is no picture, or a broken one; the message is the reason."""


def read_rgb(path: str | Path) -> npt.NDArray[np.uint8]:
    """Decode a picture, upright by its EXIF orientation.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        UnreadablePictureError: The file is missing, empty, truncated or in no known format.
    """
    try:
        with Image.open(path) as picture:
            upright = ImageOps.exif_transpose(picture)
            return np.array(upright.convert("RGB"))
    except Exception as error:  # a broken file makes decoders fail in many ways, and none may end a run of thousands
        raise UnreadablePictureError(_reason(error)) from None


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "the file is missing"
    if "cannot identify" in str(error):
        return "not in a known picture format"
    return str(error) or type(error).__name__
