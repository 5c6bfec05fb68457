"""Objects that a half has twice: a detector that finds such an object once misses its copy."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

import pycocotools.mask as mask_tools

from soco.data.checks.findings import Findings
from soco.data.checks.masks import encode_mask
from soco.data.checks.tables import Entry

_APART = 1.0
"""Pixels by which the sides of two boxes may differ, as rounding makes it."""

_OVERLAP = 0.95
"""Intersection over union from which two masks are one, drawn or rounded in two ways."""


def leave_out_copies(
    kept: list[Entry], images: Mapping[int, Entry], published: bool, findings: Findings
) -> list[Entry]:
    """Leave out each object whose image, category, box and mask an earlier one has.

    Args:
        kept: The usable objects, boxes and masks sound.
        images: The usable images by id.
        published: Whether the half is a published one, which others score with its copies: they are
            only noted.
        findings: Receives what was found.

    Returns:
        The objects without the copies.
    """
    by_image = defaultdict(list)
    for entry in kept:
        by_image[entry["image_id"]].append(entry)
    copies: dict[int, str] = {}
    contrary = []
    for key, entries in by_image.items():
        for first, second in _close(entries):
            if (
                id(first) in copies
                or id(second) in copies
                or not _same_mask(first, second, images[key])
            ):
                continue
            label = f"{first.get('id')} and {second.get('id')}"
            if first["category_id"] == second["category_id"]:
                copies[id(second)] = label
            else:
                contrary.append(label)
    findings.add(
        "noted" if published else "mended",
        "Objects given twice: the same image, category, box and mask",
        copies.values(),
        "used as they are, since the published set has them"
        if published
        else "the later one of each is left out",
    )
    then = "used as they are; look which category is right"
    findings.add(
        "noted", "Objects of one image, box and mask, but of two categories", contrary, then
    )
    return kept if published else [entry for entry in kept if id(entry) not in copies]


def _close(entries: list[Entry]) -> Iterator[tuple[Entry, Entry]]:
    """Pairs of objects of one image whose boxes agree, each in the order of the file."""
    order = sorted(range(len(entries)), key=lambda place: entries[place]["bbox"])
    for start, place in enumerate(order):
        box = entries[place]["bbox"]
        for other in order[start + 1 :]:
            near = entries[other]["bbox"]
            if near[0] - box[0] > _APART:
                break
            if _agree(box, near) and entries[place].get("iscrowd") == entries[other].get("iscrowd"):
                yield entries[min(place, other)], entries[max(place, other)]


def _agree(box: list[float], other: list[float]) -> bool:
    return all(abs(one - two) <= _APART for one, two in zip(box, other, strict=True))


def _same_mask(one: Entry, other: Entry, image: Entry) -> bool:
    if one["segmentation"] == other["segmentation"]:
        return True
    codes = [
        encode_mask(entry["segmentation"], image["width"], image["height"])
        for entry in (one, other)
    ]
    return bool(mask_tools.iou(codes[:1], codes[1:], [0])[0, 0] >= _OVERLAP)
