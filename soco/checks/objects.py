"""The objects of one half: each is kept, mended or left out; what was found is told."""

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from soco.checks.findings import Findings, Kind
from soco.checks.masks import TOLERANCE, is_numbers, mask_area, read_mask
from soco.checks.run_lengths import Box
from soco.checks.tables import Entry, whole

MOST_LEFT_OUT = 0.1
"""Share of pictures, and of objects, above which a half is refused rather than mended."""

FAULTS: dict[str, tuple[Kind, str, str]] = {
    "unknown picture": ("mended", "Objects on pictures that `images` does not list", "left out"),
    "unknown category": ("mended", "Objects of categories that `categories` does not list", "left out"),
    "spelled ids": ("mended", "Objects that name picture or category by text", "read as whole numbers"),
    "no mask": ("mended", "Objects without a mask, on which the detector trains", "left out"),
    "bad run lengths": ("mended", "Run-length masks that are broken or not of their picture's size", "left out"),
    "flat polygon": ("mended", "Polygons that are not in a list of polygons", "put into one"),
    "broken polygon": ("mended", "Objects with polygons of fewer than three points or an odd count", "these left out"),
    "polygon outside": ("mended", "Objects with polygons of which no part lies in the picture", "these left out"),
    "polygon beyond": (
        "noted",
        "Objects with polygons that reach beyond the picture",
        "what is outside counts nothing",
    ),
    "broken box": ("mended", "Boxes that are no four numbers, or without an area", "taken from the mask"),
    "box outside": ("mended", "Boxes wholly outside their picture", "the objects are left out"),
    "box beyond": ("mended", "Boxes that reach beyond their picture", "cut at its edge"),
    "box unlike mask": ("noted", "Boxes that do not enclose their mask closely", "used as they are; look at some"),
    "no area": (
        "mended",
        "Objects without `area`, which the evaluator sorts small from large by",
        "counted in the mask",
    ),
    "no iscrowd": ("mended", "Objects without `iscrowd`, which the evaluator needs, as 0 or 1", "set, to 0 if missing"),
    "ignored": (
        "mended",
        "Objects with `ignore`, which detectron2 refuses",
        "made crowd regions, neither hit nor miss",
    ),
}
_LEFT_OUT = ("unknown category", "no mask", "bad run lengths", "box outside")


@dataclass
class _Log:
    """Who has which fault, and how boxes compare with their masks."""

    faults: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    compared: int = 0
    corners: list[Any] = field(default_factory=list)


def check_objects(
    entries: list[Entry],
    images: Mapping[int, Entry],
    unusable: Set[int],
    categories: Set[int],
    crowds: bool,
    findings: Findings,
) -> list[Entry]:
    """Judge every object.

    Args:
        entries: The table `annotations`; entries are changed in place where they are mended.
        images: The usable pictures by id, with whole `width` and `height`.
        unusable: Ids of listed pictures that are left out; their objects go without a word.
        categories: The known category ids.
        crowds: Whether the format knows `iscrowd` (COCO does, LVIS does not).
        findings: Receives what was found.

    Returns:
        The objects that can be used.
    """
    log = _Log()
    kept = []
    for place, entry in enumerate(entries):
        picture = whole(entry.get("image_id"))
        if picture in unusable:
            continue
        if _judge(entry, images.get(picture) if picture is not None else None, categories, crowds, log, place):
            kept.append(entry)
    for name, (kind, what, then) in FAULTS.items():
        findings.add(kind, what, log.faults[name], then)
    _refuse_corners(log, findings)
    lost = [label for name in _LEFT_OUT for label in log.faults[name]]
    if len(lost) > MOST_LEFT_OUT * len(entries):
        findings.add("refused", f"Objects left out, of {len(entries)}", lost, "more than a tenth: correct the file")
    _note_mixture(kept, findings)
    _number(kept, findings)
    return kept


def _judge(entry: Entry, image: Entry | None, categories: Set[int], crowds: bool, log: _Log, place: int) -> bool:
    """Judge one object, mend it in place; returns whether it can be used."""
    label = entry.get("id", f"number {place + 1}")
    category = whole(entry.get("category_id"))
    if image is None or category not in categories:
        log.faults["unknown picture" if image is None else "unknown category"].append(label)
        return False
    if type(entry["image_id"]) is not int or type(entry["category_id"]) is not int:
        log.faults["spelled ids"].append(label)
        entry["image_id"], entry["category_id"] = image["id"], category
    size = image["width"], image["height"]
    mask = read_mask(entry.get("segmentation"), *size)
    for fault in mask.faults:
        log.faults[fault].append(label)
    if mask.segmentation is None or mask.box is None:
        return False
    entry["segmentation"] = mask.segmentation
    if not _mend_box(entry, mask.box, *size, log, label):
        return False
    if not is_numbers([entry.get("area")]):
        log.faults["no area"].append(label)
        entry["area"] = mask_area(mask.segmentation, *size)
    if crowds:
        _mend_crowd(entry, log, label)
    return True


def _mend_box(entry: Entry, around: Box, width: int, height: int, log: _Log, label: Any) -> bool:
    """Make an object's box one within its picture; returns whether there is one."""
    box: Any = entry.get("bbox")
    if not is_numbers(box, 4) or box[2] <= 0 or box[3] <= 0:
        log.faults["broken box"].append(label)
        entry["bbox"] = [around[0], around[1], around[2] - around[0], around[3] - around[1]]
        return True
    corners = (box[0], box[1], box[0] + box[2], box[1] + box[3])
    agrees = _near(corners, around)
    log.compared += 1
    if not agrees and _near(tuple(box), around):
        log.corners.append(label)
    if corners[0] >= width or corners[1] >= height or corners[2] <= 0 or corners[3] <= 0:
        log.faults["box outside"].append(label)
        return False
    x1, y1, x2, y2 = max(corners[0], 0), max(corners[1], 0), min(corners[2], width), min(corners[3], height)
    if max(x1 - corners[0], y1 - corners[1], corners[2] - x2, corners[3] - y2) > TOLERANCE:
        log.faults["box beyond"].append(label)
        entry["bbox"] = [x1, y1, x2 - x1, y2 - y1]
    elif not agrees:
        log.faults["box unlike mask"].append(label)
    return True


def _near(corners: tuple[float, ...], around: Box) -> bool:
    """Whether no side of a box is further from the mask's than three pixels or a tenth of the mask's longer side."""
    allowed = max(3.0, 0.1 * max(around[2] - around[0], around[3] - around[1]))
    return all(abs(ours - theirs) <= allowed for ours, theirs in zip(corners, around, strict=True))


def _refuse_corners(log: _Log, findings: Findings) -> None:
    if len(log.corners) > log.compared / 2:
        what = f"Boxes, of {log.compared}, that fit their masks only as x1, y1, x2, y2"
        findings.add("refused", what, log.corners, "COCO's are x, y, width, height: convert them")


def _mend_crowd(entry: Entry, log: _Log, label: Any) -> None:
    if entry.get("iscrowd") not in (0, 1) or isinstance(entry["iscrowd"], bool):
        log.faults["no iscrowd"].append(label)
        entry["iscrowd"] = int(str(entry.get("iscrowd")).strip().lower() in ("1", "true"))
    if entry.get("ignore"):
        log.faults["ignored"].append(label)
        entry["iscrowd"] = 1
        del entry["ignore"]


def _note_mixture(kept: list[Entry], findings: Findings) -> None:
    trained = [entry for entry in kept if not entry.get("iscrowd")]
    coded = [entry.get("id") for entry in trained if isinstance(entry["segmentation"], dict)]
    if len(coded) < len(trained):
        findings.add("noted", "Run-length masks among polygons", coded, "no harm: all are trained on as bitmaps")


def _number(kept: list[Entry], findings: Findings) -> None:
    """Number the objects anew, where their ids would not do."""
    ids = [entry.get("id") for entry in kept]
    seen: set[Any] = set()
    bad = []
    for key in ids:
        if type(key) is not int or key <= 0 or key in seen:
            bad.append("none" if key is None else repr(key))
        else:
            seen.add(key)
    if bad:
        findings.add(
            "mended",
            "Object ids that are missing, double, no whole numbers, or not above 0 (the evaluator never matches 0)",
            bad,
            f"all are numbered anew, from 1 to {len(kept)}",
        )
        for number, entry in enumerate(kept, 1):
            entry["id"] = number
