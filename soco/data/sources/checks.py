"""What every source makes sure of before it yields its entries."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from soco.data.sources.entry import Entry
from soco.data.sources.layouts import remedy
from soco.data.sources.names import IMAGE_SUFFIXES
from soco.errors import UserError

log = logging.getLogger(__name__)


class PassedOver:
    """What a listing leaves out, by kind: how many, and the first.

    The log says it once the listing ends.
    """

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._counts: Counter[str] = Counter()

    def add(self, kind: str, name: str) -> None:
        """Count one more of a kind, such as `links named like images`."""
        self._first.setdefault(kind, name)
        self._counts[kind] += 1

    def log(self) -> None:
        """Warn of each kind."""
        for kind, count in self._counts.items():
            log.warning("passed over %d %s, first %.200a", count, kind, self._first[kind])


def checked(
    entries: Iterable[Entry], path: Path, layout: str, passed_over: PassedOver
) -> Iterator[Entry]:
    """Pass entries on, but for names that are not UTF-8, which no store can hold; the log says what
    is left out.

    Args:
        entries: The images of a source.
        path: The source's.
        layout: The source's.
        passed_over: Receives those names; it may already count what `entries` leaves out.

    Raises:
        UserError: A key comes twice, or there is no entry.
    """
    keys: set[str] = set()
    for entry in entries:
        if not _is_text(entry.key) or not _is_text(entry.container):
            passed_over.add("images of names that are not UTF-8", entry.key)
            continue
        if entry.key in keys:
            raise UserError(
                f"{path} holds two images named {entry.key!r}; rename or remove one of them."
            )
        keys.add(entry.key)
        yield entry
    passed_over.log()
    if not keys:
        suffixes = ", ".join(IMAGE_SUFFIXES)
        raise UserError(
            f"{path}, which images.path names, holds no image ({suffixes}); {remedy(path, layout)}."
        )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
