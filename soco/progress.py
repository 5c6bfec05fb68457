"""Progress with an ETA, readable in a terminal and in a log file."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def progress(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Pass items on and print how many are done, how fast, and how long the rest takes.

    A log file receives a line every ten seconds, a terminal a moving bar.
    """
    in_terminal = sys.stderr.isatty()
    bar = tqdm(items, total=total, desc=what, unit="picture", mininterval=0.2 if in_terminal else 10.0, smoothing=0.1)
    yield from bar
