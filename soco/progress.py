"""Progress with an ETA, readable in a terminal and in a log file."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

_TERMINAL_SECONDS, _LOG_SECONDS = 0.2, 10.0


def progress(items: Iterable[Item], total: int, what: str, delay: float = 0) -> Iterator[Item]:
    """Pass items on and print how many are done, how fast, and how long the rest takes.

    A log file receives a line every ten seconds, a terminal a moving bar.

    Args:
        items: What is done, as it is done.
        total: How many items there are.
        what: Stands before the bar.
        delay: Seconds before the first line; what is done by then prints nothing.
    """
    with progress_bar(total, what, "image", delay=delay) as bar:
        for item in items:
            yield item
            bar.update(1)


def progress_bar(total: int, what: str, unit: str, done: int = 0, delay: float = 0) -> tqdm:
    """Make a bar on standard error, to be updated by whoever does the work.

    Args:
        total: How much there is to do.
        what: Stands before the bar.
        unit: What is counted.
        done: How much was done before.
        delay: Seconds before the bar appears.
    """
    options: dict[str, Any] = {
        "total": total,
        "initial": done,
        "desc": what,
        "unit": unit,
        "smoothing": 0.1,
    }
    options["delay"] = delay
    if sys.stderr.isatty():
        return tqdm(**options, mininterval=_TERMINAL_SECONDS)
    return tqdm(**options, mininterval=_LOG_SECONDS, file=_Lines())


class _Lines:
    """Standard error for a log file: what a bar draws over itself in a terminal becomes lines."""

    def write(self, text: str) -> None:
        line = text.strip()
        if line:
            sys.stderr.write(line + "\n")

    def flush(self) -> None:
        sys.stderr.flush()
