"""Read the JSON files of the stages: whole, line by line, or object by object."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ijson

from soco.errors import UserError


def plain(value: Any) -> Any:
    """The value as JSON can represent it.

    Tuples become lists, keys strings, paths text, and numbers that are not finite None.
    """
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def read_back(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content as a reader of report.json gets it, with sorted keys."""
    read: dict[str, Any] = json.loads(json.dumps(content, sort_keys=True))
    return read


def read_json(path: Path) -> Any:
    """Read a JSON file without its origin, which the job's record repeats.

    Returns:
        The content; NaN and infinities become None.

    Raises:
        UserError: The file is missing or not valid JSON.
    """
    try:
        content = plain(json.loads(path.read_text()))
    except FileNotFoundError:
        raise _missing(path) from None
    except ValueError as error:
        raise UserError(
            "report.invalid_json",
            "{path} is not valid JSON ({reason}); delete it and rerun the stage that writes it.",
            path=path,
            reason=error,
        ) from None
    if isinstance(content, dict):
        content.pop("origin", None)
    return content


def read_object(path: Path, *keys: str) -> dict[str, Any]:
    """Read a JSON object that must have the given keys.

    Raises:
        UserError: The file is missing, not a JSON object, or lacks a key.
    """
    content = read_json(path)
    absent = [key for key in keys if not isinstance(content, dict) or key not in content]
    if absent or not isinstance(content, dict):
        raise UserError(
            "report.missing_keys",
            "{path} lacks {keys}; delete it and rerun the stage that writes it.",
            path=path,
            keys=", ".join(absent) or "a JSON object",
        )
    return content


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read a JSONL log, ignoring blank lines and a truncated last line.

    Raises:
        UserError: The file is missing, or a line before the last is not a JSON object.
    """
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        raise _missing(path) from None
    entries = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = plain(json.loads(line))
            if not isinstance(entry, dict):
                raise ValueError
        except ValueError:
            if number == len(lines):  # the process was killed while writing
                break
            raise UserError(
                "report.invalid_line",
                "Line {number} of {path} is not valid JSON; delete the file and rerun the stage"
                " that writes it.",
                number=number,
                path=path,
            ) from None
        entries.append(entry)
    return entries


def iterate_list(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON list one by one: all detections may not fit into memory.

    Raises:
        UserError: The file is missing or not a list.
    """
    try:
        with path.open("rb") as file:
            yield from ijson.items(file, "item", use_float=True)
    except FileNotFoundError:
        raise _missing(path) from None
    except ijson.JSONError as error:
        raise UserError(
            "report.invalid_detections",
            "{path} is not a valid JSON list ({reason}); delete it and run the evaluation again.",
            path=path,
            reason=error,
        ) from None


def _missing(path: Path) -> UserError:
    return UserError(
        "report.file_missing",
        "There is no {path}; run the stage that writes it first.",
        path=path,
    )
