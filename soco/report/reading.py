"""Read the stages' JSON, line by line or whole, as values that JSON can hold again."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from soco.errors import UserError

_CHUNK = 1 << 20


def plain(value: Any) -> Any:
    """The value with tuples as lists, keys as strings and paths as text.

    A number that JSON cannot hold is None.
    """
    if isinstance(value, dict):
        return {str(key): plain(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [plain(held) for held in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def read_back(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content as `soco.io.write_json` writes it and a reader gets it.

    Its keys are sorted.
    """
    held: dict[str, Any] = json.loads(json.dumps(content, sort_keys=True))
    return held


def read_json(path: Path) -> Any:
    """Read a JSON file; NaN and infinities become None. The origin in it is left out: the records
    tell more.

    Raises:
        UserError: The file is missing or is no JSON.
    """
    try:
        content = plain(json.loads(path.read_text()))
    except FileNotFoundError:
        raise UserError(
            f"There is no {path}; run the stage that makes it, then the report again."
        ) from None
    except ValueError as error:
        raise UserError(
            f"{path} is not valid JSON ({error}); remove it and run the stage that makes it."
        ) from None
    return (
        {key: held for key, held in content.items() if key != "origin"}
        if isinstance(content, dict)
        else content
    )


def read_object(path: Path, *keys: str) -> dict[str, Any]:
    """Read a JSON object that must hold the given keys.

    Raises:
        UserError: The file is missing, is no JSON object, or lacks a key.
    """
    content = read_json(path)
    absent = [key for key in keys if not isinstance(content, dict) or key not in content]
    if absent or not isinstance(content, dict):
        raise UserError(
            f"{path} lacks {', '.join(absent)}; remove it and run the stage that makes it."
        )
    return content


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read a JSONL log; blank lines are passed over, and a last line that a kill cut short.

    Raises:
        UserError: The file is missing, or a line before the last is no JSON object.
    """
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        raise UserError(
            f"There is no {path}; run the stage that makes it, then the report again."
        ) from None
    entries = []
    for number, line in enumerate(lines, start=1):
        try:
            entry = plain(json.loads(line)) if line.strip() else None
            if entry is not None and not isinstance(entry, dict):
                raise ValueError
            entries += [entry] if entry is not None else []
        except ValueError:
            if number == len(lines):
                break
            raise UserError(
                f"Line {number} of {path} is not valid JSON; remove it and run the stage that"
                " makes it."
            ) from None
    return entries


def iterate_list(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON list one at a time: the detections on a large set need not fit
    into memory.

    Raises:
        UserError: The file is missing, or does not hold a list of objects.
    """
    decode = json.JSONDecoder().raw_decode
    try:
        with path.open() as file:
            text, place = "", 0
            while True:
                while place < len(text) and text[place] in " \t\r\n,[":
                    place += 1
                try:
                    entry, place = decode(text, place)
                except ValueError:
                    if text[place:].strip() == "]":
                        return
                    more = file.read(_CHUNK)
                    if not more:
                        raise UserError(
                            f"{path} ends early; remove it and run the evaluation again."
                        ) from None
                    text, place = text[place:] + more, 0
                else:
                    yield entry
    except FileNotFoundError:
        raise UserError(f"There is no {path}; run the evaluation that makes it.") from None
