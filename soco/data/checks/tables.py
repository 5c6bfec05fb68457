"""Read the tables of an annotation file, and refuse any that are not COCO's or LVIS's."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from soco.config import SplitConfig
from soco.data.checks.findings import LONGEST
from soco.errors import UserError, printable

Entry = dict[str, Any]
Tables = dict[str, Any]

LARGEST_ID = 2**53
"""The evaluators store ids as floats, which are exact up to here."""

_LONGEST_NUMBER = 32
_FREQUENCIES = ("r", "c", "f")

_TABLES = ("images", "annotations", "categories")
_LVIS_KEYS = {
    "images": ("neg_category_ids", "not_exhaustive_category_ids"),
    "categories": ("frequency",),
}


def read_tables(split: SplitConfig) -> Tables:
    """Read the annotation file of one split of a detection set.

    Returns:
        The content of the file. `images`, `annotations` and `categories` are lists of mappings;
        only `annotations` may be empty.

    Raises:
        UserError: The folder or file is missing, or the file is in neither COCO's nor LVIS's
            format.
    """
    folder, path = Path(split.images), Path(split.annotations)
    if not path.is_file():
        raise UserError(
            "checks.no_annotation_file",
            "There is no annotation file at {path}; put it there or correct `annotations` in"
            " `datasets`.",
            path=path,
        )
    if not folder.is_dir():
        raise UserError(
            "checks.no_image_folder",
            "There is no image folder at {folder}; put it there or correct `images` in `datasets`.",
            folder=folder,
        )
    content = _parse(path)
    if not isinstance(content, dict) or not all(_is_table(content.get(name)) for name in _TABLES):
        raise UserError(
            "checks.not_coco_or_lvis",
            "{path} is not in COCO or LVIS format: it needs `images`, `annotations` and"
            " `categories`, each a list of mappings; correct `annotations` in `datasets`.",
            path=path,
        )
    if not content["images"] or not content["categories"]:
        raise UserError(
            "checks.empty_table",
            "{path} lists no images or no categories; correct `annotations` in `datasets`.",
            path=path,
        )
    return content


def encoding(path: Path) -> str:
    """The encoding of a JSON file, such as `utf-8`, `utf-8-sig` (byte order mark) or `utf-16`."""
    with path.open("rb") as file:
        return json.detect_encoding(file.read(4))


def _parse(path: Path) -> Any:
    """Parse a JSON file in any Unicode encoding."""
    try:
        data = path.read_bytes()
        if not data.strip():
            raise UserError(
                "checks.empty_file", "{path} is empty; write the annotation file again.", path=path
            )
        return json.loads(data, object_pairs_hook=_without_repeats)
    except _RepeatedKeyError as error:
        key = printable(str(error), LONGEST)
        why, remedy = f"one of its objects has the key `{key}` twice", "keep one of the two"
    except RecursionError:
        why, remedy = "its lists or objects are nested too deeply", "write the file again"
    except UnicodeDecodeError as error:
        why = f"byte {error.start} is not {error.encoding.upper()}"
        remedy = "save the file as UTF-8"
    except json.JSONDecodeError as error:
        cut = error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated")
        why = f"{error}; it seems to be cut off" if cut else str(error)
        remedy = "write the file again"
    except ValueError:  # int() refuses more than 4300 digits
        why, remedy = "a number has thousands of digits", "correct it"
    except OSError as error:
        why, remedy = str(error), "make the file readable"
    raise UserError(
        "checks.not_json",
        "{path} cannot be read as JSON: {why}; {remedy}.",
        path=path,
        why=why,
        remedy=remedy,
    )


class _RepeatedKeyError(Exception):
    """An object of a JSON file has a key twice; `json` would silently keep the last value."""


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entry = dict(pairs)
    if len(entry) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(next(key for key in keys if keys.count(key) > 1))
    return entry


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


def lvis_faults(content: Tables) -> Iterator[tuple[str, str, list[Any]]]:
    """Yield what LVIS evaluation needs but entries lack: table, key, ids of the entries."""
    for table, keys in _LVIS_KEYS.items():
        for key in keys:
            lacking = [
                entry.get("id") for entry in content[table] if not _is_valid(entry.get(key), table)
            ]
            if lacking:
                yield table, key, lacking


def _is_valid(value: Any, table: str) -> bool:
    """Whether a value is what LVIS has there: a list of category ids, or a frequency group."""
    if table == "images":
        return isinstance(value, list) and all(type(key) is int for key in value)
    return value in _FREQUENCIES


def to_integer(value: Any) -> int | None:
    """Read `7`, `7.0` or `"7"` as a whole number; None for anything else, or beyond 2^53."""
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER and value.strip().isdecimal():
        value = int(value)
    if type(value) is int or (isinstance(value, float) and value.is_integer()):
        return int(value) if abs(value) <= LARGEST_ID else None
    return None
