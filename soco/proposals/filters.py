"""Filters: which regions are kept, by shape and by size relative to the image."""

import math
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from soco.config import FilterConfig, Strategy

Rects = npt.NDArray[np.integer]


def filter_mask(
    rects: Rects, image: tuple[int, int], strategy: Strategy, min_side: int = 32
) -> npt.NDArray[np.bool_]:
    """Tell which rects a strategy keeps.

    Args:
        rects: (N, 4): left, top, width, height, in pixels.
        image: Width and height of the image, in pixels.
        strategy: The filter.
        min_side: Narrowest width and height kept, in pixels.

    Returns:
        (N,) bool.
    """
    width, height = rects[:, 2].astype(np.float64), rects[:, 3].astype(np.float64)
    kept = (width >= max(min_side, 1)) & (height >= max(min_side, 1))
    ratio = np.divide(width, height, out=np.ones_like(width), where=height > 0)
    share = np.sqrt(width * height) / (math.sqrt(image[0]) * math.sqrt(image[1]))
    if strategy.ratio is not None:
        kept &= (ratio >= 1 / strategy.ratio) & (ratio <= strategy.ratio)
    if strategy.low is not None:
        kept &= share >= strategy.low
    if strategy.high is not None:
        kept &= share <= strategy.high
    return kept


def first_that_keeps(
    strategies: Iterable[Strategy], rects: Rects, image: tuple[int, int], min_side: int
) -> tuple[str, Rects]:
    """The rects of the first strategy that keeps any.

    Args:
        strategies: Tried in turn.
        rects: (N, 4): left, top, width, height, in pixels.
        image: Width and height of the image, in pixels.
        min_side: Narrowest width and height kept, in pixels.

    Returns:
        The strategy's name and the (M, 4) rects; "" and none where no strategy keeps any.
    """
    for strategy in strategies:
        kept = rects[filter_mask(rects, image, strategy, min_side)]
        if len(kept):
            return strategy.name, kept
    return "", rects[:0]


def proposals_of(rects: Rects, image: tuple[int, int], settings: FilterConfig) -> tuple[str, Rects]:
    """The proposals of one image, by the filter or the first of its fallbacks that keeps any."""
    return first_that_keeps(
        (settings.strategy, *settings.fallbacks), rects, image, settings.min_side
    )


def left_empty(images: Mapping[str, int], settings: FilterConfig) -> list[tuple[str, int]]:
    """How many images would have no proposal if one stopped after the filter, and after each
    fallback in turn.

    Args:
        images: How many images each strategy gave their proposals, by its name; "" for those that
            none gave any.
        settings: The filter.

    Returns:
        For the filter and each fallback its name and the number.
    """
    names = [strategy.name for strategy in (settings.strategy, *settings.fallbacks)]
    return [
        (name, sum(count for kept_by, count in images.items() if kept_by not in names[:number]))
        for number, name in enumerate(names, start=1)
    ]
