"""Read one picture as a viewer would show it."""

import io
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


def decode_rgb(data: bytes, max_pixels: int | None = None) -> npt.NDArray[np.uint8]:
    """Decode the bytes of a picture, upright by its EXIF orientation.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        UnreadablePictureError: They are no picture, a broken one, or one of more than `max_pixels`.
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if max_pixels is not None and picture.width * picture.height > max_pixels:
                raise UnreadablePictureError(f"more than {max_pixels} pixels")
            return np.array(ImageOps.exif_transpose(picture).convert("RGB"))
    except UnreadablePictureError:
        raise
    except Exception as error:
        raise UnreadablePictureError(_reason(error)) from None


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "the file is missing"
    if "cannot identify" in str(error):
        return "not in a known picture format"
    return str(error) or type(error).__name__
