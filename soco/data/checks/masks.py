"""Check the mask of one object: its usable part, and what is wrong with the rest."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pycocotools.mask as mask_tools

from soco.data.checks.run_lengths import Box, bounds, covered, run_lengths

TOLERANCE = 1.0
"""Pixels that a box or polygon may reach beyond its image, because of rounding."""

FARTHEST = 10
"""How far a polygon may reach beyond its image, in longer sides of the image.

Drawing a polygon that reaches further would take unbounded memory.
"""

_LARGEST = 1e15  # of a coordinate
_NUMBERS = {int, float}  # exact types, so that a bool does not count
_DEEPEST = 4  # nested lists around a polygon


@dataclass(frozen=True)
class Mask:
    """The usable part of an object's `segmentation`.

    Attributes:
        segmentation: Polygons, or a run-length mask; None if nothing is usable.
        box: x1, y1, x2, y2 of its part inside the image; None if `segmentation` is None.
        extent: x1, y1, x2, y2 of all polygons that can be read, even outside the image; None if
            none can.
        faults: Codes of the faults found, see `soco.data.checks.sentences`.
    """

    segmentation: Any
    box: Box | None
    extent: Box | None
    faults: tuple[str, ...] = ()


def read_mask(segmentation: Any, width: int, height: int) -> Mask:
    """Check a `segmentation`, and drop what is broken in it.

    Args:
        segmentation: The value in the annotation file.
        width: Width of the image, in pixels.
        height: Height of the image, in pixels.
    """
    if isinstance(segmentation, dict):
        return _run_length_mask(segmentation, width, height)
    if not isinstance(segmentation, list) or not segmentation:
        return Mask(None, None, None, ("mask.none",))
    if all(map(_is_polygon, segmentation)):
        return _polygons(segmentation, [], width, height)
    polygons = list(_unwrapped(segmentation))
    faults = dict.fromkeys(_fault_of(polygon) for polygon in polygons if not _is_polygon(polygon))
    if is_numbers(segmentation):
        faults["mask.not_in_list"] = None
    sound = [polygon for polygon in polygons if _is_polygon(polygon)]
    if {*map(id, sound)} - {*map(id, segmentation), id(segmentation)}:
        faults["polygon.nested"] = None
    return _polygons(sound, [*faults], width, height)


def encode_mask(segmentation: Any, width: int, height: int) -> Any:
    """Encode a usable mask, on an image of this size, as pycocotools' compressed run lengths."""
    if isinstance(segmentation, dict):
        if isinstance(segmentation["counts"], str):
            return segmentation
        return mask_tools.frPyObjects(segmentation, height, width)
    return mask_tools.merge(mask_tools.frPyObjects(segmentation, height, width))


def mask_area(segmentation: Any, width: int, height: int) -> float:
    """Count the pixels that a usable mask covers, on an image of this size."""
    return float(mask_tools.area(encode_mask(segmentation, width, height)))


def is_numbers(value: Any, count: int | None = None) -> bool:
    """Whether a value is a list of finite numbers below 1e15, `count` of them if given."""
    if (
        not isinstance(value, list)
        or count not in (None, len(value))
        or not {*map(type, value)} <= _NUMBERS
    ):
        return False
    if not value:
        return True
    try:
        return all(map(math.isfinite, value)) and min(value) > -_LARGEST and max(value) < _LARGEST
    except OverflowError:  # an integer with hundreds of digits
        return False


def _run_length_mask(mask: dict[str, Any], width: int, height: int) -> Mask:
    if not {"size", "counts"} <= mask.keys():
        return Mask(None, None, None, ("mask.unknown_form",))
    counts = run_lengths(mask, width, height)
    if counts is None:
        return Mask(None, None, None, ("mask.bad_run_lengths",))
    if not covered(counts):
        return Mask(None, None, None, ("mask.none",))
    box = bounds(counts, height)
    return Mask(mask, box, box)


def _unwrapped(value: Any, depth: int = _DEEPEST) -> Iterator[Any]:
    """The polygons in a value as flat lists, however they are nested: [[[x, y], [x, y], ...]]."""
    if not isinstance(value, list) or is_numbers(value) or not depth:
        yield value
    elif len(value) >= 3 and all(is_numbers(point, 2) for point in value):
        yield [number for point in value for number in point]
    elif any(isinstance(item, list) for item in value):
        for item in value:
            yield from _unwrapped(item, depth - 1)
    else:
        yield value


def _fault_of(polygon: Any) -> str:
    if is_numbers(polygon):
        return "polygon.broken"
    if isinstance(polygon, list) and {*map(type, polygon)} <= _NUMBERS:
        return "polygon.not_finite"
    return "polygon.not_numbers"


def _polygons(sound: list[Any], faults: list[str], width: int, height: int) -> Mask:
    """Keep the polygons that are at least partly inside the image."""
    extents = [(min(it[::2]), min(it[1::2]), max(it[::2]), max(it[1::2])) for it in sound]
    inside = []
    boxes = []
    beyond = 0.0
    for polygon, (x1, y1, x2, y2) in zip(sound, extents, strict=True):
        box = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
        over = max(-x1, -y1, x2 - width, y2 - height)
        if over > FARTHEST * max(width, height):
            faults.append("polygon.far")
        elif box[2] > box[0] and box[3] > box[1]:
            inside.append(polygon)
            boxes.append(box)
            beyond = max(beyond, over)
        else:
            faults.append("polygon.outside")
    extent = _around(extents) if extents else None
    if not inside:
        return Mask(None, None, extent, (*dict.fromkeys(faults), "mask.none"))
    if beyond > TOLERANCE:
        faults.append("polygon.beyond")
    return Mask(inside, _around(boxes), extent, tuple(dict.fromkeys(faults)))


def _around(boxes: list[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _is_polygon(value: Any) -> bool:
    return is_numbers(value) and len(value) >= 6 and len(value) % 2 == 0
