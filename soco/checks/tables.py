"""The tables of an annotation file: read, and refused where they are none."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from soco.config import SplitConfig
from soco.errors import UserError

Entry = dict[str, Any]
Tables = dict[str, Any]

_FREQUENCIES = ("r", "c", "f")

_TABLES = ("images", "annotations", "categories")
_LVIS_KEYS = {"images": ("neg_category_ids", "not_exhaustive_category_ids"), "categories": ("frequency",)}


def read_tables(split: SplitConfig) -> Tables:
    """Read the annotation file of one half of a detection set.

    Returns:
        What the file holds; `images`, `annotations` and `categories` are lists of mappings, the first and the last
        not empty.

    Raises:
        UserError: The folder or file is missing, or the file is in neither COCO's nor LVIS's format.
    """
    folder, path = Path(split.images), Path(split.annotations)
    if not path.is_file():
        raise UserError(f"There is no annotation file at {path}; put it there or correct `annotations` in `datasets`.")
    if not folder.is_dir():
        raise UserError(f"There is no picture folder at {folder}; put it there or correct `images` in `datasets`.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as JSON ({error}); write the annotation file anew.") from None
    if not isinstance(content, dict) or not all(_is_table(content.get(name)) for name in _TABLES):
        raise UserError(
            f"{path} is not in COCO's or LVIS's format: it needs `images`, `annotations` and `categories`, each a list "
            "of mappings; correct `annotations` in `datasets`."
        )
    if not content["images"] or not content["categories"]:
        raise UserError(f"{path} lists no pictures or no categories; give a file that does.")
    return content


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


def lvis_faults(content: Tables) -> Iterator[tuple[str, str, list[Any]]]:
    """What LVIS's evaluation needs and lacks: table, key, and the ids of the entries without it."""
    for table, keys in _LVIS_KEYS.items():
        for key in keys:
            bare = [entry.get("id") for entry in content[table] if not _holds(entry.get(key), table)]
            if bare:
                yield table, key, bare


def _holds(value: Any, table: str) -> bool:
    """Whether a value is what LVIS has there: of a picture a list of category ids, of a category a letter."""
    if table == "images":
        return isinstance(value, list) and all(type(key) is int for key in value)
    return value in _FREQUENCIES


def whole(value: Any) -> int | None:
    """The whole number that a value is or spells (`7`, `7.0`, `"7"`); None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    return None
