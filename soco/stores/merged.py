"""The merged store that training opens: an Arrow IPC file, memory-mapped, so that all processes share one copy."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from soco.errors import UserError
from soco.stores.files import whole_file
from soco.stores.schema import PROPOSAL_SCHEMA, RECT_COLUMNS


def write_arrow(path: str | Path, table: pa.Table) -> None:
    """Write a proposal table as one uncompressed record batch, so that a reader can point into the file."""
    with (
        whole_file(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, table.schema) as writer,
    ):
        writer.write_table(table.combine_chunks(), max_chunksize=max(1, len(table)))


class ProposalStore:
    """Proposals by picture number, read in place from the Arrow IPC file.

    Opening maps the file and decodes nothing. An instance pickles as its path, so that a data loader's workers map
    the same pages instead of receiving copies.
    """

    def __init__(self, path: str | Path) -> None:
        """Map the store at `path`.

        Raises:
            UserError: The file is missing or is no such store.
        """
        self.path = Path(path)
        try:
            batch = pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)
        except (FileNotFoundError, pa.ArrowInvalid):
            raise UserError(f"There is no proposal store {path}; make it with `snakemake proposals`.") from None
        if not batch.schema.equals(PROPOSAL_SCHEMA):
            raise UserError(f"{path} is no proposal store of this version; make it again with `snakemake proposals`.")
        self._keys = batch["key"]
        self._offsets = batch[RECT_COLUMNS[0]].offsets.to_numpy()
        self._rects = [batch[name].values.to_numpy() for name in RECT_COLUMNS]

    def __len__(self) -> int:
        return len(self._keys)

    def __reduce__(self) -> tuple[type["ProposalStore"], tuple[Path]]:
        return ProposalStore, (self.path,)

    def key(self, number: int) -> str:
        """Path of picture `number` below the picture folder."""
        return self._keys[number].as_py()

    def rects(self, number: int) -> npt.NDArray[np.int16]:
        """Proposals of picture `number`: (N, 4) left, top, width, height, in its pixels."""
        start, stop = self._offsets[number], self._offsets[number + 1]
        return np.stack([column[start:stop] for column in self._rects], axis=1)
