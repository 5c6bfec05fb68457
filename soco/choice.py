"""Even choices among many."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """At most `most` of the items in their order, the first and the last among them, the others evenly between."""
    if len(items) <= most:
        return list(items)
    return [items[place] for place in np.linspace(0, len(items) - 1, most).round().astype(int)]


def middles(items: Sequence[Item], most: int) -> list[Item]:
    """At most `most` of the items in their order.

    The middles of as many equal parts, so neither of the ends.
    """
    if len(items) <= most:
        return list(items)
    return [items[int((part + 0.5) * len(items) / most)] for part in range(most)]
