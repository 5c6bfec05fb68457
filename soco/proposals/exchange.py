"""Exchange boxes with other programs, as Parquet or as the SoCo authors' JSON."""

import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from soco.data.stores.parquet import read_table
from soco.data.stores.proposal_store import ProposalStore
from soco.data.stores.schema import PROPOSAL_SCHEMA, RECT_COLUMNS, rects_of
from soco.errors import UserError
from soco.io import atomic_write

FileBoxes = npt.NDArray[np.float64]

_ROWS = 1 << 14  # in memory at once
_CHUNK = 1 << 20  # characters read at once
_LONGEST_ENTRY = 64 << 20  # characters; a longer entry cannot be an image's boxes
_DECODE = json.JSONDecoder().raw_decode
_SEPARATOR = re.compile(r"[\s,]*")
_COLON = re.compile(r"\s*:\s*")


def read_boxes(path: str | Path) -> Iterator[tuple[str, FileBoxes]]:
    """Yield each image's name and boxes, (N, 4) left, top, width, height, one image at a time.

    Args:
        path: Parquet with the columns key, left, top, box_width and box_height (the last four are
            lists; other columns are ignored), or the authors' JSON: one object that maps a name to
            a list of boxes.

    Raises:
        UserError: The file is missing or in another format.
    """
    try:
        with Path(path).open("rb") as file:
            is_parquet = file.read(4) == b"PAR1"
    except OSError:
        raise UserError(
            "proposals.boxes_not_found",
            "There is no file of boxes {path}; correct proposals.file.",
            path=path,
        ) from None
    yield from _read_parquet(Path(path)) if is_parquet else _read_json(Path(path))


def export_proposals(
    store: str | Path, output: str | Path, by: Literal["name", "key"] = "name"
) -> int:
    """Write a store's proposals as the authors' JSON: names to lists of [left, top, width, height].

    Args:
        store: store.parquet or store.arrow.
        output: Receives the JSON.
        by: `name`: images are named by their base names, as in the authors' files; `key`: by their
            keys.

    Returns:
        The number of images.

    Raises:
        UserError: The store is missing or invalid, or two images have the same base name.
    """
    keys: dict[str, str] = {}
    with atomic_write(output) as temporary, temporary.open("w", encoding="utf-8") as file:
        for key, rects in _rows(Path(store)):
            name = PurePosixPath(key).name if by == "name" else key
            if name in keys:
                raise UserError(
                    "proposals.duplicate_base_name",
                    "The images {first!r} and {second!r} have the same base name; export with"
                    " `--by key`.",
                    first=keys[name],
                    second=key,
                )
            # Entry by entry: for ImageNet, the whole text has a gigabyte.
            file.write(f"{',' if keys else '{'}\n{json.dumps(name)}: {json.dumps(rects.tolist())}")
            keys[name] = key
        file.write("\n}\n" if keys else "{}\n")
    return len(keys)


def _rows(store: Path) -> Iterator[tuple[str, npt.NDArray[np.int16]]]:
    if store.suffix == ".parquet":
        table = read_table(store, PROPOSAL_SCHEMA, ["key", *RECT_COLUMNS])
        for first in range(0, len(table), _ROWS):
            part = table.slice(first, _ROWS)
            yield from zip(part["key"].to_pylist(), rects_of(part), strict=True)
    else:
        mapped = ProposalStore(store)
        yield from ((mapped.key(number), mapped.rects(number)) for number in range(len(mapped)))


def _read_parquet(path: Path) -> Iterator[tuple[str, FileBoxes]]:
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS, columns=["key", *RECT_COLUMNS]):
                columns = [batch[name].cast(pa.list_(pa.float64())) for name in RECT_COLUMNS]
                # A null list counts as empty: an image without boxes.
                counts = [pc.fill_null(column.value_lengths(), 0).to_numpy() for column in columns]
                if any((other != counts[0]).any() for other in counts[1:]):
                    raise UserError(
                        "proposals.uneven_columns",
                        "{path} has a row whose lists in the columns {columns} differ in length;"
                        " correct it.",
                        path=path,
                        columns=", ".join(RECT_COLUMNS),
                    )
                flat = np.stack(
                    [column.flatten().to_numpy(zero_copy_only=False) for column in columns], axis=1
                )
                # (boxes of all rows, 4) -> one (N, 4) per row.
                parts = np.split(flat, np.cumsum(counts[0])[:-1])
                for key, boxes in zip(batch["key"].to_pylist(), parts, strict=True):
                    yield str(key), _checked(path, str(key), boxes)
    except (KeyError, pa.ArrowException):
        raise UserError(
            "proposals.invalid_parquet",
            "{path} is not valid Parquet with the columns {columns} (the last four are lists of"
            " numbers); correct it.",
            path=path,
            columns=", ".join(("key", *RECT_COLUMNS)),
        ) from None


def _read_json(path: Path) -> Iterator[tuple[str, FileBoxes]]:
    """Read entry by entry: the authors' file for ImageNet is a gigabyte.

    ijson cannot replace this: its fast reader turns the escapes of file names that are not UTF-8
    into `?` and takes gigabytes for a few kilobytes of nested brackets, and its safe reader takes
    three times as long.
    """
    try:
        # -sig: some editors put a byte order mark in front.
        with path.open(encoding="utf-8-sig") as file:
            text, place = file.read(_CHUNK).lstrip(), 1
            _check_json(path, text.startswith("{"))
            while True:
                entry = _decode_entry(text, place)
                if entry is not None:
                    name, value, place = entry
                    yield name, _checked(path, name, value)
                    continue
                more = file.read(_CHUNK)
                if not more:
                    break
                _check_json(path, len(text) - place < _LONGEST_ENTRY)
                text, place = text[place:] + more, 0
            _check_json(path, text[place:].strip() == "}")
    except UnicodeDecodeError:
        _check_json(path, False)


def _decode_entry(text: str, place: int) -> tuple[str, Any, int] | None:
    """The next name, its value, and where they end; None if the text ends before that."""
    start = _SEPARATOR.match(text, place)
    assert start is not None
    try:
        name, end = _DECODE(text, start.end())
        colon = _COLON.match(text, end)
        if colon is None or not isinstance(name, str):
            return None
        value, end = _DECODE(text, colon.end())
    # An incomplete entry and one that is not JSON look alike: the caller reads on, up to a limit.
    except (ValueError, RecursionError):
        return None
    return name, value, end


def _check_json(path: Path, valid: bool) -> None:
    if not valid:
        raise UserError(
            "proposals.invalid_json",
            "{path} is not a JSON object that maps names to lists of [left, top, width, height];"
            " correct it.",
            path=path,
        )


def _checked(path: Path, name: str, value: Any) -> FileBoxes:
    try:
        boxes: FileBoxes = np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        # Lists of unequal length, or not of numbers; refused below.
        boxes = np.array(np.nan)
    # `[]`: an image without boxes.
    if boxes.shape == (0,):
        return boxes.reshape(0, 4)
    if (
        boxes.ndim != 2
        or boxes.shape[1] != 4
        or not np.isfinite(boxes).all()
        or (boxes[:, 2:] < 0).any()
    ):
        raise UserError(
            "proposals.invalid_boxes",
            "The entry {name!r} of {path} is not a list of [left, top, width, height] with finite"
            " numbers and sides of at least 0; correct or remove it.",
            name=name,
            path=path,
        )
    return boxes
