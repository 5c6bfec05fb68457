"""One part of a comparison: a heading, lines below it, and the same as data."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from soco.provenance.changes import Change, plural


@dataclass(frozen=True)
class Section:
    """One aspect of both runs.

    Attributes:
        name: Its key in the data.
        heading: One sentence, which is everything if the runs are equal.
        differs: Whether they differ.
        lines: One line for each difference.
        data: The same as data.
    """

    name: str
    heading: str
    differs: bool
    lines: tuple[str, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)


def changed_section(
    name: str, title: str, differences: Iterable[Change], noun: str = "key"
) -> Section:
    """A section of changes, such as `Configuration: 2 keys differ.`"""
    listed = list(differences)
    counted = f"{plural(len(listed), noun)} differ{'s' if len(listed) == 1 else ''}"
    heading = f"{title}: {counted if listed else 'the same'}."
    data = {"changes": [change.data() for change in listed]}
    return Section(name, heading, bool(listed), tuple(change.words() for change in listed), data)
