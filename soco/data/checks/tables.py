"""The tables of an annotation file: read, and refused where they are none."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from soco.config import SplitConfig
from soco.data.checks.findings import LONGEST
from soco.errors import UserError, printable

Entry = dict[str, Any]
Tables = dict[str, Any]

LARGEST = 2**53
"""The largest id: the evaluators keep ids as floating point numbers, which are exact up to here."""

_LONGEST_NUMBER = 32
_FREQUENCIES = ("r", "c", "f")

_TABLES = ("images", "annotations", "categories")
_LVIS_KEYS = {
    "images": ("neg_category_ids", "not_exhaustive_category_ids"),
    "categories": ("frequency",),
}


def read_tables(split: SplitConfig) -> Tables:
    """Read the annotation file of one half of a detection set.

    Returns:
        What the file holds; `images`, `annotations` and `categories` are lists of mappings, the
        first and the last not empty.

    Raises:
        UserError: The folder or file is missing, or the file is in neither COCO's nor LVIS's
            format.
    """
    folder, path = Path(split.images), Path(split.annotations)
    if not path.is_file():
        raise UserError(
            f"There is no annotation file at {path}; put it there or correct `annotations` in"
            " `datasets`."
        )
    if not folder.is_dir():
        raise UserError(
            f"There is no image folder at {folder}; put it there or correct `images` in `datasets`."
        )
    content = _load(path)
    if not isinstance(content, dict) or not all(_is_table(content.get(name)) for name in _TABLES):
        raise UserError(
            f"{path} is not in COCO's or LVIS's format: it needs `images`, `annotations` and"
            " `categories`, each a list of mappings; correct `annotations` in `datasets`."
        )
    if not content["images"] or not content["categories"]:
        raise UserError(f"{path} lists no images or no categories; give a file that does.")
    return content


def encoding(path: Path) -> str:
    """How a JSON file is encoded, such as `utf-8`, `utf-8-sig` (with a byte order mark) or `utf-16`."""
    with path.open("rb") as file:
        return json.detect_encoding(file.read(4))


def _load(path: Path) -> Any:
    """Parse a JSON file in any encoding of Unicode."""
    try:
        data = path.read_bytes()
        if not data.strip():
            raise UserError(f"{path} is empty; write the annotation file anew.")
        return json.loads(data, object_pairs_hook=_without_repeats)
    except _RepeatedKeyError as error:
        key = printable(str(error), LONGEST)
        why, then = f"one of its objects has the key `{key}` twice", "keep one of the two"
    except RecursionError:
        why, then = "its lists or objects are nested too deeply", "write the annotation file anew"
    except UnicodeDecodeError as error:
        why, then = f"byte {error.start} is no {error.encoding.upper()}", "save the file as UTF-8"
    except json.JSONDecodeError as error:
        cut = error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated")
        why = f"{error}, so that the file seems to be cut off" if cut else str(error)
        then = "write the annotation file anew"
    except ValueError:  # int() of more than 4300 digits
        why, then = "a number has thousands of digits", "correct it"
    except OSError as error:
        why, then = str(error), "make the file readable"
    raise UserError(f"{path} cannot be read as JSON: {why}; {then}.")


class _RepeatedKeyError(Exception):
    """A key that one object of a JSON file has twice.

    `json` alone would silently keep the last value.
    """


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entry = dict(pairs)
    if len(entry) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(next(key for key in keys if keys.count(key) > 1))
    return entry


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


def lvis_faults(content: Tables) -> Iterator[tuple[str, str, list[Any]]]:
    """What LVIS's evaluation needs and lacks: table, key, and the ids of the entries without it."""
    for table, keys in _LVIS_KEYS.items():
        for key in keys:
            bare = [
                entry.get("id") for entry in content[table] if not _holds(entry.get(key), table)
            ]
            if bare:
                yield table, key, bare


def _holds(value: Any, table: str) -> bool:
    """Whether a value is what LVIS has there.

    Of an image a list of category ids, of a category a letter.
    """
    if table == "images":
        return isinstance(value, list) and all(type(key) is int for key in value)
    return value in _FREQUENCIES


def whole(value: Any) -> int | None:
    """The whole number that a value is or spells (`7`, `7.0`, `"7"`).

    None for anything else, or beyond 2^53.
    """
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER and value.strip().isdecimal():
        value = int(value)
    if type(value) is int or (isinstance(value, float) and value.is_integer()):
        return int(value) if abs(value) <= LARGEST else None
    return None
