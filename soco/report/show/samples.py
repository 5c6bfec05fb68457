"""Samples to show, from image files that are searched here or from a finished search's store."""

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from soco.config import PretrainConfig
from soco.data import Entry, UnreadableImageError, decode_rgb
from soco.data.contents import content_of
from soco.data.read import read_file
from soco.data.stores.merging import merge_files
from soco.data.stores.parquet import write_table
from soco.data.stores.proposal_store import write_arrow
from soco.data.stores.schema import PROPOSAL_SCHEMA, image_columns, rect_columns
from soco.pretrain.views import ViewDataset
from soco.proposals.choice import evenly
from soco.proposals.search_stage import check_sides
from soco.report.drawing.samples import Sample, sample_of
from soco.report.show.proposals import Search, unreadable


class GivenFiles:
    """Image files anywhere as a source; an entry's key is the file's path."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def entries(self) -> Iterator[Entry]:
        """One per file; a file that does not exist has no bytes."""
        for path in self._paths:
            yield Entry(str(path), "", 0, path.stat().st_size if path.exists() else 0)

    def read(self, entry: Entry) -> bytes:
        """The file's bytes."""
        return read_file(entry.key)

    def state(self) -> str:
        """Always the same: nothing that depends on the files is cached."""
        return ""


@contextmanager
def searched(
    paths: Sequence[Path], search: Search, recipe: PretrainConfig, seed: int
) -> Iterator[ViewDataset]:
    """Search and filter image files, and open them in the block as training would.

    Args:
        paths: Image files.
        search: How they are searched.
        recipe: The pretraining whose views are made.
        seed: Seed of the run.

    Raises:
        UserError: An image cannot be read.
    """
    source = GivenFiles(list(dict.fromkeys(paths)))
    entries, sizes, rects, searches = [], [], [], []
    for entry in source.entries():
        try:
            data = source.read(entry)
            rgb = decode_rgb(data, search.max_pixels)
            check_sides(rgb)
        except UnreadableImageError as error:
            raise unreadable(entry.key, error) from None
        regions, strategy, proposals = search(rgb)
        entries.append(replace(entry, content=content_of(hashlib.sha256(data).digest())))
        sizes.append((rgb.shape[1], rgb.shape[0]))
        rects.append(proposals)
        searches.append((len(regions), strategy))
    columns = {
        **image_columns(entries, sizes),
        "regions": [count for count, _ in searches],
        "strategy": [strategy for _, strategy in searches],
        **rect_columns(rects),
    }
    with tempfile.TemporaryDirectory() as folder:
        shard, store = Path(folder, "shard.parquet"), Path(folder, "store.arrow")
        write_table(shard, pa.table(columns, schema=PROPOSAL_SCHEMA))
        write_arrow(store, merge_files([shard]))
        yield ViewDataset(store, source, recipe, seed)


def samples_of(dataset: ViewDataset, images: int, epoch: int, count: int) -> Iterator[Sample]:
    """The samples of some images in successive epochs, exactly as training sees them.

    Args:
        dataset: The dataset of the training.
        images: Maximum number of images, evenly spaced in the store.
        epoch: The first epoch.
        count: How many epochs.

    Raises:
        UserError: An image can no longer be read.
    """
    for number in evenly(range(len(dataset)), images):
        for current in range(epoch, epoch + count):
            yield sample_of(dataset, number, current)
