"""Check the objects of one split: each is kept, repaired or dropped."""

from collections import defaultdict
from collections.abc import Set
from typing import Any, Literal

from soco.data.checks.boxes import Faults, repair_area, repair_box
from soco.data.checks.coordinates import Coordinates
from soco.data.checks.crowds import Crowds
from soco.data.checks.duplicates import drop_duplicates
from soco.data.checks.findings import MOST_DROPPED, Findings
from soco.data.checks.images import Images
from soco.data.checks.masks import read_mask
from soco.data.checks.sentences import SENTENCES
from soco.data.checks.tables import LARGEST_ID, Entry, to_integer

_DROPPED = (
    "object.unknown_category",
    "mask.none",
    "mask.unknown_form",
    "mask.bad_run_lengths",
    "box.outside",
)


def check_objects(
    entries: list[Entry],
    images: Images,
    categories: Set[int],
    form: Literal["coco", "lvis"],
    published: bool,
    findings: Findings,
) -> list[Entry]:
    """Check every object.

    Args:
        entries: The table `annotations`; entries are repaired in place.
        images: The checked images. Objects on unusable ones are dropped without a finding, since
            the image has one.
        categories: The known category ids.
        form: COCO has crowd regions (`iscrowd`), LVIS does not.
        published: Whether the split is a published one (`known_as`).
        findings: Receives what was found.

    Returns:
        The objects that can be used.
    """
    faults: dict[str, list[Any]] = defaultdict(list)
    coordinates, crowds = Coordinates(), Crowds(faults)
    kept = []
    for place, entry in enumerate(entries):
        image_id = to_integer(entry.get("image_id"))
        if image_id in images.unusable:
            continue
        label = entry.get("id", f"number {place + 1}")
        image = images.usable.get(image_id) if image_id is not None else None
        if not _check_object(entry, image, categories, coordinates, faults, label):
            continue
        kept.append(entry)
        if form == "coco":
            crowds.repair(entry, label)
        else:
            crowds.remove(entry, label)
    for code in SENTENCES:
        if code in faults:
            findings.add(code, faults[code])
    coordinates.judge(findings)
    dropped = [label for code in _DROPPED for label in faults.get(code, ())]
    if len(dropped) > MOST_DROPPED * len(entries):
        findings.add("object.too_many_dropped", dropped, total=len(entries))
    kept = drop_duplicates(kept, images.usable, published, findings)
    crowds.judge(kept, findings)
    _note_mixed_masks(kept, findings)
    _renumber(kept, findings)
    return kept


def _check_object(
    entry: Entry,
    image: Entry | None,
    categories: Set[int],
    coordinates: Coordinates,
    faults: Faults,
    label: Any,
) -> bool:
    """Check one object and repair it in place; return whether it can be used."""
    category = to_integer(entry.get("category_id"))
    if image is None or category not in categories:
        faults["object.unknown_image" if image is None else "object.unknown_category"].append(label)
        return False
    if type(entry["image_id"]) is not int or type(entry["category_id"]) is not int:
        faults["object.text_ids"].append(label)
        entry["image_id"], entry["category_id"] = image["id"], category
    size = image["width"], image["height"]
    mask = read_mask(entry.get("segmentation"), *size)
    for fault in mask.faults:
        faults[fault].append(label)
    coordinates.add(image["id"], entry.get("bbox"), mask.extent, size, label)
    if mask.segmentation is None or mask.box is None:
        return False
    entry["segmentation"] = mask.segmentation
    if not repair_box(entry, mask.box, size, faults, label):
        return False
    repair_area(entry, size, faults, label)
    return True


def _note_mixed_masks(kept: list[Entry], findings: Findings) -> None:
    trained = [entry for entry in kept if not entry.get("iscrowd")]
    run_lengths = [entry.get("id") for entry in trained if isinstance(entry["segmentation"], dict)]
    if len(run_lengths) < len(trained):
        findings.add("object.run_lengths_among_polygons", run_lengths)


def _renumber(kept: list[Entry], findings: Findings) -> None:
    """Renumber all objects if any id cannot be used."""
    seen: set[Any] = set()
    bad = []
    for entry in kept:
        key = entry.get("id")
        if type(key) is not int or not 0 < key <= LARGEST_ID or key in seen:
            bad.append("none" if key is None else repr(key))
        else:
            seen.add(key)
    if bad:
        findings.add("object.bad_ids", bad, count=len(kept))
        for number, entry in enumerate(kept, 1):
            entry["id"] = number
