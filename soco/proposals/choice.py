"""Choose a few items of a sequence, spread evenly over it."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """Choose at most `most` items in order: the first, the last, and others evenly between."""
    if len(items) <= most:
        return list(items)
    # Neighbouring places are more than 1 apart (most < len(items)), so none is chosen twice.
    return [items[place] for place in np.linspace(0, len(items) - 1, most).round().astype(int)]


def middles(items: Sequence[Item], most: int) -> list[Item]:
    """Choose at most `most` items in order: the middles of `most` equal parts."""
    if len(items) <= most:
        return list(items)
    return [items[int((part + 0.5) * len(items) / most)] for part in range(most)]
