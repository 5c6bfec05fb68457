"""The images of one half: entries and files."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soco.data import annotated_image
from soco.data.checks.file_names import image_name, place_images
from soco.data.checks.files import ImageFile, Size, read_files
from soco.data.checks.findings import Findings
from soco.data.checks.objects import MOST_LEFT_OUT
from soco.data.checks.tables import Entry, Tables, whole


@dataclass(frozen=True)
class Images:
    """The images of one half.

    Attributes:
        usable: Their entries by id, in the file's order, with whole `width` and `height`.
        unusable: Ids of the images that are left out.
        contents: Of the usable: what tells copies from others (see `ImageFile.content`).
    """

    usable: dict[int, Entry]
    unusable: set[int]
    contents: dict[int, bytes]


def check_images(
    content: Tables, folder: Path, findings: Findings, threads: int, cache: Path | None = None
) -> Images:
    """Judge the table `images`, and decode the files; entries of `images` and `annotations` are
    mended in place.

    Args:
        content: The tables of one half.
        folder: Where its images lie.
        findings: Receives what was found.
        threads: How many images are decoded at once.
        cache: See `read_files`.
    """
    _check_ids(content, findings)
    entries = place_images(content["images"], folder, findings)
    paths = [annotated_image(folder, entry) for entry in entries]
    _refuse_twice(entries, paths, findings)
    unusable = {entry["id"] for entry in content["images"]} - {entry["id"] for entry in entries}
    contents = {}
    faults: Mapping[str, list[str]] = defaultdict(list)
    files = read_files(paths, [_listed_size(entry) for entry in entries], threads, cache)
    for entry, path, file in zip(entries, paths, files, strict=True):
        name = str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
        if _mend(entry, name, file, faults):
            contents[entry["id"]] = file.content
        else:
            unusable.add(entry["id"])
    _tell(faults, findings)
    if len(unusable) > MOST_LEFT_OUT * len(content["images"]):
        names = [image_name(entry) for entry in content["images"] if entry["id"] in unusable]
        what = f"Images left out, of {len(content['images'])}"
        findings.add(
            "refused", what, names, "more than a tenth: correct `images` in `datasets`, or the file"
        )
    return Images(
        {entry["id"]: entry for entry in entries if entry["id"] not in unusable}, unusable, contents
    )


def _check_ids(content: Tables, findings: Findings) -> None:
    """Make the images' ids whole numbers, and drop entries that stand there twice."""
    entries: list[Entry] = content["images"]
    keys = [whole(entry.get("id")) for entry in entries]
    if None in keys:
        odd = [
            repr(entry.get("id")) for entry, key in zip(entries, keys, strict=True) if key is None
        ]
        findings.add(
            "mended",
            "Image ids that are no whole numbers up to 2^53",
            odd,
            "all are numbered anew, from 1",
        )
        numbers: dict[Any, int] = {}
        keys = [numbers.setdefault(str(entry.get("id")), len(numbers) + 1) for entry in entries]
        for entry in content["annotations"]:
            entry["image_id"] = numbers.get(str(entry.get("image_id")))
    else:
        spelled = [repr(entry["id"]) for entry in entries if type(entry["id"]) is not int]
        findings.add(
            "mended", "Image ids written as text or with a point", spelled, "read as whole numbers"
        )
    first: dict[int, Entry] = {}
    same: list[int] = []
    other: list[int] = []
    for entry, key in zip(entries, keys, strict=True):
        assert key is not None
        entry["id"] = key
        known = first.setdefault(key, entry)
        if known is not entry:
            (same if known == entry else other).append(key)
    findings.add("mended", "Images listed twice in the same words", same, "listed once")
    findings.add("refused", "Image ids that two different images bear", other, "give each its own")
    content["images"] = list(first.values())


def _refuse_twice(entries: list[Entry], paths: list[Path], findings: Findings) -> None:
    by_path = defaultdict(list)
    for entry, path in zip(entries, paths, strict=True):
        by_path[path].append(entry["id"])
    twice = [path.name for path, ids in by_path.items() if len(ids) > 1]
    findings.add(
        "refused",
        "Image files listed under more than one id",
        twice,
        "an evaluation would take the objects of one entry for missing in the other: merge the"
        " entries",
    )


def _mend(entry: Entry, name: str, file: ImageFile, faults: Mapping[str, list[str]]) -> bool:
    """Compare an entry with its file; returns whether the image can be used."""
    if not file.size:
        faults["unreadable"].append(f"{name}: {file.reason}")
        return False
    listed = _listed_size(entry)
    if listed == file.size:
        if type(entry["width"]) is not int or type(entry["height"]) is not int:
            faults["no size"].append(name)
    elif listed is None:
        faults["no size"].append(name)
    elif listed == file.stored_size:
        faults["unturned"].append(name)
        return False
    else:
        width, height = file.size
        faults["other size"].append(
            f"{name}: {listed[0]} x {listed[1]}, the image {width} x {height}"
        )
        return False
    entry["width"], entry["height"] = file.size
    if file.orientation > 1:
        faults["turned"].append(name)
    return True


def _listed_size(entry: Entry) -> Size | None:
    """Width and height that an entry lists; None where they are no two numbers above 0."""
    width, height = whole(entry.get("width")), whole(entry.get("height"))
    return (width, height) if width and height and min(width, height) > 0 else None


def _tell(faults: Mapping[str, list[str]], findings: Findings) -> None:
    findings.add("mended", "Images that cannot be read", faults["unreadable"], "left out")
    findings.add(
        "mended",
        "Images of another size than the file says, so that boxes and masks would not fit",
        faults["other size"],
        "left out",
    )
    findings.add(
        "mended",
        "Images that their EXIF tag turns and whose objects are drawn on them unturned",
        faults["unturned"],
        "left out: take the tag out of the images, or annotate them upright",
    )
    findings.add(
        "mended",
        "Images without a whole `width` and `height`",
        faults["no size"],
        "taken from the image",
    )
    findings.add(
        "noted",
        "Images that their EXIF tag turns",
        faults["turned"],
        "they are used upright, and boxes and masks must be those of the upright image",
    )
