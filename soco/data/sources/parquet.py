"""Layout `parquet`: Parquet files with a column of encoded images, as on the Hugging Face Hub."""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from soco.config import ImagesConfig
from soco.data.read import UnreadableImageError
from soco.data.sources.checks import Ignored, check_entries, invalid_file
from soco.data.sources.containers import containers, containers_state
from soco.data.sources.entry import Entry
from soco.errors import UserError

_OPEN_FILES = 8
_DECODED_GROUPS = 4
_MAX_GROUP_BYTES = 1 << 30
_MAX_BATCH_BYTES = 256 << 20
_FEW_ROWS = 1_000_000  # a file that claims more must have at least one byte per row


class ParquetSource:
    """The images of all Parquet files below a folder, or of one file.

    A key is the file's path without its suffix, and the row. The column contains bytes, or a struct
    of `bytes` and `path`, whose base name then ends the key. Reading decodes a row group at a time
    and caches the last few, so that neighbours are fast and a random row costs a row group.
    """

    def __init__(self, settings: ImagesConfig) -> None:
        self.path = Path(settings.path)
        self.column = settings.column
        self._reader: _Reader | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Its lock and open files cannot be pickled; another process opens its own.
        return {**self.__dict__, "_reader": None}

    def entries(self) -> Iterator[Entry]:
        """Yield every row, file by file in the order of their names; reads no image.

        Raises:
            UserError: The path is missing, a file is broken or lacks the column, or there are no
                rows.
        """
        ignored = Ignored()
        yield from check_entries(self._rows(ignored), self.path, "parquet", ignored)

    def read(self, entry: Entry) -> bytes:
        """A row's bytes.

        Raises:
            UnreadableImageError: The row has none, or its file is missing or broken.
        """
        try:
            data = self._own_reader().read(self.path / entry.container, entry.offset)
        except Exception as error:  # forged pages fail in many ways
            reason = str(error).split("\n")[0][:200] or type(error).__name__
            raise UnreadableImageError(f"row {entry.offset} cannot be read: {reason}") from None
        if data is None:
            raise UnreadableImageError("the row contains no bytes")
        return data

    def state(self) -> str:
        """A digest of every file's name, size and time; "" if there is none."""
        return containers_state(self.path, ".parquet")

    def _own_reader(self) -> "_Reader":
        """The reader of this process.

        The parent's is not safe after a fork: its lock may be held, and its file positions are
        shared.
        """
        if self._reader is None or self._reader.process != os.getpid():
            self._reader = _Reader(self.column)
        return self._reader

    def _rows(self, ignored: Ignored) -> Iterator[Entry]:
        for container, folder in containers(self.path, "parquet", ".parquet", ignored):
            file = _File(self.path / container, self.column)
            for group in range(file.groups):
                share = file.bytes_a_row(group)
                for row, name in enumerate(file.names(group), start=int(file.starts[group])):
                    # Padded, so that sorted keys are in the order of the rows.
                    yield Entry(f"{folder}/{row:06d}{name}", container, row, share)


class _Reader:
    """Rows of many files, with a cache of decoded row groups; threads take turns."""

    def __init__(self, column: str) -> None:
        self.process = os.getpid()
        self._lock = threading.Lock()
        self._file = lru_cache(maxsize=_OPEN_FILES)(lambda path: _File(path, column))
        self._groups: OrderedDict[tuple[Path, int], pa.ChunkedArray] = OrderedDict()

    def read(self, path: Path, row: int) -> bytes | None:
        with self._lock:
            file = self._file(path)
            # right: of groups with the same first row, all but the last are empty.
            group = int(np.searchsorted(file.starts, row, side="right")) - 1
            # Popped and inserted again, so that the least recently used group is the first.
            images = self._groups.pop((path, group), None)
            if images is None:
                images = file.images(group)
            self._groups[path, group] = images
            if len(self._groups) > _DECODED_GROUPS:
                self._groups.popitem(last=False)
            return images[row - int(file.starts[group])].as_py()


class _File:
    """One Parquet file with the column of images.

    Attributes:
        groups: How many row groups it has.
        starts: (groups,) the first row of each.
    """

    def __init__(self, path: Path, column: str) -> None:
        self._path = path
        try:
            self._open(path, column)
        except UserError:
            raise
        except Exception as error:  # forged footers fail in many ways
            raise invalid_file(path, "parquet", error) from None

    def _open(self, path: Path, column: str) -> None:
        self._file = pq.ParquetFile(path)
        metadata, schema = self._file.metadata, self._file.schema_arrow
        self.groups = metadata.num_row_groups
        rows = [metadata.row_group(group).num_rows for group in range(self.groups)]
        self._check_row_count(rows)
        self.starts = np.cumsum([0, *rows])[:-1]
        parts = _parts(schema.field(column).type) if column in schema.names else None
        if parts is None:
            usable = [field.name for field in schema if _parts(field.type) is not None]
            raise UserError(
                "data.no_image_column",
                "{path} has no column {column!r} of bytes or of a struct with bytes; set"
                " images.column to a column of images (in this file: {usable}).",
                path=path,
                column=column,
                usable=", ".join(usable) or "none",
            )
        data, name = parts
        self._data, self._name = column + data, None if name is None else column + name
        self._check_group_sizes()

    def _check_row_count(self, rows: list[int]) -> None:
        length = self._path.stat().st_size
        if min(rows, default=0) < 0 or sum(rows) > max(length, _FEW_ROWS):
            raise invalid_file(
                self._path, "parquet", f"it claims {sum(rows):,} rows in {length:,} bytes"
            )

    def _check_group_sizes(self) -> None:
        for group in range(self.groups):
            size = max(self._size(group, self._data), self._size(group, self._name))
            if size > _MAX_GROUP_BYTES:
                raise UserError(
                    "data.row_group_too_large",
                    "Row group {group} of {path} has {size:.1f} GiB, and the most that can be read"
                    " is {most} GiB; write the file again with about 100 rows in a group.",
                    group=group,
                    path=self._path,
                    size=size / (1 << 30),
                    most=_MAX_GROUP_BYTES >> 30,
                )

    def _columns(self, group: int, *leaves: str | None) -> list[pq.ColumnChunkMetaData]:
        part = self._file.metadata.row_group(group)
        columns = (part.column(number) for number in range(part.num_columns))
        return [column for column in columns if column.path_in_schema in leaves]

    def _size(self, group: int, leaf: str | None) -> int:
        """Bytes of a row group's pages, decompressed."""
        return sum(column.total_uncompressed_size for column in self._columns(group, leaf))

    def bytes_a_row(self, group: int) -> int:
        """An equal share of the stored bytes of a row group's images."""
        stored = sum(column.total_compressed_size for column in self._columns(group, self._data))
        return stored // max(1, self._file.metadata.row_group(group).num_rows)

    def names(self, group: int) -> list[str]:
        """The end of the key of each row of a group: a hyphen and the base name, or nothing."""
        if self._name is None:
            return [""] * self._file.metadata.row_group(group).num_rows
        try:
            paths = self._read(group, self._name).to_pylist()
        except Exception as error:  # forged pages, as above
            raise invalid_file(
                self._path, "parquet", f"the names of row group {group}: {error}"
            ) from None
        return [f"-{path.rpartition('/')[2]}" if path else "" for path in paths]

    def images(self, group: int) -> pa.ChunkedArray:
        """The encoded images of a row group.

        A page of a few bytes can repeat one image a million times. If the decoded rows need more
        memory than their pages, the group is read again with equal rows stored once (a dictionary),
        which takes three times as long.
        """
        size = self._size(group, self._data)
        rows = max(1, _MAX_BATCH_BYTES // max(1, size))  # a row needs no more than all pages
        batches, decoded = [], 0
        for batch in self._file.iter_batches(rows, [group], [self._data], use_threads=False):
            batches.append(_leaf(batch.column(0), self._data))
            decoded += batch.nbytes
            if decoded > _MAX_BATCH_BYTES + size:
                break
        else:
            return pa.chunked_array(batches)
        batches.clear()
        with pq.ParquetFile(
            self._path, metadata=self._file.metadata, read_dictionary=[self._data]
        ) as file:
            return _leaf(
                file.read_row_group(group, [self._data], use_threads=False).column(0), self._data
            )

    def _read(self, group: int, leaf: str) -> pa.ChunkedArray:
        return _leaf(
            self._file.read_row_group(group, columns=[leaf], use_threads=False).column(0), leaf
        )


def _leaf(column: Any, leaf: str) -> Any:
    """The values of a path such as `image.bytes`, from the column that was read for it."""
    return (
        pc.struct_field(column, leaf.rpartition(".")[2])
        if pa.types.is_struct(column.type)
        else column
    )


def _parts(kind: pa.DataType) -> tuple[str, str | None] | None:
    """The suffixes of a column's name that give its bytes and its path.

    The second is None if it has no path; the result is None if it has no bytes.
    """
    if _is_bytes(kind):
        return "", None
    if not pa.types.is_struct(kind):
        return None
    fields = {field.name: field.type for field in kind}
    if "bytes" not in fields or not _is_bytes(fields["bytes"]):
        return None
    path = fields.get("path", pa.null())
    return ".bytes", ".path" if pa.types.is_string(path) or pa.types.is_large_string(path) else None


def _is_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
