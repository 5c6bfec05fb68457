"""Samples as training sees them.

Of image files searched here, or of the store of a finished search.
"""

import dataclasses
import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from soco.config import FilterConfig, ImagesConfig, PretrainConfig, ProposalsConfig
from soco.data import Entry, ImageSource, UnreadableImageError, decode_rgb, open_source, read_listed
from soco.data.contents import content_of
from soco.data.read import read_file
from soco.data.stores.merged import write_arrow
from soco.data.stores.merging import merge_files
from soco.data.stores.parquet import write_table
from soco.data.stores.schema import PROPOSAL_SCHEMA, image_columns, rect_columns
from soco.errors import UserError
from soco.pretrain.views import Batch, ViewDataset
from soco.pretrain.views.plan import ViewPlan
from soco.proposals.choice import evenly
from soco.proposals.engines import engine_of, search
from soco.proposals.filters import proposals_of
from soco.proposals.search_stage import check_sides


@dataclasses.dataclass(frozen=True)
class Sample:
    """A sample with what it was made from.

    Attributes:
        name: The image's key.
        epoch: The epoch that sees this sample.
        rgb: (H, W, 3) uint8, the image.
        boxes: (N, 4) in its pixels; `boxes[id - 1]` is the box of an id.
        shown: The plan of each view.
        batch: The views and pairs, without a leading dimension.
    """

    name: str
    epoch: int
    rgb: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.float32]
    shown: tuple[ViewPlan, ...]
    batch: Batch


class GivenFiles:
    """Image files anywhere as a source; an entry's key is the file's path."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def entries(self) -> Iterator[Entry]:
        """One for each file; a file that is not there has no bytes."""
        for path in self._paths:
            yield Entry(str(path), "", 0, path.stat().st_size if path.exists() else 0)

    def read(self, entry: Entry) -> bytes:
        """The file's bytes."""
        return read_file(entry.key)

    def state(self) -> str:
        """Nothing here is kept, so that nothing can be out of date."""
        return ""


@contextmanager
def searched(
    paths: Sequence[Path],
    settings: ProposalsConfig,
    filters: FilterConfig,
    recipe: PretrainConfig,
    seed: int,
    engine: str | None = None,
    max_pixels: int | None = None,
) -> Iterator[ViewDataset]:
    """Search and filter image files, and open them as training would, from a store that lasts as
    long as the block.

    Args:
        paths: Image files.
        settings: Engine and its parameters.
        filters: Filter and fallbacks.
        recipe: The pretraining whose views are made.
        seed: The run's.
        engine: Name of another engine than the settings'.
        max_pixels: Largest image that is searched; None: any.

    Raises:
        UserError: An image cannot be read.
    """
    engine = engine or engine_of(settings)
    source, entries, rects, sizes, strategies, regions = (
        GivenFiles(list(dict.fromkeys(paths))),
        [],
        [],
        [],
        [],
        [],
    )
    for entry in source.entries():
        try:
            data = source.read(entry)
            rgb = decode_rgb(data, max_pixels)
            check_sides(rgb)
        except UnreadableImageError as error:
            raise UserError(f"{entry.key} cannot be read ({error}); give image files.") from None
        found = search(rgb, engine, settings)[:, :4]
        sizes.append((rgb.shape[1], rgb.shape[0]))
        strategy, kept = proposals_of(found, sizes[-1], filters)
        entries.append(
            dataclasses.replace(entry, content=content_of(hashlib.sha256(data).digest()))
        )
        rects.append(kept)
        strategies.append(strategy)
        regions.append(len(found))
    columns = {
        **image_columns(entries, sizes),
        "regions": regions,
        "strategy": strategies,
        **rect_columns(rects),
    }
    with tempfile.TemporaryDirectory() as folder:
        shard, store = Path(folder, "shard.parquet"), Path(folder, "store.arrow")
        write_table(shard, pa.table(columns, schema=PROPOSAL_SCHEMA))
        write_arrow(store, merge_files([shard]))
        yield ViewDataset(store, source, recipe, seed)


@contextmanager
def of_store(
    store: Path, images: ImagesConfig, recipe: PretrainConfig, seed: int
) -> Iterator[ViewDataset]:
    """Open the store of a finished search, with its images where the configuration says, as
    training does.

    Raises:
        UserError: There is no such store.
    """
    yield ViewDataset(store, open_source(images), recipe, seed)


def samples_of(dataset: ViewDataset, images: int, epoch: int, count: int) -> Iterator[Sample]:
    """The samples of some images in successive epochs, exactly those that training sees there.

    Args:
        dataset: As training has it.
        images: Most images, evenly chosen from the store.
        epoch: The first epoch.
        count: How many epochs.

    Raises:
        UserError: An image can no longer be read.
    """
    for number in evenly(range(len(dataset)), images):
        for at in range(epoch, epoch + count):
            yield sample_of(dataset, number, at)


def sample_of(dataset: ViewDataset, number: int, epoch: int) -> Sample:
    """The sample of one image, by its number in the store, exactly as training sees it in an epoch.

    Raises:
        UserError: The image can no longer be read.
    """
    entry, place = dataset.store.entry(number), (epoch, number)
    batch = dataset[place]
    shown, boxes = dataset.plan(place).views, dataset.boxes(number)
    return Sample(entry.key, epoch, _rgb(dataset.source, entry), boxes, shown, batch)


def _rgb(source: ImageSource, entry: Entry) -> npt.NDArray[np.uint8]:
    return decode_rgb(read_listed(source, entry))
