"""The mask of one object: what of it can be used, and what is wrong with it."""

import math
from dataclasses import dataclass
from typing import Any

import pycocotools.mask as mask_tools

from soco.checks.run_lengths import Box, bounds, covered, run_lengths

TOLERANCE = 1.0
"""Pixels that a box or polygon may reach beyond its picture, as rounding makes it."""

_NUMBERS = {int, float}


@dataclass(frozen=True)
class Mask:
    """The usable part of an object's `segmentation`.

    Attributes:
        segmentation: Polygons, or a run-length mask; None where nothing is usable.
        box: x1, y1, x2, y2 of what of it lies in the picture; None with it.
        faults: Names of the faults found, keys of `soco.checks.objects.FAULTS`.
    """

    segmentation: Any
    box: Box | None
    faults: tuple[str, ...] = ()


def read_mask(segmentation: Any, width: int, height: int) -> Mask:
    """Judge a `segmentation` on a picture of this size."""
    if isinstance(segmentation, dict):
        return _run_length_mask(segmentation, width, height)
    if not isinstance(segmentation, list) or not segmentation:
        return Mask(None, None, ("no mask",))
    if is_numbers(segmentation):
        mask = _polygons([segmentation], width, height)
        return Mask(mask.segmentation, mask.box, ("flat polygon", *mask.faults))
    return _polygons(segmentation, width, height)


def mask_area(segmentation: Any, width: int, height: int) -> float:
    """Pixels that a usable mask covers."""
    if isinstance(segmentation, dict):
        counts = run_lengths(segmentation, width, height)
        assert counts is not None
        return float(covered(counts))
    codes = mask_tools.frPyObjects(segmentation, height, width)
    return float(mask_tools.area(mask_tools.merge(codes)))


def is_numbers(value: Any, count: int | None = None) -> bool:
    """Whether a value is a list of finite numbers, of this many if given."""
    return (
        isinstance(value, list)
        and count in (None, len(value))
        and {*map(type, value)} <= _NUMBERS
        and all(map(math.isfinite, value))
    )


def _run_length_mask(mask: dict[str, Any], width: int, height: int) -> Mask:
    counts = run_lengths(mask, width, height)
    if counts is None:
        return Mask(None, None, ("bad run lengths",))
    if not covered(counts):
        return Mask(None, None, ("no mask",))
    return Mask(mask, bounds(counts, height))


def _polygons(polygons: list[Any], width: int, height: int) -> Mask:
    sound = [polygon for polygon in polygons if _is_polygon(polygon)]
    extents = [(min(it[::2]), min(it[1::2]), max(it[::2]), max(it[1::2])) for it in sound]
    inside = []
    boxes = []
    beyond = False
    for polygon, (x1, y1, x2, y2) in zip(sound, extents, strict=True):
        box = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
        if box[2] > box[0] and box[3] > box[1]:
            inside.append(polygon)
            boxes.append(box)
            beyond |= max(-x1, -y1, x2 - width, y2 - height) > TOLERANCE
    faults = []
    if len(sound) < len(polygons):
        faults.append("broken polygon")
    if len(inside) < len(sound):
        faults.append("polygon outside")
    if not inside:
        return Mask(None, None, (*faults, "no mask"))
    if beyond:
        faults.append("polygon beyond")
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return Mask(inside, (min(lefts), min(tops), max(rights), max(bottoms)), tuple(faults))


def _is_polygon(value: Any) -> bool:
    return is_numbers(value) and len(value) >= 6 and len(value) % 2 == 0
