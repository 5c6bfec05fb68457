"""Read one image as a viewer would show it; the format is detected from the content."""

import contextlib
import dataclasses
import io
import stat
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")

# PIL's own limit on pixels is below ours, which is checked here before anything is decoded.
Image.MAX_IMAGE_PIXELS = None

MAX_BYTES = 2_000_000_000
LONGEST_SIDE = int(np.iinfo(np.int16).max)
"""Longest width or height, in pixels, of an image with proposals: stores have boxes of 16 bits."""

_EXIF_ORIENTATION = 0x0112
_SWAPPED = (5, 6, 7, 8)  # orientations that swap width and height
_PNG_SIGNATURE_BYTES = 8
# Not ImageOps.exif_transpose: it also rewrites the EXIF data, and fails where these are broken.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnreadableImageError(Exception):
    """A file that is not an image, or a broken one; the message is the reason."""


def read_rgb(path: str | Path, max_pixels: int | None = None) -> npt.NDArray[np.uint8]:
    """Decode the image in a file; see `decode_rgb`."""
    return decode_rgb(read_file(path), max_pixels)


def read_file(path: str | Path) -> bytes:
    """The bytes of a file.

    Raises:
        UnreadableImageError: It is missing, or cannot be read.
    """
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for a writer
            raise UnreadableImageError("it is not a regular file")
        check_length(status.st_size)
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise UnreadableImageError("the file is missing") from None
    except OSError as error:
        raise UnreadableImageError(f"the file cannot be read: {error.strerror}") from None


def check_length(length: int) -> None:
    """Refuse a length that the stores' 32 bits cannot express, or that one read cannot return.

    Raises:
        UnreadableImageError: More than 2 GB.
    """
    if length > MAX_BYTES:
        raise UnreadableImageError("larger than 2 GB")


def check_pixels(pixels: int, max_pixels: int | None) -> None:
    """Refuse an image with more pixels than the configuration allows; None allows any.

    Raises:
        UnreadableImageError: It has more pixels.
    """
    if max_pixels is not None and pixels > max_pixels:
        raise UnreadableImageError(
            f"{pixels / 1e6:.1f} megapixels, more than images.max_megapixels allows"
            f" ({max_pixels / 1e6:g})"
        )


def decode_rgb(data: bytes, max_pixels: int | None = None) -> npt.NDArray[np.uint8]:
    """Decode the first frame of an image, upright by its EXIF orientation, on a white background.

    16-bit channels are reduced to their high byte. ICC profiles are ignored.

    Args:
        data: The whole file.
        max_pixels: Maximum width times height; None allows any.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        UnreadableImageError: It is empty, truncated, in no known format, too large, or has values
            without a defined white (floats, 32-bit integers).
    """
    return decode_reduced(data, 1, max_pixels).rgb


@dataclasses.dataclass(frozen=True)
class Decoded:
    """A decoded image.

    Attributes:
        rgb: (H, W, 3) uint8, upright; H and W are the size divided by the reduction, rounded up.
        size: Width and height of the whole image, upright.
        reduction: 1, 2, 4 or 8: how many pixels of the image a side of a pixel of `rgb` covers.
    """

    rgb: npt.NDArray[np.uint8]
    size: tuple[int, int]
    reduction: int


def decode_reduced(data: bytes, reduction: int, max_pixels: int | None = None) -> Decoded:
    """Decode an image as `decode_rgb` does, but a JPEG at 1/2, 1/4 or 1/8 of its size.

    A JPEG's decoder makes the smaller image from its low frequencies, in less time and memory.
    Other formats are decoded at full size. So is a JPEG with an EXIF orientation whose sides are
    not multiples of the reduction: after the rotation, its first row or column would be a fraction
    of a pixel.

    Args:
        data: The whole file.
        reduction: 1, 2, 4 or 8.
        max_pixels: Maximum width times height of the full image; None allows any.

    Raises:
        UnreadableImageError: As `decode_rgb` does.
    """
    with _opened(data) as image:
        width, height = image.size
        check_pixels(width * height, max_pixels)
        reduction = _reduce(image, reduction)
        image.load()
        # Only after load(): a PNG may have its EXIF data behind the pixels.
        orientation = _orientation_left(image)
        rgb = _to_rgb(image)
        if orientation in _UPRIGHT:
            rgb = rgb.transpose(_UPRIGHT[orientation])
        size = (height, width) if orientation in _SWAPPED else (width, height)
        # rgb.size, where it is the whole image: PIL has already swapped the sides of a TIFF.
        return Decoded(np.array(rgb), rgb.size if reduction == 1 else size, reduction)


def _reduce(image: Image.Image, reduction: int) -> int:
    """Set a JPEG's decoder to a smaller size, if possible; return the reduction."""
    width, height = image.size
    divides = width % reduction == 0 and height % reduction == 0
    is_jpeg = image.format in ("JPEG", "MPO")  # MPO: phones' JPEGs with a second image
    if (
        not is_jpeg
        or min(width, height) < reduction
        or (_orientation_left(image) != 1 and not divides)
    ):
        return 1
    image.draft(None, (width // reduction, height // reduction))
    return reduction if image.size != (width, height) else 1


@dataclasses.dataclass(frozen=True)
class Header:
    """What an image's header says.

    Attributes:
        size: Width and height of what `decode_rgb` returns.
        orientation: The EXIF orientation, 1 to 8, that `decode_rgb` undoes; 5 to 8 swap the sides.
    """

    size: tuple[int, int]
    orientation: int


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height of an image as `decode_rgb` returns it; see `image_header`."""
    return image_header(data).size


def image_header(data: bytes) -> Header:
    """Size and orientation of an image, without decoding it.

    Args:
        data: The file, or its beginning with the whole header (WebP needs the whole file).

    Raises:
        UnreadableImageError: It has no image header.
    """
    with _opened(data) as image:
        if image.format == "PNG" and "exif" not in image.info:
            image.info.update(_late_exif(data))
        width, height = _stored_size(image)
        orientation = _orientation(image)
        return Header((height, width) if orientation in _SWAPPED else (width, height), orientation)


def _late_exif(data: bytes) -> dict[str, bytes]:
    """The EXIF data after the pixels of a PNG, without decoding the pixels."""
    place = _PNG_SIGNATURE_BYTES
    while place + 8 <= len(data):
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        if kind == b"eXIf":
            # With the prefix of a JPEG's EXIF segment, which PIL's parser expects.
            return {"exif": b"Exif\0\0" + data[place + 8 : place + 8 + length]}
        place += length + 12  # the length, the kind and the checksum have 12 bytes
    return {}


@contextlib.contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """Open an image and read its header; any failure becomes an `UnreadableImageError`."""
    if not data:
        raise UnreadableImageError("the file is empty")
    try:
        # PIL warns about faults that it tolerates, such as corrupt EXIF data.
        with _QUIET, Image.open(io.BytesIO(data), formats=FORMATS) as image:
            yield image
    except UnreadableImageError:
        raise
    except Exception as error:  # decoders fail in many ways, and one image must not end a run
        raise UnreadableImageError(_reason(error)) from None


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return (
            "not in a known image format (JPEG, PNG, GIF, WebP, BMP, TIFF), or its header is broken"
        )
    return str(error) or type(error).__name__


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """Width and height as stored; PIL swaps those of a TIFF according to its orientation tag."""
    width, height = image.size
    swapped = isinstance(image, TiffImageFile) and image.tag_v2.get(_EXIF_ORIENTATION) in _SWAPPED
    return (height, width) if swapped else (width, height)


def _orientation_left(image: Image.Image) -> int:
    """The orientation that is still to be undone; PIL undoes a TIFF's when it decodes it."""
    return 1 if image.format == "TIFF" else _orientation(image)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 if there is none, or a broken one."""
    try:
        # Not the format's own getexif, which decodes the whole image for PNG.
        orientation = Image.Image.getexif(image).get(_EXIF_ORIENTATION)
    except Exception:
        return 1
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise UnreadableImageError(
            "its values are floats, whose white is not defined; save it with 8 or 16 bits"
        )
    # Older versions of PIL open a 16-bit grey PNG as I, too; newer ones as I;16.
    if image.mode == "I" and image.format != "PNG":
        raise UnreadableImageError(
            "its values are signed or 32-bit integers, whose white is not defined; save it with 8"
            " or 16 bits"
        )
    if image.mode.startswith("I"):  # 16-bit grey; a conversion by PIL would clip at 255
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        shown = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


class _Quiet:
    """Suppresses warnings while any thread is inside; `catch_warnings` is not thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                warnings.simplefilter("ignore")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._saved.__exit__(None, None, None)


_QUIET = _Quiet()
