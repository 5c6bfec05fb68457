"""The objects of one half: each is kept, mended or left out; what was found is told."""

from collections import defaultdict
from collections.abc import Mapping, Set
from typing import Any

from soco.data.checks.boxes import Faults, mend_area, mend_box
from soco.data.checks.coordinates import Coordinates
from soco.data.checks.copies import leave_out_copies
from soco.data.checks.crowds import Crowds
from soco.data.checks.findings import Findings, Kind
from soco.data.checks.masks import FARTHEST, read_mask
from soco.data.checks.tables import LARGEST, Entry, whole

MOST_LEFT_OUT = 0.1
"""Share of images, and of objects, above which a half is refused rather than mended."""

FAULTS: dict[str, tuple[Kind, str, str]] = {
    "unknown image": ("mended", "Objects on images that `images` does not list", "left out"),
    "unknown category": (
        "mended",
        "Objects of categories that `categories` does not list",
        "left out",
    ),
    "spelled ids": (
        "mended",
        "Objects that name image or category by text",
        "read as whole numbers",
    ),
    "no mask": ("mended", "Objects without a mask, on which the detector trains", "left out"),
    "bad run lengths": (
        "mended",
        "Run-length masks that are broken or not of their image's size",
        "left out",
    ),
    "flat polygon": ("mended", "Polygons that are not in a list of polygons", "put into one"),
    "strange mask": (
        "mended",
        "Masks that are mappings without `size` and `counts`",
        "left out: write polygons, each as [x1, y1, x2, y2, ...], or run lengths",
    ),
    "nested polygon": (
        "mended",
        "Objects with polygons of [x, y] points, or in more lists than COCO's",
        "written as [[x1, y1, x2, y2, ...]]",
    ),
    "polygon no numbers": (
        "mended",
        "Objects with polygons of text or mappings, such as {x: 1, y: 2}",
        "these left out: write them as [x1, y1, x2, y2, ...]",
    ),
    "polygon not finite": (
        "mended",
        "Objects with polygons of numbers that are not finite, or huge",
        "these left out",
    ),
    "polygon far": (
        "mended",
        f"Objects with polygons that reach {FARTHEST} times their image's longer side beyond it",
        "these left out",
    ),
    "broken polygon": (
        "mended",
        "Objects with polygons of fewer than three points or an odd count",
        "these left out",
    ),
    "polygon outside": (
        "mended",
        "Objects with polygons of which no part lies in the image",
        "these left out",
    ),
    "polygon beyond": (
        "noted",
        "Objects with polygons that reach beyond the image",
        "what is outside counts nothing",
    ),
    "broken box": (
        "mended",
        "Boxes that are no four numbers, or without an area",
        "taken from the mask",
    ),
    "box outside": ("mended", "Boxes wholly outside their image", "the objects are left out"),
    "box beyond": ("mended", "Boxes that reach beyond their image", "cut at its edge"),
    "box unlike mask": (
        "noted",
        "Boxes that do not enclose their mask closely",
        "used as they are; look at some",
    ),
    "no area": (
        "mended",
        "Objects without `area`, which the evaluator sorts small from large by",
        "counted in the mask",
    ),
    "impossible area": (
        "mended",
        "Objects whose `area` is negative or not in pixels",
        "counted in the mask",
    ),
    "no iscrowd": (
        "mended",
        "Objects without `iscrowd`, which the evaluator needs, as 0 or 1",
        "set, to 0 if missing",
    ),
    "ignored": (
        "mended",
        "Objects with `ignore`, which detectron2 refuses",
        "made crowd regions, neither hit nor miss",
    ),
    "unclear ignore": (
        "mended",
        "Objects whose `ignore` is false, but not the number 0",
        "`ignore` removed",
    ),
    "crowd in LVIS": (
        "mended",
        "Objects with `iscrowd`, which LVIS does not have",
        "used as any other",
    ),
}
_LEFT_OUT = ("unknown category", "no mask", "strange mask", "bad run lengths", "box outside")


def check_objects(
    entries: list[Entry],
    images: Mapping[int, Entry],
    unusable: Set[int],
    categories: Set[int],
    crowds: bool,
    published: bool,
    findings: Findings,
) -> list[Entry]:
    """Judge every object.

    Args:
        entries: The table `annotations`; entries are changed in place where they are mended.
        images: The usable images by id, with whole `width` and `height`.
        unusable: Ids of listed images that are left out; their objects go without a word.
        categories: The known category ids.
        crowds: Whether the format knows `iscrowd` (COCO does, LVIS does not).
        published: Whether the half is said to be a published one.
        findings: Receives what was found.

    Returns:
        The objects that can be used.
    """
    faults: dict[str, list[Any]] = defaultdict(list)
    coordinates, crowd = Coordinates(), Crowds(faults)
    kept = []
    for place, entry in enumerate(entries):
        image_id = whole(entry.get("image_id"))
        if image_id in unusable:
            continue
        label = entry.get("id", f"number {place + 1}")
        image = images.get(image_id) if image_id is not None else None
        if not _judge(entry, image, categories, coordinates, faults, label):
            continue
        kept.append(entry)
        if crowds:
            crowd.mend(entry, label)
        else:
            crowd.drop(entry, label)
    for name, (kind, what, then) in FAULTS.items():
        findings.add(kind, what, faults[name], then)
    coordinates.judge(findings)
    lost = [label for name in _LEFT_OUT for label in faults[name]]
    if len(lost) > MOST_LEFT_OUT * len(entries):
        findings.add(
            "refused",
            f"Objects left out, of {len(entries)}",
            lost,
            "more than a tenth: correct the file",
        )
    kept = leave_out_copies(kept, images, published, findings)
    crowd.judge(kept, findings)
    _note_mixture(kept, findings)
    _number(kept, findings)
    return kept


def _judge(
    entry: Entry,
    image: Entry | None,
    categories: Set[int],
    coordinates: Coordinates,
    faults: Faults,
    label: Any,
) -> bool:
    """Judge one object, mend it in place; returns whether it can be used."""
    category = whole(entry.get("category_id"))
    if image is None or category not in categories:
        faults["unknown image" if image is None else "unknown category"].append(label)
        return False
    if type(entry["image_id"]) is not int or type(entry["category_id"]) is not int:
        faults["spelled ids"].append(label)
        entry["image_id"], entry["category_id"] = image["id"], category
    size = image["width"], image["height"]
    mask = read_mask(entry.get("segmentation"), *size)
    for fault in mask.faults:
        faults[fault].append(label)
    coordinates.add(image["id"], entry.get("bbox"), mask.extent, size, label)
    if mask.segmentation is None or mask.box is None:
        return False
    entry["segmentation"] = mask.segmentation
    if not mend_box(entry, mask.box, *size, faults, label):
        return False
    mend_area(entry, *size, faults, label)
    return True


def _note_mixture(kept: list[Entry], findings: Findings) -> None:
    trained = [entry for entry in kept if not entry.get("iscrowd")]
    coded = [entry.get("id") for entry in trained if isinstance(entry["segmentation"], dict)]
    if len(coded) < len(trained):
        findings.add(
            "noted",
            "Run-length masks among polygons",
            coded,
            "no harm: all are trained on as bitmaps",
        )


def _number(kept: list[Entry], findings: Findings) -> None:
    """Number the objects anew, where their ids would not do."""
    ids = [entry.get("id") for entry in kept]
    seen: set[Any] = set()
    bad = []
    for key in ids:
        if type(key) is not int or not 0 < key <= LARGEST or key in seen:
            bad.append("none" if key is None else repr(key))
        else:
            seen.add(key)
    if bad:
        findings.add(
            "mended",
            "Object ids that are missing, double, no whole numbers, or not above 0 (the evaluator"
            " never matches 0)",
            bad,
            f"all are numbered anew, from 1 to {len(kept)}",
        )
        for number, entry in enumerate(kept, 1):
            entry["id"] = number
