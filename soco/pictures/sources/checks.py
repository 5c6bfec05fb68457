"""What every source makes sure of before it yields its entries."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from soco.errors import UserError
from soco.pictures.sources.entry import Entry
from soco.pictures.sources.layouts import remedy
from soco.pictures.sources.names import PICTURE_SUFFIXES

log = logging.getLogger(__name__)


def checked(entries: Iterable[Entry], path: Path, layout: str) -> Iterator[Entry]:
    """Pass entries on, but for names that are not UTF-8, which no store can hold; those are told in the log.

    Raises:
        UserError: A key comes twice, or there is no entry.
    """
    keys: set[str] = set()
    nameless: list[str] = []
    for entry in entries:
        if not _is_text(entry.key) or not _is_text(entry.container):
            nameless.append(entry.key)
            continue
        if entry.key in keys:
            raise UserError(f"{path} holds two pictures named {entry.key!r}; rename or remove one of them.")
        keys.add(entry.key)
        yield entry
    if nameless:
        log.warning("passed over %d pictures of names that are not UTF-8, first %a", len(nameless), nameless[0])
    if not keys:
        suffixes = ", ".join(PICTURE_SUFFIXES)
        raise UserError(f"{path}, which pictures.path names, holds no picture ({suffixes}); {remedy(path, layout)}.")


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
