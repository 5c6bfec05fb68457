"""The box and the area of one object: used, or repaired after the mask."""

from collections.abc import Mapping
from typing import Any

from soco.data.checks.masks import TOLERANCE, is_numbers, mask_area
from soco.data.checks.run_lengths import Box
from soco.data.checks.tables import Entry

Faults = Mapping[str, list[Any]]
"""Labels of the objects that have a fault, by its name in `soco.data.checks.objects.FAULTS`."""

_ROUNDING = 1.01


def corners_of(box: Any) -> Box | None:
    """x1, y1, x2, y2 of a `bbox`; None where it is not four numbers, or without an area."""
    if not is_numbers(box, 4) or box[2] <= 0 or box[3] <= 0:
        return None
    return box[0], box[1], box[0] + box[2], box[1] + box[3]


def near(corners: Box, around: Box) -> bool:
    """Whether no side of a box is further from the mask's than three pixels or a tenth of the mask's longer side."""
    allowed = max(3.0, 0.1 * max(around[2] - around[0], around[3] - around[1]))
    return all(abs(ours - theirs) <= allowed for ours, theirs in zip(corners, around, strict=True))


def mend_box(
    entry: Entry, around: Box, width: int, height: int, faults: Faults, label: Any
) -> bool:
    """Make an object's box one within its image; returns whether there is one."""
    corners = corners_of(entry.get("bbox"))
    if corners is None:
        faults["broken box"].append(label)
        entry["bbox"] = [around[0], around[1], around[2] - around[0], around[3] - around[1]]
        return True
    if corners[0] >= width or corners[1] >= height or corners[2] <= 0 or corners[3] <= 0:
        faults["box outside"].append(label)
        return False
    x1, y1, x2, y2 = (
        max(corners[0], 0),
        max(corners[1], 0),
        min(corners[2], width),
        min(corners[3], height),
    )
    if max(x1 - corners[0], y1 - corners[1], corners[2] - x2, corners[3] - y2) > TOLERANCE:
        faults["box beyond"].append(label)
        entry["bbox"] = [x1, y1, x2 - x1, y2 - y1]
    elif not near(corners, around):
        faults["box unlike mask"].append(label)
    return True


def mend_area(entry: Entry, width: int, height: int, faults: Faults, label: Any) -> None:
    """Count an object's `area` in its mask where it is missing or impossible.

    Box and mask are repaired before.
    """
    area: Any = entry.get("area")
    if not is_numbers([area]):
        faults["no area"].append(label)
    elif (
        area < 0
        or area > _ROUNDING * width * height
        or _is_share(area, entry["bbox"], width * height)
    ):
        faults["impossible area"].append(label)
    else:
        return
    entry["area"] = mask_area(entry["segmentation"], width, height)


def _is_share(area: float, box: list[float], pixels: int) -> bool:
    """Whether an area can only be a share of the image.

    Below a pixel, and as large as the box if multiplied.
    """
    covered = box[2] * box[3]
    return area < 1 and covered >= 16 and covered / 4 <= area * pixels <= 1.1 * covered
