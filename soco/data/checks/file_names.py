"""Find the files of a split's images, and guess which file a wrong name means."""

import os
import posixpath
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import unquote

from soco.data import annotated_image
from soco.data.checks.findings import LONGEST, Findings
from soco.data.checks.tables import Entry
from soco.errors import printable

_THREADS = 16  # they wait for the disk
_MOST_FILES = 500_000  # among more, a guess would often be wrong

_State = Literal["found", "missing", "outside", "bad_name"]


def locate_images(entries: list[Entry], folder: Path, findings: Findings) -> list[Entry]:
    """Find the file of each image, without opening any.

    A name that differs from a file's in backslashes or the Unicode form of accents is repaired in
    place. Other names that lead to no file in the folder are reported, with the file that they may
    mean.

    Args:
        entries: The table `images`.
        folder: Where the files should be.
        findings: Receives what was found.

    Returns:
        The entries whose file is there.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        states = list(pool.map(lambda entry: _state(folder, entry), entries))
    searched = [state in ("missing", "outside") for state in states]
    lost = [image_name(entry) for entry, is_lost in zip(entries, searched, strict=True) if is_lost]
    candidates = _candidates(lost, folder)
    located, repaired = [], []
    dropped: dict[str, list[str]] = defaultdict(list)
    hints: dict[str, list[_Candidate]] = defaultdict(list)
    for entry, state, is_lost in zip(entries, states, searched, strict=True):
        name = image_name(entry)
        candidate = candidates.get(name) if is_lost else None
        if candidate and _is_same(candidate, folder):
            entry["file_name"] = candidate.file
            repaired.append(name if _form(name) == name else f"{name} is {candidate.file}")
        elif state != "found":
            dropped[state].append(name)
            hints[state] += [candidate] if candidate else []
            continue
        located.append(entry)
    findings.add("image.renamed", repaired)
    hint = _hint(hints["missing"], folder)
    findings.add("image.missing", dropped["missing"], folder=folder, hint=hint)
    hint = _hint(hints["outside"], folder) or ": set `images` to a folder above them"
    findings.add("image.outside", dropped["outside"], folder=folder, hint=hint)
    findings.add("image.bad_name", dropped["bad_name"])
    return located


def image_name(entry: Entry) -> str:
    """The name of an image for a sentence, whatever its entry contains."""
    name = entry.get("file_name") or entry.get("coco_url")
    return name if isinstance(name, str) else f"no file_name of id {entry['id']}"


def _state(folder: Path, entry: Entry) -> _State:
    if not isinstance(entry.get("file_name") or "", str):
        return "bad_name"
    if not (entry.get("file_name") or entry.get("coco_url")):
        return "bad_name"
    path = annotated_image(folder, entry)
    try:
        if not _is_inside(path, folder):
            return "outside"
        if path.is_file():
            return "found"
        return "bad_name" if b"\0" in os.fsencode(path) or os.path.lexists(path) else "missing"
    except (OSError, ValueError, RuntimeError):  # too long, a lone surrogate, a loop of links
        return "bad_name"


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether a path is in a folder; the user's links in the folder may lead anywhere."""
    inside = path.is_relative_to(folder) or path.is_relative_to(folder.absolute())
    if inside and ".." not in path.parts[len(folder.parts) :]:
        return True
    return path.parent.resolve().is_relative_to(folder.resolve())


def _form(name: str) -> str:
    """A name with slashes and composed letters: what Windows and macOS write differently."""
    return unicodedata.normalize("NFC", str(PurePosixPath(name.replace("\\", "/"))))


def _folded(form: str) -> str:
    return unquote(form).casefold()


def _stem(form: str) -> str:
    return posixpath.splitext(_folded(form))[0]


_SAME = "nothing to do"

_RULES: dict[str, Callable[[str], str]] = {
    _SAME: str,
    "decode `file_name`, which has characters encoded as in a URL (such as %20)": unquote,
    "correct upper and lower case in `file_name`": _folded,
    "correct the extension in `file_name`": _stem,
    "correct the folder in `file_name`": lambda form: posixpath.basename(unquote(form)),
    "correct `file_name`": lambda form: posixpath.basename(_stem(form)),
}
"""By remedy, a key of a name's `_form`, strictest first.

A name may mean the one file that has the same key.
"""


@dataclass(frozen=True)
class _Candidate:
    """A file that a name may mean.

    Attributes:
        name: The name in the annotation file.
        file: The path of the file in the folder.
        rule: How they differ, a key of `_RULES`.
    """

    name: str
    file: str
    rule: str


def _is_same(candidate: _Candidate, folder: Path) -> bool:
    is_found = _state(folder, {"file_name": candidate.file}) == "found"
    return candidate.rule == _SAME and is_found


def _candidates(names: Sequence[str], folder: Path) -> dict[str, _Candidate]:
    """The one file that each name may mean, by the strictest rule that matches any file."""
    with ThreadPoolExecutor(_THREADS) as pool:
        spelled = pool.map(lambda name: _other_spelling(folder, name), names)
        found = {
            name: _Candidate(name, file, _SAME)
            for name, file in zip(names, spelled, strict=True)
            if file is not None
        }
    waiting = {name: _form(name) for name in names if name not in found}
    files = _files_in(folder) if waiting else []
    forms = [_form(file) for file in files]
    for rule, key in _RULES.items():
        places = _unique_places({key(form) for form in waiting.values()}, map(key, forms))
        for name, form in list(waiting.items()):
            place = places.get(key(form))
            if place is not None:
                found[name] = _Candidate(name, files[place], rule)
                del waiting[name]
        if not waiting:
            break
    return found


def _other_spelling(folder: Path, name: str) -> str | None:
    """The one file that a common spelling of the name leads to, without a search."""
    form = _form(name)
    spellings = {form, unicodedata.normalize("NFD", form)} - {name}
    found = [each for each in spellings if _state(folder, {"file_name": each}) == "found"]
    return found[0] if len(found) == 1 else None


def _unique_places(wanted: Set[str], keys: Iterable[str]) -> dict[str, int]:
    """The place of each wanted key that occurs once."""
    places: dict[str, int] = {}
    repeated = set()
    for place, key in enumerate(keys):
        if key in wanted and places.setdefault(key, place) != place:
            repeated.add(key)
    return {key: place for key, place in places.items() if key not in repeated}


def _files_in(folder: Path) -> list[str]:
    """The files in a folder tree, following links to folders; none if there are too many."""
    files: list[str] = []
    seen = {_identity(folder)}  # a link may lead back, or to a folder that another one leads to
    count = 0
    for parent, folders, names in os.walk(folder, followlinks=True):
        count += len(folders) + len(names)
        if count > _MOST_FILES:
            return []
        below = Path(parent).relative_to(folder).as_posix()
        files += names if below == "." else [f"{below}/{name}" for name in names]
        ordered = sorted(
            (Path(parent, name) for name in folders), key=lambda path: (path.is_symlink(), path)
        )
        folders[:] = [path.name for path in ordered if _is_new(path, seen)]
    return files


def _is_new(folder: Path, seen: set[tuple[int, int] | None]) -> bool:
    identity = _identity(folder)
    is_new = identity is not None and identity not in seen
    seen.add(identity)
    return is_new


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:  # it has vanished
        return None
    return status.st_dev, status.st_ino


def _hint(candidates: list[_Candidate], folder: Path) -> str:
    """What to do about the names that differ in the most frequent way, with the first of them."""
    if not candidates:
        return ""
    rule, count = Counter(candidate.rule for candidate in candidates).most_common(1)[0]
    first = next(candidate for candidate in candidates if candidate.rule == rule)
    also = f" (the same for {count} of them)" if count > 1 else ""
    file, name = printable(first.file, LONGEST), printable(first.name, LONGEST)
    hint = f": {folder} has {file} for {name}{also}"
    form = _form(first.name)
    if form.endswith(f"/{first.file}"):
        folders = printable(first.name[: len(form) - len(first.file)], LONGEST)
        return f"{hint}; remove `{folders}` from `file_name`"
    if first.file.endswith(f"/{form}"):
        above = first.file[: -len(form)]
        return f"{hint}; set `images` to {folder / above}, or add the folder to `file_name`"
    return f"{hint}; {rule}"
