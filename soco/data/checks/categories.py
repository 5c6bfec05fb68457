"""The categories of one split, and of both splits together."""

import itertools
import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from soco.data.checks.findings import Findings
from soco.data.checks.tables import Entry, Tables, to_integer

_LVIS_LISTS = ("neg_category_ids", "not_exhaustive_category_ids")


def check_categories(content: Tables, findings: Findings) -> set[int]:
    """Check the table `categories`, repair its entries in place, and return the ids."""
    entries: list[Entry] = content["categories"]
    keys = [to_integer(entry.get("id")) for entry in entries]
    bad = [repr(entry.get("id")) for entry, key in zip(entries, keys, strict=True) if key is None]
    findings.add("category.bad_id", bad)
    _repair_names(entries, findings)
    by_id: dict[int, Entry] = {}
    duplicates: list[int] = []
    two_names: list[int] = []
    text = []
    for entry, key in zip(entries, keys, strict=True):
        if key is None:
            continue
        if type(entry["id"]) is not int:
            text.append(repr(entry["id"]))
        entry["id"] = key
        first = by_id.setdefault(key, entry)
        if first is not entry:
            (duplicates if first["name"] == entry["name"] else two_names).append(key)
    findings.add("category.text_id", text)
    findings.add("category.duplicate", duplicates)
    findings.add("category.id_of_two_names", two_names)
    content["categories"] = list(by_id.values())
    names = Counter(entry["name"] for entry in by_id.values())
    findings.add("category.shared_name", [name for name, count in names.items() if count > 1])
    ids = sorted(by_id)
    before_gaps = [below for below, above in itertools.pairwise(ids) if above > below + 1]
    findings.add("category.id_gap", before_gaps, count=len(ids), last=len(ids) - 1)
    return set(by_id)


def _repair_names(entries: list[Entry], findings: Findings) -> None:
    """Make every name a text that equals the same name in the other split."""
    numbers, nameless, untidy = [], [], []
    for entry in entries:
        name: Any = entry.get("name")
        if type(name) is int or (type(name) is float and math.isfinite(name)):
            numbers.append(name)
            name = str(name)
        text = _clean(name) if isinstance(name, str) else ""
        if not text:
            nameless.append(entry.get("id"))
            text = _default_name(to_integer(entry.get("id")))
        elif text != name:
            untidy.append(name)
        entry["name"] = text
    findings.add("category.number_as_name", numbers)
    findings.add("category.no_name", nameless)
    findings.add("category.untidy_name", untidy)


def _clean(name: str) -> str:
    """The name with composed letters, and without surrounding spaces and lone surrogates."""
    return unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode()).strip()


def _default_name(key: int | None) -> str:
    return f"category {key}"


def note_unused(content: Tables, form: Literal["coco", "lvis"], findings: Findings) -> None:
    """Note categories and images without an object, and categories with crowd regions only.

    Args:
        content: The checked tables of one split.
        form: The format of its annotations.
        findings: Receives what was found.
    """
    train, lvis = findings.split == "train", form == "lvis"
    entries = content["annotations"]
    used = {entry["category_id"] for entry in entries}
    single = {entry["category_id"] for entry in entries if lvis or not entry.get("iscrowd")}
    unused = [entry["name"] for entry in content["categories"] if entry["id"] not in used]
    crowds = [entry["name"] for entry in content["categories"] if entry["id"] in used - single]
    consequence = "the detector cannot learn them" if train else "they have no AP"
    findings.add("category.unused", unused, consequence=consequence)
    findings.add("category.crowds_only", crowds, consequence=consequence)
    images = {entry["image_id"] for entry in entries}
    empty = [
        entry.get("file_name", entry["id"])
        for entry in content["images"]
        if entry["id"] not in images
    ]
    if train:
        consequence = "skipped in training"
    elif lvis:  # a federated set: each image is labelled exhaustively for some categories only
        consequence = (
            "LVIS counts only detections of their `neg_category_ids` as false positives, and"
            " ignores all others"
        )
    else:
        consequence = "every detection there is a false positive"
    findings.add("image.no_object", empty, consequence=consequence)


def names_apart(categories: Iterable[Entry]) -> dict[int, str]:
    """Each category's name by its id; a name that several categories share gets the id added."""
    names = {entry["id"]: str(entry["name"]) for entry in categories}
    count = Counter(names.values())
    return {key: name if count[name] == 1 else f"{name} ({key})" for key, name in names.items()}


def match_categories(train: Tables, val: Tables, findings: Findings) -> None:
    """Give both splits the same categories, with the ids of the training split.

    Args:
        train: The tables of the training split, changed in place.
        val: The tables of the validation split, changed in place.
        findings: Receives what was found.
    """
    _share_names(train, val, findings)
    ours = {entry["id"]: entry["name"] for entry in train["categories"]}
    theirs = {entry["id"]: entry["name"] for entry in val["categories"]}
    by_name = {name: key for key, name in ours.items()}
    unique = len(by_name) == len(ours) and len(set(theirs.values())) == len(theirs)
    renumbered = {
        key: by_name[name]
        for key, name in theirs.items()
        if unique and name in by_name and by_name[name] != key
    }
    conflicts = [
        f"{key}: {ours[key]!r} and {name!r}"
        for key, name in theirs.items()
        if key not in renumbered and ours.get(key, name) != name
    ]
    findings.add("category.ids_differ", conflicts)
    if conflicts:
        return
    changes = [f"{theirs[key]!r} from {key} to {new}" for key, new in renumbered.items()]
    findings.add("category.renumbered", changes)
    _renumber(val, renumbered)
    listed = {entry["id"] for entry in val["categories"]}
    train_only = [entry for entry in train["categories"] if entry["id"] not in listed]
    val_only = [entry for entry in val["categories"] if entry["id"] not in ours]
    findings.add("category.train_only", [entry["name"] for entry in train_only])
    findings.add("category.val_only", [entry["name"] for entry in val_only])
    val["categories"] += train_only
    train["categories"] += val_only


def _share_names(train: Tables, val: Tables, findings: Findings) -> None:
    """Give a category without a name the one that its id has in the other split."""
    entries = (*train["categories"], *val["categories"])
    names: dict[int, str] = {}
    for entry in entries:
        if entry["name"] != _default_name(entry["id"]):
            names.setdefault(entry["id"], entry["name"])
    named = []
    for entry in entries:
        if entry["name"] == _default_name(entry["id"]) and entry["id"] in names:
            entry["name"] = names[entry["id"]]
            named.append(f"{entry['id']}: {entry['name']!r}")
    findings.add("category.name_from_other_split", named)


def _renumber(content: Tables, renumbered: Mapping[int, int]) -> None:
    for entry in content["categories"]:
        entry["id"] = renumbered.get(entry["id"], entry["id"])
    for entry in content["annotations"]:
        entry["category_id"] = renumbered.get(entry["category_id"], entry["category_id"])
    for image in content["images"]:
        for name in _LVIS_LISTS:
            if isinstance(image.get(name), list):
                image[name] = [
                    renumbered.get(key, key) if type(key) is int else key for key in image[name]
                ]
