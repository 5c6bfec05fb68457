"""Where the images of a half lie: names that lead nowhere, and the files that they may mean."""

import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from soco.checks.findings import LONGEST, Findings
from soco.checks.tables import Entry
from soco.pictures import annotated_picture
from soco.printable import printable

_THREADS = 16
_MOST_FILES = 500_000


def place_images(entries: list[Entry], folder: Path, findings: Findings) -> list[Entry]:
    """Find the file of each image, without opening any.

    A name that is a file's but for backslashes or the form of its accents is repaired in place. Other names that lead
    to no file below the folder are reported, with the file that they may mean.

    Args:
        entries: The table `images`.
        folder: Where the files should lie.
        findings: Receives what was found.

    Returns:
        The entries whose file is there.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        states = dict(enumerate(pool.map(lambda entry: _state(folder, entry), entries)))
    search = _Search(folder) if {"missing", "outside"} & {*states.values()} else None
    repaired = []
    left_out: dict[str, list[str]] = defaultdict(list)
    hints: dict[str, list[_Hint]] = defaultdict(list)
    for place, entry in enumerate(entries):
        state, name = states[place], image_name(entry)
        hint = search.find(name) if search and state in ("missing", "outside") else None
        if hint and hint.rule == _SAME and _state(folder, {"file_name": hint.file}) == "there":
            entry["file_name"] = hint.file
            states[place] = "there"
            repaired.append(name if _form(name) == name else f"{name} is {hint.file}")
        elif state != "there":
            left_out[state].append(name)
            hints[state] += [hint] if hint else []
    what = "Pictures whose `file_name` has backslashes, or accents in another form of Unicode than their file's"
    findings.add("mended", what, repaired, "the file's own name is used")
    then = f"left out{_advice(hints['missing'], folder)}"
    findings.add("mended", f"Pictures that are not below {folder}", left_out["missing"], then)
    what = f"Pictures whose `file_name` leads out of {folder}, which are not opened"
    then = f"left out{_advice(hints['outside'], folder) or ': set `images` to a folder above them'}"
    findings.add("mended", what, left_out["outside"], then)
    what = "Pictures whose `file_name` is missing or not the name of a regular file"
    findings.add("mended", what, left_out["unusable"], "left out: correct it")
    return [entry for place, entry in enumerate(entries) if states[place] == "there"]


def image_name(entry: Entry) -> str:
    """What an image is called in a sentence, whatever its entry holds."""
    name = entry.get("file_name") or entry.get("coco_url")
    return name if isinstance(name, str) else f"no file_name of id {entry['id']}"


def _state(folder: Path, entry: Entry) -> str:
    """`there`, `missing` from the folder, `outside` it, or `unusable` as a name."""
    if not isinstance(entry.get("file_name") or "", str) or not (entry.get("file_name") or entry.get("coco_url")):
        return "unusable"
    path = annotated_picture(folder, entry)
    try:
        if not _is_inside(path, folder):
            return "outside"
        if path.is_file():
            return "there"
        return "unusable" if b"\0" in os.fsencode(path) or os.path.lexists(path) else "missing"
    except (OSError, ValueError, RuntimeError):  # thousands of characters, half a character, a loop of links
        return "unusable"


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether a path is below a folder; links that the user put there may lead anywhere."""
    inside = path.is_relative_to(folder) or path.is_relative_to(folder.absolute())
    if inside and ".." not in path.parts[len(folder.parts) :]:
        return True
    return path.parent.resolve().is_relative_to(folder.resolve())


def _form(name: str) -> str:
    return unicodedata.normalize("NFC", str(PurePosixPath(name.replace("\\", "/"))))


def _base(name: str) -> str:
    return PurePosixPath(unquote(_form(name))).name


def _stem(name: str) -> str:
    path = PurePosixPath(unquote(_form(name)).casefold())
    return str(path.parent / path.stem)


_SAME = "nothing to do"
_ANOTHER_FOLDER = "correct the folder in `file_name`"

_RULES: dict[str, Callable[[str], str]] = {
    _SAME: _form,
    "decode `file_name`, in which characters are coded as in an address (such as %20)": lambda name: unquote(
        _form(name)
    ),
    "correct upper and lower case in `file_name`": lambda name: unquote(_form(name)).casefold(),
    "correct the extension in `file_name`": _stem,
    _ANOTHER_FOLDER: _base,
    "correct `file_name`": lambda name: PurePosixPath(_stem(name)).name,
}
"""By what to do: how a name and the file that it means may differ, nearest first. Equal keys are one file."""


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


class _Search:
    """The files below a folder, found by names that are not quite theirs."""

    def __init__(self, folder: Path) -> None:
        files = list(_files_below(folder))
        self._by_rule: dict[str, dict[str, list[str]]] = {}
        for rule, key in _RULES.items():
            self._by_rule[rule] = defaultdict(list)
            for file in files:
                self._by_rule[rule][key(file)].append(file)

    def find(self, name: str) -> _Hint | None:
        """The one file that a name means by the nearest rule that any file agrees with."""
        for rule, key in _RULES.items():
            files = self._by_rule[rule].get(key(name), [])
            if len(files) == 1:
                return _Hint(name, files[0], rule)
        return None


def _files_below(folder: Path) -> Iterator[str]:
    count = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            yield (Path(parent) / name).relative_to(folder).as_posix()
        count += len(names)
        if count > _MOST_FILES:
            return


def _advice(hints: list[_Hint], folder: Path) -> str:
    """Name the file that the first of the names may mean, of those that differ in the commonest way."""
    if not hints:
        return ""
    rule, count = Counter(hint.rule for hint in hints).most_common(1)[0]
    first = next(hint for hint in hints if hint.rule == rule)
    also = f", and so for {count} of them" if count > 1 else ""
    there = f": there is a {printable(first.file, LONGEST)} in {folder} for {printable(first.name, LONGEST)}{also}"
    given = _form(first.name)
    if given.endswith(f"/{first.file}"):
        folders = printable(first.name[: len(given) - len(first.file)], LONGEST)
        return f"{there}; take `{folders}` off `file_name`"
    if first.file.endswith(f"/{given}"):
        return f"{there}; set `images` to {folder / first.file[: -len(given)]}, or put the folder before `file_name`"
    return f"{there}; {rule}"
