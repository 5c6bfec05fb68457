"""Check the images of one split: their entries and their files."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soco.data import annotated_image
from soco.data.checks.decoding import ImageFile, Size, read_files
from soco.data.checks.file_names import image_name, locate_images
from soco.data.checks.findings import MOST_DROPPED, Findings
from soco.data.checks.tables import Entry, Tables, to_integer

_FAULTS = (
    "image.unreadable",
    "image.other_size",
    "image.annotated_unrotated",
    "image.no_size",
    "image.rotated",
)


@dataclass(frozen=True)
class Images:
    """The images of one split.

    Attributes:
        usable: Their entries by id, in the file's order, with whole `width` and `height`.
        unusable: Ids of the dropped images.
        contents: The hash of each usable image's bytes, by id; equal for copies.
    """

    usable: dict[int, Entry]
    unusable: set[int]
    contents: dict[int, bytes]


def check_images(
    content: Tables, folder: Path, findings: Findings, threads: int, cache: Path | None = None
) -> Images:
    """Check the table `images`, and decode the files.

    Args:
        content: The tables of one split; `images` and `annotations` are repaired in place.
        folder: Where its images are.
        findings: Receives what was found.
        threads: How many images are decoded at once.
        cache: See `read_files`.
    """
    _check_ids(content, findings)
    entries = locate_images(content["images"], folder, findings)
    paths = [annotated_image(folder, entry) for entry in entries]
    _refuse_two_ids(entries, paths, findings)
    unusable = {entry["id"] for entry in content["images"]} - {entry["id"] for entry in entries}
    contents = {}
    faults: Mapping[str, list[str]] = defaultdict(list)
    files = read_files(paths, [_listed_size(entry) for entry in entries], threads, cache)
    for entry, path, file in zip(entries, paths, files, strict=True):
        name = str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
        if _check_file(entry, name, file, faults):
            contents[entry["id"]] = file.content
        else:
            unusable.add(entry["id"])
    for code in _FAULTS:
        findings.add(code, faults[code])
    if len(unusable) > MOST_DROPPED * len(content["images"]):
        names = [image_name(entry) for entry in content["images"] if entry["id"] in unusable]
        findings.add("image.too_many_dropped", names, total=len(content["images"]))
    usable = {entry["id"]: entry for entry in entries if entry["id"] not in unusable}
    return Images(usable, unusable, contents)


def _check_ids(content: Tables, findings: Findings) -> None:
    """Make the image ids whole numbers, and drop repeated entries."""
    entries: list[Entry] = content["images"]
    keys = [to_integer(entry.get("id")) for entry in entries]
    pairs = list(zip(entries, keys, strict=True))
    if None in keys:
        findings.add("image.bad_id", [repr(entry.get("id")) for entry, key in pairs if key is None])
        numbers: dict[Any, int] = {}
        keys = [numbers.setdefault(str(entry.get("id")), len(numbers) + 1) for entry in entries]
        for entry in content["annotations"]:
            entry["image_id"] = numbers.get(str(entry.get("image_id")))
    else:
        text = [repr(entry["id"]) for entry in entries if type(entry["id"]) is not int]
        findings.add("image.text_id", text)
    by_id: dict[int, Entry] = {}
    duplicates: list[int] = []
    conflicts: list[int] = []
    for entry, key in zip(entries, keys, strict=True):
        assert key is not None
        entry["id"] = key
        first = by_id.setdefault(key, entry)
        if first is not entry:
            (duplicates if first == entry else conflicts).append(key)
    findings.add("image.duplicate", duplicates)
    findings.add("image.id_of_two", conflicts)
    content["images"] = list(by_id.values())


def _refuse_two_ids(entries: list[Entry], paths: list[Path], findings: Findings) -> None:
    by_path = defaultdict(list)
    for entry, path in zip(entries, paths, strict=True):
        by_path[path].append(entry["id"])
    findings.add("image.two_ids", [path.name for path, ids in by_path.items() if len(ids) > 1])


def _check_file(entry: Entry, name: str, file: ImageFile, faults: Mapping[str, list[str]]) -> bool:
    """Compare an entry with its file; return whether the image can be used."""
    if not file.size:
        faults["image.unreadable"].append(f"{name}: {file.reason}")
        return False
    listed = _listed_size(entry)
    if listed == file.size:
        if type(entry["width"]) is not int or type(entry["height"]) is not int:
            faults["image.no_size"].append(name)
    elif listed is None:
        faults["image.no_size"].append(name)
    elif listed == file.stored_size:
        faults["image.annotated_unrotated"].append(name)
        return False
    else:
        (width, height), (file_width, file_height) = listed, file.size
        sizes = f"listed {width} x {height}, file {file_width} x {file_height}"
        faults["image.other_size"].append(f"{name}: {sizes}")
        return False
    entry["width"], entry["height"] = file.size
    if file.orientation > 1:
        faults["image.rotated"].append(name)
    return True


def shown_name(entry: Entry) -> str:
    """The name of an image in findings."""
    return str(entry.get("file_name") or entry.get("coco_url"))


def _listed_size(entry: Entry) -> Size | None:
    """Width and height that an entry lists; None if they are not two numbers above 0."""
    width, height = to_integer(entry.get("width")), to_integer(entry.get("height"))
    return (width, height) if width and height and min(width, height) > 0 else None
