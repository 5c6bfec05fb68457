"""Masks of objects as pixels, and as overlays on an image."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pycocotools.mask as mask_tools
from PIL import Image, ImageChops, ImageFilter, ImageOps

from soco.data.checks.masks import encode_mask, read_mask

Pixels = npt.NDArray[np.bool_]
_VEIL = 0.4


def covered_pixels(segmentation: Any, width: int, height: int) -> Pixels | None:
    """The pixels of an image that an object covers.

    Args:
        segmentation: Polygons, or run lengths as numbers or as COCO's compressed string.
        width: Width of the image.
        height: Height of the image.

    Returns:
        (height, width), or None if the mask is missing, invalid or of another size.
    """
    usable = read_mask(segmentation, width, height).segmentation
    if usable is None:
        return None
    pixels: Pixels = mask_tools.decode(encode_mask(usable, width, height)).astype(bool)
    return pixels


def paint(image: Image.Image, pixels: Pixels, colour: str) -> Image.Image:
    """Overlay a mask on an image: translucent inside, opaque at its edge.

    Args:
        image: RGB, of any size.
        pixels: (H, W) of the image before it was resized.
        colour: Such as `#ffd400`.
    """
    mask = Image.fromarray(pixels).convert("L").resize(image.size, Image.Resampling.BILINEAR)
    inside = mask.point(lambda value: 255 if value > 127 else 0)
    # Beyond the image counts as outside: a mask that reaches the border has an edge there too.
    framed = ImageOps.expand(inside, border=2, fill=0).filter(ImageFilter.MinFilter(5))
    core = ImageOps.crop(framed, border=2)
    edge = ImageChops.subtract(inside, core)
    solid = Image.new("RGB", image.size, colour)
    veiled = Image.composite(Image.blend(image, solid, _VEIL), image, inside)
    return Image.composite(solid, veiled, edge)
