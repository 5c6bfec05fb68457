"""The merged store that training opens.

An Arrow IPC file, memory-mapped, so that all processes share one copy.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from soco.data.sources import Entry
from soco.errors import UserError
from soco.io import Origin, atomic_write, metadata_inside

# A row of 40 boxes and a key of 30 characters takes less than 400 bytes. An image's rects lie
# together, so that a row is one view of the file. Lists count their rects with 32 bits: at most
# 2,147,483,647 rects a store, which at 40 an image are 53 million images; 64 bits would cost 4
# bytes an image for sets forty times ImageNet's size.
STORE_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("container", pa.dictionary(pa.int32(), pa.string())),
        ("offset", pa.int64()),
        ("bytes", pa.int32()),
        ("content", pa.int64()),
        ("width", pa.uint16()),
        ("height", pa.uint16()),
        ("regions", pa.int32()),
        ("strategy", pa.dictionary(pa.int8(), pa.string())),
        ("rects", pa.list_(pa.list_(pa.int16(), 4))),
    ],
    metadata={"format": "soco proposal store", "version": "1"},
)
_DIGEST = b"rows_sha256"
MOST_RECTS = int(np.iinfo(np.int32).max)


def write_arrow(path: str | Path, batch: pa.RecordBatch, origin: Origin | None = None) -> None:
    """Write rows of `STORE_SCHEMA` as the one, uncompressed batch of a file, so that a reader can
    point into it.

    The file says the digest of its rows, which `rows_digest` looks at. The digest stands in the
    schema, at the file's beginning, and is known only when the rows have been laid out in a file:
    they are written, read and written again.
    """
    metadata = {**(batch.schema.metadata or {}), **metadata_inside(origin)}
    with atomic_write(path) as temporary:
        _write_batch(temporary, batch.replace_schema_metadata(metadata))
        digest = _digest_in(temporary)[
            0
        ]  # of the file's own buffers: those in memory may be parts of longer ones
        _write_batch(temporary, batch.replace_schema_metadata({**metadata, _DIGEST: digest}))


def _write_batch(path: Path, batch: pa.RecordBatch) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)


class ProposalStore:
    """Proposals by image number, read in place from the Arrow IPC file; rows are sorted by key.

    Opening maps the file and decodes nothing. An instance pickles as its path, so that a data
    loader's workers map the same pages instead of receiving copies.
    """

    def __init__(self, path: str | Path) -> None:
        """Map the store at `path`.

        Raises:
            UserError: The file is missing or is no such store.
        """
        self.path = Path(path)
        try:
            file = pa.ipc.open_file(pa.memory_map(str(path)))
            batch = file.get_batch(0)
        except FileNotFoundError:
            raise UserError(
                f"There is no proposal store {path}; make it with `snakemake proposals`."
            ) from None
        except (OSError, ValueError, pa.ArrowException):
            raise UserError(
                f"{path} is no proposal store; make one with `snakemake proposals`."
            ) from None
        if not _is_ours(file.schema):
            raise UserError(
                f"{path} is no proposal store of this version; make it again with `snakemake"
                " proposals`."
            )
        self._keys = batch["key"]
        self._containers = batch["container"].dictionary.to_pylist()
        self._container = _view(batch["container"].indices)
        self._offset, self._bytes = _view(batch["offset"]), _view(batch["bytes"])
        self._content = _view(batch["content"])
        self._width, self._height = _view(batch["width"]), _view(batch["height"])
        self._regions = _view(batch["regions"])
        self._first = _view(batch["rects"].offsets)
        self._rects = _view(batch["rects"].values.values).reshape(-1, 4)

    def __len__(self) -> int:
        return len(self._keys)

    def __reduce__(self) -> tuple[type["ProposalStore"], tuple[Path]]:
        return ProposalStore, (self.path,)

    def key(self, number: int) -> str:
        """Name of image `number` in its source."""
        return self._keys[number].as_py()

    def entry(self, number: int) -> Entry:
        """Where image `number` lies in its source."""
        container = self._containers[self._container[number]]
        numbers = (self._offset[number], self._bytes[number], self._content[number])
        return Entry(self.key(number), container, *map(int, numbers))

    def size(self, number: int) -> tuple[int, int]:
        """Width and height of image `number`, in pixels."""
        return int(self._width[number]), int(self._height[number])

    def rects(self, number: int) -> npt.NDArray[np.int16]:
        """Proposals of image `number`: (N, 4) left, top, width, height, in its pixels.

        A view that is not written.
        """
        return self._rects[self._first[number] : self._first[number + 1]]

    @property
    def empty(self) -> npt.NDArray[np.int64]:
        """Numbers of the images without a proposal."""
        return np.flatnonzero(self._first[1 : len(self) + 1] == self._first[: len(self)])

    def regions(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """How many regions these images had before the filter."""
        return np.asarray(self._regions[numbers])

    def shorter_sides(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.uint16]:
        """Shorter sides of these images, in pixels."""
        return np.minimum(self._width[numbers], self._height[numbers])


def rows_digest(path: Path) -> str:
    """SHA-256 of a store's rows alone, in hex digits: the same rows made by another commit are the
    same proposals.

    Raises:
        UserError: The rows are not those that were written.
    """
    digest, written = _digest_in(path)
    if written is not None and written != digest:
        raise UserError(
            f"{path} is damaged (the checksum of its rows is wrong); remove it and make it again"
            " with `snakemake proposals`."
        )
    return digest


def _digest_in(path: Path) -> tuple[str, str | None]:
    """The digest of the rows, and the one that the file says.

    Files of an earlier version say none.
    """
    digest = hashlib.sha256()
    with pa.memory_map(str(path)) as mapped:
        file = pa.ipc.open_file(mapped)
        for column in file.get_batch(0).columns:
            words = column.dictionary.buffers() if pa.types.is_dictionary(column.type) else []
            for buffer in (*column.buffers(), *words):
                digest.update(b"" if buffer is None else buffer)
        written = (file.schema.metadata or {}).get(_DIGEST)
    return digest.hexdigest(), None if written is None else written.decode(errors="replace")


def _is_ours(schema: pa.Schema) -> bool:
    """Whether columns and version are this one's, whatever else the file tells of itself."""
    told = (STORE_SCHEMA.metadata or {}).items() <= (schema.metadata or {}).items()
    return told and schema.equals(STORE_SCHEMA)


def _view(numbers: pa.Array) -> npt.NDArray[Any]:
    """The numbers of a mapped column in place.

    Arrow's own way imports pandas, 0.2 s and 20 MB a process.
    """
    held = np.frombuffer(numbers.buffers()[1], numbers.type.to_pandas_dtype())
    return held[numbers.offset : numbers.offset + len(numbers)]
