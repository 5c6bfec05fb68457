"""Which shard an image is in.

Runs of neighbours with equal shares of the pixels, kept while they stay fair.
"""

import logging

import numpy as np
import numpy.typing as npt

from soco.data.read import LONGEST_SIDE

log = logging.getLogger(__name__)

_UNFAIR = 1.5  # times the mean

Ints = npt.NDArray[np.integer]
Loads = npt.NDArray[np.float64]


def loads_of(width: Ints, height: Ints) -> Loads:
    """What each image weighs: its pixels, or the mean of the others where its size is unknown (0)
    or claimed.

    A side longer than stores can hold is only claimed: such an image is skipped.
    """
    pixels = width.astype(np.float64) * height
    known = (pixels > 0) & (np.maximum(width, height) <= LONGEST_SIDE)
    return np.where(known, pixels, pixels[known].mean() if known.any() else 1.0)


def deal(loads: Loads, shards: int) -> npt.NDArray[np.int32]:
    """Cut images into runs of equal load; an image goes where its middle falls.

    Args:
        loads: (N,) positive, in the order of the images; at least one.
        shards: How many runs; some are empty where images are few.

    Returns:
        (N,) shard of each image, never falling.
    """
    ends = np.cumsum(loads)
    middles = (ends - loads / 2) / ends[-1]
    return np.minimum(middles * shards, shards - 1).astype(np.int32)


def rebalance_shards(before: Ints, loads: Loads, shards: int) -> npt.NDArray[np.int32]:
    """Leave images in their shard and put new ones beside their neighbour, unless a shard becomes
    too heavy.

    Args:
        before: (N,) shard of each image before, -1 for a new one.
        loads: (N,) positive, in the order of the images.
        shards: How many shards there are, as before.

    Returns:
        (N,) shard of each image.
    """
    old = np.flatnonzero(before >= 0)
    if not len(old):
        return deal(loads, shards)
    # The old image at or before each place; the first old one where there is none before.
    neighbour = old[np.maximum(np.searchsorted(old, np.arange(len(before)), side="right") - 1, 0)]
    kept = before[neighbour].astype(np.int32)
    if _too_heavy(kept, loads, shards):
        log.info(
            "a shard has more than %g times the mean pixels: all shards are dealt afresh", _UNFAIR
        )
        return deal(loads, shards)
    return kept


def shard_loads(numbers: Ints, loads: Loads, shards: int) -> Loads:
    """(shards,) the load of each shard."""
    return np.bincount(numbers, loads, minlength=shards).astype(np.float64)


def _too_heavy(numbers: Ints, loads: Loads, shards: int) -> bool:
    """Whether the heaviest shard is unfair even without its largest image, which no dealing can cut."""
    totals = shard_loads(numbers, loads, shards)
    heaviest = int(totals.argmax())
    largest = loads[numbers == heaviest].max()
    return bool(totals[heaviest] - largest > _UNFAIR * loads.sum() / shards)
