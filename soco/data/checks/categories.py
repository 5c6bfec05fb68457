"""The categories: of one half, and of both together."""

import itertools
import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from soco.data.checks.findings import Findings
from soco.data.checks.tables import Entry, Tables, whole

_LISTS = ("neg_category_ids", "not_exhaustive_category_ids")


def check_categories(content: Tables, findings: Findings) -> set[int]:
    """Judge the table `categories`, entries mended in place; returns the ids."""
    entries: list[Entry] = content["categories"]
    odd = [repr(entry.get("id")) for entry in entries if whole(entry.get("id")) is None]
    findings.add(
        "refused", "Category ids that are no whole numbers up to 2^53", odd, "number the categories"
    )
    _mend_names(entries, findings)
    first: dict[int, Entry] = {}
    twice, spelled = [], []
    for entry in entries:
        key = whole(entry.get("id"))
        if key is None:
            continue
        if type(entry["id"]) is not int:
            spelled.append(repr(entry["id"]))
        entry["id"] = key
        if first.setdefault(key, entry) is not entry:
            twice.append((key, first[key]["name"] == entry["name"]))
    findings.add(
        "mended", "Category ids written as text or with a point", spelled, "read as whole numbers"
    )
    same = [key for key, alike in twice if alike]
    findings.add("mended", "Categories listed twice under one id and name", same, "listed once")
    other = [key for key, alike in twice if not alike]
    findings.add(
        "refused", "Category ids that two names share", other, "give each category its own"
    )
    content["categories"] = list(first.values())
    names = Counter(entry["name"] for entry in first.values())
    shared = [name for name, count in names.items() if count > 1]
    findings.add(
        "noted",
        "Names that several categories bear",
        shared,
        "they stay apart, but the report tells one AP",
    )
    _note_gaps(sorted(first), findings)
    return set(first)


def _mend_names(entries: list[Entry], findings: Findings) -> None:
    """Make every name a text that the same name in the other half equals."""
    numbers, nameless, odd = [], [], []
    for entry in entries:
        name: Any = entry.get("name")
        if type(name) is int or (type(name) is float and math.isfinite(name)):
            numbers.append(name)
            name = str(name)
        text = _plain(name) if isinstance(name, str) else ""
        if not text:
            nameless.append(entry.get("id"))
            text = _substitute(whole(entry.get("id")))
        elif text != name:
            odd.append(name)
        entry["name"] = text
    findings.add("mended", "Category names that are numbers", numbers, "read as text")
    findings.add("mended", "Categories without a `name`", nameless, "called by their id")
    what = "Category names with spaces around them, decomposed letters or lone surrogates"
    findings.add("mended", what, odd, "cleaned")


def _plain(name: str) -> str:
    """A name as it can be compared and written.

    Composed letters, no spaces around, no lone surrogates.
    """
    return unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode()).strip()


def _substitute(key: int | None) -> str:
    return f"category {key}"


def note_unused(content: Tables, lvis: bool, findings: Findings) -> None:
    """Tell of categories and images that no object is of, and of categories of crowd regions alone."""
    train = findings.half == "train"
    entries = content["annotations"]
    categories = {entry["category_id"] for entry in entries}
    single = {entry["category_id"] for entry in entries if lvis or not entry.get("iscrowd")}
    without = [entry["name"] for entry in content["categories"] if entry["id"] not in categories]
    then = "the detector cannot learn them" if train else "they have no AP"
    findings.add("noted", "Categories without an object", without, then)
    crowds = [
        entry["name"] for entry in content["categories"] if entry["id"] in categories - single
    ]
    findings.add(
        "noted", "Categories of which every object is a crowd region (`iscrowd` 1)", crowds, then
    )
    images = {entry["image_id"] for entry in entries}
    empty = [
        entry.get("file_name", entry["id"])
        for entry in content["images"]
        if entry["id"] not in images
    ]
    then = "training passes them over"
    if not train and lvis:
        then = (
            "LVIS counts only detections of their `neg_category_ids` as misses there, and ignores"
            " others"
        )
    elif not train:
        then = "whatever is detected there is a miss"
    findings.add("noted", "Images without an object", empty, then)


def names_apart(categories: Iterable[Entry]) -> dict[int, str]:
    """Each category's name by its id; behind a name that several have stands the id."""
    names = {entry["id"]: str(entry["name"]) for entry in categories}
    count = Counter(names.values())
    return {key: name if count[name] == 1 else f"{name} ({key})" for key, name in names.items()}


def match_categories(train: Tables, val: Tables, findings: Findings) -> None:
    """Give both halves the same categories.

    The validation half follows the training half, by name.
    """
    _name_alike(train, val, findings)
    ours = {entry["id"]: entry["name"] for entry in train["categories"]}
    theirs = {entry["id"]: entry["name"] for entry in val["categories"]}
    by_name = {name: key for key, name in ours.items()}
    unique = len(by_name) == len(ours) and len(set(theirs.values())) == len(theirs)
    renamed = {
        key: by_name[name]
        for key, name in theirs.items()
        if unique and name in by_name and by_name[name] != key
    }
    clashing = [
        f"{key}: {ours[key]!r} and {name!r}"
        for key, name in theirs.items()
        if key not in renamed and ours.get(key, name) != name
    ]
    findings.add(
        "refused",
        "Category ids that mean different things in the two halves",
        clashing,
        "number them alike",
    )
    if clashing:
        return
    moved = [f"{theirs[key]!r} from {key} to {new}" for key, new in renamed.items()]
    findings.add(
        "mended",
        "Categories under other ids in the validation half",
        moved,
        "given those of the other half",
    )
    _renumber(val, renamed)
    listed = {entry["id"] for entry in val["categories"]}
    lacking = [entry for entry in train["categories"] if entry["id"] not in listed]
    only = [entry for entry in val["categories"] if entry["id"] not in ours]
    findings.add(
        "mended",
        "Categories that only the training half lists",
        [e["name"] for e in lacking],
        "added to the other",
    )
    findings.add(
        "mended",
        "Categories that only the validation half lists, and that are never trained on",
        [entry["name"] for entry in only],
        "added to the other",
    )
    val["categories"] += lacking
    train["categories"] += only


def _name_alike(train: Tables, val: Tables, findings: Findings) -> None:
    """Give a category without a name the one that its id has in the other half."""
    names: dict[int, str] = {}
    for entry in (*train["categories"], *val["categories"]):
        if entry["name"] != _substitute(entry["id"]):
            names.setdefault(entry["id"], entry["name"])
    named = []
    for entry in (*train["categories"], *val["categories"]):
        if entry["name"] == _substitute(entry["id"]) and entry["id"] in names:
            entry["name"] = names[entry["id"]]
            named.append(f"{entry['id']}: {entry['name']!r}")
    findings.add(
        "mended", "Categories without a `name` in one half", named, "given that of the other half"
    )


def _renumber(content: Tables, renamed: Mapping[int, int]) -> None:
    for entry in content["categories"]:
        entry["id"] = renamed.get(entry["id"], entry["id"])
    for entry in content["annotations"]:
        entry["category_id"] = renamed.get(entry["category_id"], entry["category_id"])
    for image in content["images"]:
        for name in _LISTS:
            if isinstance(image.get(name), list):
                image[name] = [
                    renamed.get(key, key) if type(key) is int else key for key in image[name]
                ]


def _note_gaps(ids: list[int], findings: Findings) -> None:
    behind = [below for below, above in itertools.pairwise(ids) if above > below + 1]
    then = f"no harm: the {len(ids)} categories become the detector's classes 0 to {len(ids) - 1}"
    findings.add("noted", "Gaps between category ids, each told by the id before it", behind, then)
