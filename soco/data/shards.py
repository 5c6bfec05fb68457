"""The shard of each image: runs of neighbours with equal numbers of pixels."""

import logging

import numpy as np
import numpy.typing as npt

from soco.data.read import LONGEST_SIDE

log = logging.getLogger(__name__)

_MAX_IMBALANCE = 1.5  # pixels of the heaviest shard, relative to the mean

Ints = npt.NDArray[np.integer]
Loads = npt.NDArray[np.float64]


def image_loads(width: Ints, height: Ints) -> Loads:
    """The load of each image: its pixels, or the mean of the others if its size is not usable.

    A size is not usable if it is unknown (0), or if a side is longer than the stores can contain:
    such an image is skipped later, and a forged header must not unbalance the shards.
    """
    # Not int32, which overflows with the sides of a forged header.
    pixels = width.astype(np.float64) * height
    known = (pixels > 0) & (np.maximum(width, height) <= LONGEST_SIDE)
    return np.where(known, pixels, pixels[known].mean() if known.any() else 1.0)


def split_by_load(loads: Loads, shards: int) -> npt.NDArray[np.int32]:
    """Cut images into runs of equal load; an image joins the run that contains its middle.

    Args:
        loads: (N,) positive, in the order of the images; at least one.
        shards: Number of runs; some are empty if there are few images.

    Returns:
        (N,) shard of each image, in ascending order.
    """
    ends = np.cumsum(loads)
    middles = (ends - loads / 2) / ends[-1]
    # The minimum is for rounding: a last middle of almost 1 must not open another shard.
    return np.minimum(middles * shards, shards - 1).astype(np.int32)


def rebalance_shards(before: Ints, loads: Loads, shards: int) -> npt.NDArray[np.int32]:
    """Keep images in their shard and add new ones to their neighbour's, unless one gets too heavy.

    Args:
        before: (N,) shard of each image before, -1 for a new one.
        loads: (N,) positive, in the order of the images.
        shards: Number of shards, as before.

    Returns:
        (N,) shard of each image.
    """
    old = np.flatnonzero(before >= 0)
    if not len(old):
        return split_by_load(loads, shards)
    # The nearest old image at or before each image; the first old one if there is none before.
    neighbour = old[np.maximum(np.searchsorted(old, np.arange(len(before)), side="right") - 1, 0)]
    kept = before[neighbour].astype(np.int32)
    if _too_heavy(kept, loads, shards):
        log.info(
            "a shard has more than %g times the mean pixels: rebalancing all shards", _MAX_IMBALANCE
        )
        return split_by_load(loads, shards)
    return kept


def shard_loads(numbers: Ints, loads: Loads, shards: int) -> Loads:
    """Return the load of each shard: (shards,).

    Args:
        numbers: (N,) shard of each image.
        loads: (N,) load of each image.
        shards: Number of shards.
    """
    return np.bincount(numbers, loads, minlength=shards).astype(np.float64)


def _too_heavy(numbers: Ints, loads: Loads, shards: int) -> bool:
    """Whether the heaviest shard is too heavy even without its largest image.

    An image is never split, so that a huge one must not rebalance the shards at every listing.
    """
    totals = shard_loads(numbers, loads, shards)
    heaviest = int(totals.argmax())
    largest = loads[numbers == heaviest].max()
    return bool(totals[heaviest] - largest > _MAX_IMBALANCE * loads.sum() / shards)
