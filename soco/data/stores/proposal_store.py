"""The merged store that training opens: a memory-mapped Arrow file that all processes share."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from soco.data.sources import Entry
from soco.errors import UserError
from soco.io import Origin, atomic_write, metadata_inside

# A row with 40 boxes and a key of 30 characters has less than 400 bytes. An image's rects are
# contiguous, so that reading a row is a view of the file. List offsets have 32 bits: at most
# 2,147,483,647 rects per store, or 53 million images with 40 rects each; 64 bits would cost 4 more
# bytes per image for sets forty times ImageNet's size.
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
MAX_RECTS = int(np.iinfo(np.int32).max)


def write_arrow(path: str | Path, batch: pa.RecordBatch, origin: Origin | None = None) -> None:
    """Write rows of `STORE_SCHEMA` as one uncompressed batch, so that a reader can map them.

    The metadata contain the digest of the rows, which `rows_digest` verifies. They come first in
    the file, but the digest is known only once the rows are laid out in a file: so the rows are
    written, read back, and written again.

    Args:
        path: The file.
        batch: The rows.
        origin: What made the file.
    """
    metadata = {**(batch.schema.metadata or {}), **metadata_inside(origin)}
    with atomic_write(path) as temporary:
        _write_batch(temporary, batch.replace_schema_metadata(metadata))
        # Digest the file's buffers: those in memory may be slices of longer ones.
        digest, _ = _digest_in(temporary)
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
            UserError: The file is missing or is not such a store.
        """
        self.path = Path(path)
        try:
            file = pa.ipc.open_file(pa.memory_map(str(path)))
            batch = file.get_batch(0)
        except FileNotFoundError:
            raise UserError(
                "data.store_not_found",
                "There is no proposal store {path}; make it with `snakemake proposals`.",
                path=path,
            ) from None
        except (OSError, ValueError, pa.ArrowException):
            raise UserError(
                "data.store_invalid",
                "{path} is not a proposal store; make one with `snakemake proposals`.",
                path=path,
            ) from None
        if not _is_current(file.schema):
            raise UserError(
                "data.store_version",
                "{path} is not a proposal store of this version; make it again with"
                " `snakemake proposals`.",
                path=path,
            )
        self._keys = batch["key"]
        self._containers = batch["container"].dictionary.to_pylist()
        self._container = _view(batch["container"].indices)
        self._offset, self._bytes = _view(batch["offset"]), _view(batch["bytes"])
        self._content = _view(batch["content"])
        self._width, self._height = _view(batch["width"]), _view(batch["height"])
        self._regions = _view(batch["regions"])
        self._first = _view(batch["rects"].offsets)
        # `values` of the lists of rects, then of the lists of four: (rects of all images, 4).
        self._rects = _view(batch["rects"].values.values).reshape(-1, 4)

    def __len__(self) -> int:
        return len(self._keys)

    def __reduce__(self) -> tuple[type["ProposalStore"], tuple[Path]]:
        return ProposalStore, (self.path,)

    def key(self, number: int) -> str:
        """Key of image `number` in its source."""
        return self._keys[number].as_py()

    def entry(self, number: int) -> Entry:
        """Location of image `number` in its source."""
        container = self._containers[self._container[number]]
        numbers = (self._offset[number], self._bytes[number], self._content[number])
        return Entry(self.key(number), container, *map(int, numbers))

    def size(self, number: int) -> tuple[int, int]:
        """Width and height of image `number`, in pixels."""
        return int(self._width[number]), int(self._height[number])

    def rects(self, number: int) -> npt.NDArray[np.int16]:
        """Proposals of image `number`: (N, 4) left, top, width, height, in pixels; read-only."""
        return self._rects[self._first[number] : self._first[number + 1]]

    @property
    def empty(self) -> npt.NDArray[np.int64]:
        """Numbers of the images without a proposal."""
        # Equal offsets: an empty list.
        return np.flatnonzero(self._first[1 : len(self) + 1] == self._first[: len(self)])

    def regions(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Number of regions of these images before the filter."""
        return np.asarray(self._regions[numbers])

    def shorter_sides(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.uint16]:
        """Shorter sides of these images, in pixels."""
        return np.minimum(self._width[numbers], self._height[numbers])


def rows_digest(path: Path) -> str:
    """SHA-256 of a store's rows, in hex digits; the same for the same rows of any commit.

    Raises:
        UserError: The rows are not those that were written.
    """
    digest, written = _digest_in(path)
    if written is not None and written != digest:
        raise UserError(
            "data.store_damaged",
            "{path} is damaged (the checksum of its rows is wrong); remove it and make it again"
            " with `snakemake proposals`.",
            path=path,
        )
    return digest


def _digest_in(path: Path) -> tuple[str, str | None]:
    """The digest of the rows, and the one in the metadata (None in files of earlier versions)."""
    digest = hashlib.sha256()
    with pa.memory_map(str(path)) as mapped:
        file = pa.ipc.open_file(mapped)
        for column in file.get_batch(0).columns:
            words = column.dictionary.buffers() if pa.types.is_dictionary(column.type) else []
            for buffer in (*column.buffers(), *words):
                # None: a column without nulls has no bitmap of them.
                digest.update(b"" if buffer is None else buffer)
        written = (file.schema.metadata or {}).get(_DIGEST)
    return digest.hexdigest(), None if written is None else written.decode(errors="replace")


def _is_current(schema: pa.Schema) -> bool:
    """Whether columns and version are those of `STORE_SCHEMA`; other metadata may be present."""
    is_version = (STORE_SCHEMA.metadata or {}).items() <= (schema.metadata or {}).items()
    return is_version and schema.equals(STORE_SCHEMA)


def _view(numbers: pa.Array) -> npt.NDArray[Any]:
    """The numbers of a mapped column, in place.

    Arrow's `to_numpy` imports pandas, which costs 0.2 s and 20 MB in each process.
    """
    values = np.frombuffer(numbers.buffers()[1], numbers.type.to_pandas_dtype())
    return values[numbers.offset : numbers.offset + len(numbers)]
