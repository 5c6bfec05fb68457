"""The search stage: find the raw regions of every image of a shard, on all cores of the job."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import numpy.typing as npt

from soco.config import ImagesConfig, ProposalsConfig
from soco.data import (
    SHARD_SCHEMA,
    Entry,
    ImageSource,
    UnreadableImageError,
    decode_rgb,
    read_listed,
)
from soco.data.read import LONGEST_SIDE
from soco.data.stores.parquet import read_table
from soco.data.stores.schema import entries_of
from soco.io import Origin
from soco.progress import progress
from soco.proposals.engines import engine_of, search
from soco.proposals.raw import SearchResult, write_raw

# joblib's backend for each engine: our search releases the GIL, OpenCV's does not.
_BACKENDS = {"soco": "threading", "opencv": "loky"}


@dataclass(frozen=True)
class SearchJob:
    """The search of one shard.

    Attributes:
        shard: The shard's Parquet file, `SHARD_SCHEMA`; it may be empty.
        source: Where its images are.
        settings: Engine and its parameters.
        images: How large an image may be.
        jobs: Threads or processes that search at once; the results do not depend on it.
        raw: Receives one row for each readable image, `RAW_SCHEMA`.
        skipped: Receives one row for each unreadable image, `SKIPPED_SCHEMA`.
        origin: What makes the stores.
    """

    shard: str | Path
    source: ImageSource
    settings: ProposalsConfig
    images: ImagesConfig
    jobs: int
    raw: str | Path
    skipped: str | Path
    origin: Origin | None = None


class PixelBudget:
    """Limits the pixels that threads search at once, and thus their memory.

    A shard of large images then needs no more memory than the largest image allowed.
    """

    def __init__(self, pixels: int) -> None:
        """Allow this many pixels at once; a single image is always allowed, whatever its size."""
        self._pixels = pixels
        self._in_use = 0
        self._released = threading.Condition()

    @contextlib.contextmanager
    def reserve(self, pixels: int) -> Iterator[None]:
        """Wait until an image of this many pixels fits, and reserve them during the block."""
        with self._released:
            self._released.wait_for(
                lambda: not self._in_use or self._in_use + pixels <= self._pixels
            )
            self._in_use += pixels
        try:
            yield
        finally:
            with self._released:
                self._in_use -= pixels
                self._released.notify_all()


def search_shard(job: SearchJob) -> None:
    """Search every image of a shard; repeated searches write the same bytes."""
    entries = entries_of(read_table(job.shard, SHARD_SCHEMA))
    backend = _BACKENDS[job.settings.engine]
    work = partial(
        search_image,
        source=job.source,
        settings=job.settings,
        max_pixels=job.images.max_pixels,
        # Only threads can share it; a process searches one image at a time.
        budget=PixelBudget(job.images.max_pixels) if backend == "threading" else None,
    )
    parallel = joblib.Parallel(n_jobs=job.jobs, return_as="generator", backend=backend)
    searched = parallel(joblib.delayed(work)(entry) for entry in entries)
    results = list(progress(searched, len(entries), "selective search"))
    write_raw(entries, results, job.raw, job.skipped, job.origin)


def search_image(
    entry: Entry,
    source: ImageSource,
    settings: ProposalsConfig,
    max_pixels: int | None,
    budget: PixelBudget | None = None,
) -> SearchResult:
    """Search one image with the configured engine.

    Args:
        entry: The image.
        source: Where it is.
        settings: Engine and its parameters.
        max_pixels: Largest image that is decoded; None: any.
        budget: Shared by the threads that search at once; None: no limit.

    Returns:
        The regions, or the reason why the image cannot be read.

    Raises:
        UserError: The image has changed since it was listed.
    """
    try:
        # Decoded before waiting for the budget: pixels take 3 bytes each, their search about 90.
        rgb = decode_rgb(read_listed(source, entry), max_pixels)
        check_sides(rgb)
    except UnreadableImageError as error:
        return str(error)
    with budget.reserve(rgb.shape[0] * rgb.shape[1]) if budget else contextlib.nullcontext():
        return rgb.shape[1], rgb.shape[0], search(rgb, engine_of(settings), settings)


def check_sides(rgb: npt.NDArray[np.uint8]) -> None:
    """Refuse an image whose boxes do not fit into the stores' int16 columns.

    Raises:
        UnreadableImageError: A side is longer than `LONGEST_SIDE`.
    """
    if max(rgb.shape) > LONGEST_SIDE:
        raise UnreadableImageError(f"longer than {LONGEST_SIDE} pixels")
