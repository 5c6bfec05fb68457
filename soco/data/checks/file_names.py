"""Where the images of a half lie: names that lead nowhere, and the files that they may mean."""

import os
import posixpath
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from soco.data import annotated_image
from soco.data.checks.findings import LONGEST, Findings
from soco.data.checks.tables import Entry
from soco.errors import printable

_THREADS = 16
_MOST_FILES = 500_000


def place_images(entries: list[Entry], folder: Path, findings: Findings) -> list[Entry]:
    """Find the file of each image, without opening any.

    A name that is a file's but for backslashes or the form of its accents is repaired in place.
    Other names that lead to no file below the folder are reported, with the file that they may
    mean.

    Args:
        entries: The table `images`.
        folder: Where the files should lie.
        findings: Receives what was found.

    Returns:
        The entries whose file is there.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        states = dict(enumerate(pool.map(lambda entry: _state(folder, entry), entries)))
    lost = [
        image_name(entry)
        for place, entry in enumerate(entries)
        if states[place] in ("missing", "outside")
    ]
    meant = _meant(lost, folder)
    repaired = []
    left_out: dict[str, list[str]] = defaultdict(list)
    hints: dict[str, list[_Hint]] = defaultdict(list)
    for place, entry in enumerate(entries):
        state, name = states[place], image_name(entry)
        hint = meant.get(name) if state in ("missing", "outside") else None
        if hint and hint.rule == _SAME and _state(folder, {"file_name": hint.file}) == "there":
            entry["file_name"] = hint.file
            states[place] = "there"
            repaired.append(name if _form(name) == name else f"{name} is {hint.file}")
        elif state != "there":
            left_out[state].append(name)
            hints[state] += [hint] if hint else []
    what = (
        "Images whose `file_name` has backslashes, or accents in another form of Unicode than their"
        " file's"
    )
    findings.add("mended", what, repaired, "the file's own name is used")
    then = f"left out{_advice(hints['missing'], folder)}"
    findings.add("mended", f"Images that are not below {folder}", left_out["missing"], then)
    what = f"Images whose `file_name` leads out of {folder}, which are not opened"
    then = f"left out{_advice(hints['outside'], folder) or ': set `images` to a folder above them'}"
    findings.add("mended", what, left_out["outside"], then)
    what = "Images whose `file_name` is missing or not the name of a regular file"
    findings.add("mended", what, left_out["unusable"], "left out: correct it")
    return [entry for place, entry in enumerate(entries) if states[place] == "there"]


def image_name(entry: Entry) -> str:
    """What an image is called in a sentence, whatever its entry holds."""
    name = entry.get("file_name") or entry.get("coco_url")
    return name if isinstance(name, str) else f"no file_name of id {entry['id']}"


def _state(folder: Path, entry: Entry) -> str:
    """`there`, `missing` from the folder, `outside` it, or `unusable` as a name."""
    if not isinstance(entry.get("file_name") or "", str) or not (
        entry.get("file_name") or entry.get("coco_url")
    ):
        return "unusable"
    path = annotated_image(folder, entry)
    try:
        if not _is_inside(path, folder):
            return "outside"
        if path.is_file():
            return "there"
        return "unusable" if b"\0" in os.fsencode(path) or os.path.lexists(path) else "missing"
    except (
        OSError,
        ValueError,
        RuntimeError,
    ):  # thousands of characters, half a character, a loop of links
        return "unusable"


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether a path is below a folder; links that the user put there may lead anywhere."""
    inside = path.is_relative_to(folder) or path.is_relative_to(folder.absolute())
    if inside and ".." not in path.parts[len(folder.parts) :]:
        return True
    return path.parent.resolve().is_relative_to(folder.resolve())


def _form(name: str) -> str:
    return unicodedata.normalize("NFC", str(PurePosixPath(name.replace("\\", "/"))))


def _folded(form: str) -> str:
    return unquote(form).casefold()


def _stem(form: str) -> str:
    return posixpath.splitext(_folded(form))[0]


_SAME = "nothing to do"
_ANOTHER_FOLDER = "correct the folder in `file_name`"

_RULES: dict[str, Callable[[str], str]] = {
    _SAME: str,
    "decode `file_name`, in which characters are coded as in an address (such as %20)": unquote,
    "correct upper and lower case in `file_name`": _folded,
    "correct the extension in `file_name`": _stem,
    _ANOTHER_FOLDER: lambda form: posixpath.basename(unquote(form)),
    "correct `file_name`": lambda form: posixpath.basename(_stem(form)),
}
"""By what to do: a key of a name's `_form`. A name may mean the file whose key is equal.

The nearest come first.
"""


@dataclass(frozen=True)
class _Hint:
    """A file that a name may mean.

    Attributes:
        name: As the annotation file has it.
        file: As it is, below the folder.
        rule: How they differ, a key of `_RULES`.
    """

    name: str
    file: str
    rule: str


def _meant(names: Sequence[str], folder: Path) -> dict[str, _Hint]:
    """The one file that each name means, by the nearest rule that any file agrees with."""
    with ThreadPoolExecutor(_THREADS) as pool:
        spelled = zip(
            names, pool.map(lambda name: _spelled_otherwise(folder, name), names), strict=True
        )
        hints = {name: _Hint(name, file, _SAME) for name, file in spelled if file is not None}
    waiting = {name: _form(name) for name in names if name not in hints}
    files = _files_below(folder) if waiting else []
    forms = [_form(file) for file in files]
    for rule, key in _RULES.items():
        places = _places({key(form) for form in waiting.values()}, map(key, forms))
        for name, form in list(waiting.items()):
            place = places.get(key(form))
            if place is not None:
                hints[name] = _Hint(name, files[place], rule)
                del waiting[name]
        if not waiting:
            break
    return hints


def _spelled_otherwise(folder: Path, name: str) -> str | None:
    """The one file that is there under a name's usual spellings; it takes no search."""
    form = _form(name)
    spellings = {form, unicodedata.normalize("NFD", form)} - {name}
    there = [each for each in spellings if _state(folder, {"file_name": each}) == "there"]
    return there[0] if len(there) == 1 else None


def _places(wanted: Set[str], keys: Iterable[str]) -> dict[str, int]:
    """Where each of the wanted keys comes, of those that come once."""
    places: dict[str, int] = {}
    several = set()
    for place, key in enumerate(keys):
        if key in wanted and places.setdefault(key, place) != place:
            several.add(key)
    return {key: place for key, place in places.items() if key not in several}


def _files_below(folder: Path) -> list[str]:
    """The files below a folder, links to folders followed.

    None of too many, for each may have a namesake.
    """
    files: list[str] = []
    seen = {_identity(folder)}  # a link may lead back, or where another one leads
    count = 0
    for parent, folders, names in os.walk(folder, followlinks=True):
        count += len(folders) + len(names)
        if count > _MOST_FILES:
            return []
        below = Path(parent).relative_to(folder).as_posix()
        files += names if below == "." else [f"{below}/{name}" for name in names]
        entered = sorted(
            (Path(parent, name) for name in folders), key=lambda path: (path.is_symlink(), path)
        )
        folders[:] = [path.name for path in entered if _is_new(path, seen)]
    return files


def _is_new(folder: Path, seen: set[tuple[int, int] | None]) -> bool:
    identity = _identity(folder)
    is_new = identity is not None and identity not in seen
    seen.add(identity)
    return is_new


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:  # it has gone
        return None
    return status.st_dev, status.st_ino


def _advice(hints: list[_Hint], folder: Path) -> str:
    """Name the file that the first of the names may mean, of those that differ in the commonest way."""
    if not hints:
        return ""
    rule, count = Counter(hint.rule for hint in hints).most_common(1)[0]
    first = next(hint for hint in hints if hint.rule == rule)
    also = f", and so for {count} of them" if count > 1 else ""
    there = (
        f": there is a {printable(first.file, LONGEST)} in {folder} for"
        f" {printable(first.name, LONGEST)}{also}"
    )
    given = _form(first.name)
    if given.endswith(f"/{first.file}"):
        folders = printable(first.name[: len(given) - len(first.file)], LONGEST)
        return f"{there}; take `{folders}` off `file_name`"
    if first.file.endswith(f"/{given}"):
        return (
            f"{there}; set `images` to {folder / first.file[: -len(given)]}, or put the folder"
            " before `file_name`"
        )
    return f"{there}; {rule}"
