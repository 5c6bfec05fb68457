"""The search stage: every image of a shard to its raw regions, over the job's cores."""

import contextlib
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
from soco.progress import progress
from soco.proposals.budget import PixelBudget
from soco.proposals.engines import engine_of, search
from soco.proposals.raw import Found, write_found

# What joblib spreads images over. Our search computes without Python's lock, OpenCV's holds it.
_BACKENDS = {"soco": "threading", "opencv": "loky"}


def search_shard(
    shard: str | Path,
    source: ImageSource,
    settings: ProposalsConfig,
    images: ImagesConfig,
    jobs: int,
    raw: str | Path,
    skipped: str | Path,
) -> None:
    """Search every image of a shard; the same shard gives the same bytes, whatever `jobs` is.

    Args:
        shard: The shard's Parquet file, `SHARD_SCHEMA`; it may have no row.
        source: Where its images lie.
        settings: Engine and its parameters.
        images: How large an image may be.
        jobs: Threads or processes to spread the images over.
        raw: Receives one row an image that could be read, `RAW_SCHEMA`.
        skipped: Receives one row an image that could not, `SKIPPED_SCHEMA`.
    """
    entries = entries_of(read_table(shard, SHARD_SCHEMA))
    budget = PixelBudget(images.max_pixels) if _BACKENDS[settings.engine] == "threading" else None
    work = joblib.delayed(
        partial(
            search_image,
            source=source,
            settings=settings,
            max_pixels=images.max_pixels,
            budget=budget,
        )
    )
    parallel = joblib.Parallel(
        n_jobs=jobs, return_as="generator", backend=_BACKENDS[settings.engine]
    )
    results = list(
        progress(parallel(work(entry) for entry in entries), len(entries), "selective search")
    )
    write_found(entries, results, raw, skipped)


def search_image(
    entry: Entry,
    source: ImageSource,
    settings: ProposalsConfig,
    max_pixels: int | None,
    budget: PixelBudget | None = None,
) -> Found:
    """Search one image with the chosen engine; an unreadable one gives its reason instead.

    Args:
        entry: The image.
        source: Where it lies.
        settings: Engine and its parameters.
        max_pixels: Largest image that is decoded; None: any.
        budget: Shared by threads that search at once; None for a search alone.

    Raises:
        UserError: The image is not the one that was listed.
    """
    try:
        rgb = decode_rgb(read_listed(source, entry), max_pixels)
        check_sides(rgb)
    except UnreadableImageError as error:
        return str(error)
    with budget.holding(rgb.shape[0] * rgb.shape[1]) if budget else contextlib.nullcontext():
        return rgb.shape[1], rgb.shape[0], search(rgb, engine_of(settings), settings)


def check_sides(rgb: npt.NDArray[np.uint8]) -> None:
    """Refuse an image whose boxes the stores cannot hold.

    Raises:
        UnreadableImageError: It is longer than 16 bits tell.
    """
    if max(rgb.shape) > LONGEST_SIDE:
        raise UnreadableImageError(f"longer than {LONGEST_SIDE} pixels")
