"""Objects that a split lists twice: a detector that finds one of them misses the other."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

import pycocotools.mask as mask_tools

from soco.data.checks.findings import Findings
from soco.data.checks.masks import encode_mask
from soco.data.checks.tables import Entry

_APART = 1.0
"""Pixels by which the sides of equal boxes may differ because of rounding."""

_OVERLAP = 0.95
"""IoU from which two masks count as the same one, drawn or rounded differently."""


def drop_duplicates(
    kept: list[Entry], images: Mapping[int, Entry], published: bool, findings: Findings
) -> list[Entry]:
    """Drop each object that has the image, category, box and mask of an earlier one.

    Args:
        kept: The usable objects, with repaired boxes and masks.
        images: The usable images by id.
        published: Whether the split is a published one. Others score it with its duplicates, so
            these are only noted.
        findings: Receives what was found.

    Returns:
        The objects without the duplicates.
    """
    by_image = defaultdict(list)
    for entry in kept:
        by_image[entry["image_id"]].append(entry)
    duplicates: dict[int, str] = {}
    two_categories = []
    for key, entries in by_image.items():
        for first, second in _similar_pairs(entries):
            if id(first) in duplicates or id(second) in duplicates:
                continue
            if not _same_mask(first, second, images[key]):
                continue
            label = f"{first.get('id')} and {second.get('id')}"
            if first["category_id"] == second["category_id"]:
                duplicates[id(second)] = label
            else:
                two_categories.append(label)
    code = "duplicate.published" if published else "duplicate.object"
    findings.add(code, duplicates.values())
    findings.add("duplicate.two_categories", two_categories)
    return kept if published else [entry for entry in kept if id(entry) not in duplicates]


def _similar_pairs(entries: list[Entry]) -> Iterator[tuple[Entry, Entry]]:
    """Pairs of objects of one image whose boxes agree, each in the order of the file."""
    order = sorted(range(len(entries)), key=lambda place: entries[place]["bbox"])
    for start, place in enumerate(order):
        box = entries[place]["bbox"]
        for other in order[start + 1 :]:
            other_box = entries[other]["bbox"]
            if other_box[0] - box[0] > _APART:  # sorted by x: no later box is closer
                break
            same_kind = entries[place].get("iscrowd") == entries[other].get("iscrowd")
            if same_kind and _boxes_agree(box, other_box):
                yield entries[min(place, other)], entries[max(place, other)]


def _boxes_agree(box: list[float], other: list[float]) -> bool:
    return all(abs(one - two) <= _APART for one, two in zip(box, other, strict=True))


def _same_mask(one: Entry, other: Entry, image: Entry) -> bool:
    if one["segmentation"] == other["segmentation"]:
        return True
    encoded = [
        encode_mask(entry["segmentation"], image["width"], image["height"])
        for entry in (one, other)
    ]
    return bool(mask_tools.iou(encoded[:1], encoded[1:], [0])[0, 0] >= _OVERLAP)
