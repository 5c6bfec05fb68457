"""Progress bars with an ETA, readable in a terminal and in a log file."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

_TERMINAL_SECONDS, _LOG_SECONDS = 0.2, 10.0


def progress(items: Iterable[Item], total: int, what: str, delay: float = 0) -> Iterator[Item]:
    """Yield the items, and print how many are finished, their rate and the remaining time.

    A log file gets a line every ten seconds, a terminal a moving bar.

    Args:
        items: The finished items, yielded one by one.
        total: Number of items.
        what: Label of the bar.
        delay: Seconds before the first line; work that takes less prints nothing.
    """
    with progress_bar(total, what, "image", delay=delay) as bar:
        for item in items:
            yield item
            bar.update(1)


def progress_bar(total: int, what: str, unit: str, done: int = 0, delay: float = 0) -> tqdm:
    """Make a bar on standard error; the caller updates it.

    Args:
        total: Number of units to do.
        what: Label of the bar.
        unit: Name of a unit, such as `step`.
        done: Number of units that were done before.
        delay: Seconds before the bar appears.
    """
    options: dict[str, Any] = {
        "total": total,
        "initial": done,
        "desc": what,
        "unit": unit,
        "smoothing": 0.1,
        "delay": delay,
    }
    if sys.stderr.isatty():
        return tqdm(**options, mininterval=_TERMINAL_SECONDS)
    return tqdm(**options, mininterval=_LOG_SECONDS, file=_Lines())


class _Lines:
    """Standard error for a log file: each update of a bar becomes a line of its own."""

    def write(self, text: str) -> None:
        line = text.strip()
        if line:
            sys.stderr.write(line + "\n")

    def flush(self) -> None:
        sys.stderr.flush()
