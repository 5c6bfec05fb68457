"""Filters: which regions become proposals, by shape and by size relative to the image."""

import math
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from soco.config import FilterConfig, Strategy
from soco.proposals.boxes import Rects


def filter_mask(
    rects: Rects, image: tuple[int, int], strategy: Strategy, min_side: int = 32
) -> npt.NDArray[np.bool_]:
    """Decide which rects a strategy keeps (SoCo, section 3.1).

    Args:
        rects: (N, 4): left, top, width, height, in pixels.
        image: Width and height of the image, in pixels.
        strategy: The filter.
        min_side: Smallest width and height kept, in pixels.

    Returns:
        (N,) bool.
    """
    # Not int16, in which width * height overflows.
    width, height = rects[:, 2].astype(np.float64), rects[:, 3].astype(np.float64)
    # At least 1 even with min_side 0: a region one pixel wide has width 0 (max - min), no ratio.
    kept = (width >= max(min_side, 1)) & (height >= max(min_side, 1))
    ratio = np.divide(width, height, out=np.ones_like(width), where=height > 0)
    relative_size = np.sqrt(width * height) / (math.sqrt(image[0]) * math.sqrt(image[1]))
    # The paper's: 1/3 <= w/h <= 3 and 0.3 <= sqrt(w h) / sqrt(W H) <= 0.8.
    if strategy.ratio is not None:
        kept &= (ratio >= 1 / strategy.ratio) & (ratio <= strategy.ratio)
    if strategy.low is not None:
        kept &= relative_size >= strategy.low
    if strategy.high is not None:
        kept &= relative_size <= strategy.high
    return kept


def first_that_keeps(
    strategies: Iterable[Strategy], rects: Rects, image: tuple[int, int], min_side: int
) -> tuple[str, Rects]:
    """Filter rects by the first strategy that keeps any.

    Args:
        strategies: Tried in turn.
        rects: (N, 4): left, top, width, height, in pixels.
        image: Width and height of the image, in pixels.
        min_side: Smallest width and height kept, in pixels.

    Returns:
        The strategy's name and the (M, 4) rects; "" and none if no strategy keeps any.
    """
    for strategy in strategies:
        kept = rects[filter_mask(rects, image, strategy, min_side)]
        if len(kept):
            return strategy.name, kept
    return "", rects[:0]


def proposals_of(rects: Rects, image: tuple[int, int], settings: FilterConfig) -> tuple[str, Rects]:
    """Filter the regions of one image, with the fallbacks; see `first_that_keeps`."""
    return first_that_keeps(
        (settings.strategy, *settings.fallbacks), rects, image, settings.min_side
    )


def left_empty(images: Mapping[str, int], settings: FilterConfig) -> list[tuple[str, int]]:
    """Count the images without a proposal after the filter, and after each fallback in turn.

    Args:
        images: The number of images whose proposals each strategy gave, by its name; "" for images
            without any.
        settings: The filter and its fallbacks.

    Returns:
        Name and count, for the filter and for each fallback.
    """
    names = [strategy.name for strategy in (settings.strategy, *settings.fallbacks)]
    return [
        (name, sum(count for kept_by, count in images.items() if kept_by not in names[:number]))
        for number, name in enumerate(names, start=1)
    ]
