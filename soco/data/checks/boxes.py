"""The box and the area of one object: used as they are, or repaired from the mask."""

from collections.abc import Mapping
from typing import Any

from soco.data.checks.masks import TOLERANCE, is_numbers, mask_area
from soco.data.checks.run_lengths import Box
from soco.data.checks.tables import Entry

Faults = Mapping[str, list[Any]]
"""Labels of the objects that have a fault, by its code in `soco.data.checks.sentences`."""

_ROUNDING = 1.01  # an area may exceed the image by this factor


def corners_of(box: Any) -> Box | None:
    """x1, y1, x2, y2 of a `bbox`; None if it is not four numbers or has no area."""
    if not is_numbers(box, 4) or box[2] <= 0 or box[3] <= 0:
        return None
    return box[0], box[1], box[0] + box[2], box[1] + box[3]


def near(corners: Box, mask_box: Box) -> bool:
    """Whether each side is within 3 pixels, or a tenth of the longer side, of the mask's box."""
    allowed = max(3.0, 0.1 * max(mask_box[2] - mask_box[0], mask_box[3] - mask_box[1]))
    return all(
        abs(ours - theirs) <= allowed for ours, theirs in zip(corners, mask_box, strict=True)
    )


def repair_box(
    entry: Entry, mask_box: Box, size: tuple[int, int], faults: Faults, label: Any
) -> bool:
    """Clip an object's box to its image, or take it from the mask.

    Args:
        entry: The object, repaired in place.
        mask_box: x1, y1, x2, y2 of its mask.
        size: Width and height of its image.
        faults: Receives the faults found.
        label: The object's id.

    Returns:
        Whether the object can be used.
    """
    width, height = size
    corners = corners_of(entry.get("bbox"))
    if corners is None:
        faults["box.broken"].append(label)
        x1, y1, x2, y2 = mask_box
        entry["bbox"] = [x1, y1, x2 - x1, y2 - y1]
        return True
    if corners[0] >= width or corners[1] >= height or corners[2] <= 0 or corners[3] <= 0:
        faults["box.outside"].append(label)
        return False
    x1, y1 = max(corners[0], 0), max(corners[1], 0)
    x2, y2 = min(corners[2], width), min(corners[3], height)
    if max(x1 - corners[0], y1 - corners[1], corners[2] - x2, corners[3] - y2) > TOLERANCE:
        faults["box.beyond"].append(label)
        entry["bbox"] = [x1, y1, x2 - x1, y2 - y1]
    elif not near(corners, mask_box):
        faults["box.unlike_mask"].append(label)
    return True


def repair_area(entry: Entry, size: tuple[int, int], faults: Faults, label: Any) -> None:
    """Compute an object's `area` from its mask if it is missing or impossible.

    Args:
        entry: The object, with repaired box and mask; repaired in place.
        size: Width and height of its image.
        faults: Receives the faults found.
        label: The object's id.
    """
    width, height = size
    pixels = width * height
    area: Any = entry.get("area")
    if not is_numbers([area]):
        faults["area.none"].append(label)
    elif area < 0 or area > _ROUNDING * pixels or _is_fraction(area, entry["bbox"], pixels):
        faults["area.impossible"].append(label)
    else:
        return
    entry["area"] = mask_area(entry["segmentation"], width, height)


def _is_fraction(area: float, box: list[float], pixels: int) -> bool:
    """Whether an area must be a fraction of the image: it fits the box only in these units."""
    box_area = box[2] * box[3]
    return area < 1 and box_area >= 16 and box_area / 4 <= area * pixels <= 1.1 * box_area
