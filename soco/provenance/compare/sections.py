"""A part of a comparison: one heading in words, lines below it, and the same as data."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from soco.provenance.compare.changes import Change


@dataclass(frozen=True)
class Section:
    """What was found in one respect.

    Attributes:
        name: Its key in the data.
        heading: One sentence, which is all where the runs are alike.
        differs: Whether they differ.
        lines: A line for each difference.
        data: The same for programs.
    """

    name: str
    heading: str
    differs: bool
    lines: tuple[str, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)


def changed_section(name: str, title: str, found: Iterable[Change], noun: str = "key") -> Section:
    """A section of changes, such as `Configuration: 2 keys differ.`"""
    told = list(found)
    data = {"changes": [change.data() for change in told]}
    if not told:
        return Section(name, f"{title}: the same.", False, (), data)
    return Section(
        name, f"{title}: {count(told, noun)}.", True, tuple(change.words() for change in told), data
    )


def count(found: list[Any], noun: str) -> str:
    """`1 key differs` or `2 keys differ`."""
    return f"1 {noun} differs" if len(found) == 1 else f"{len(found)} {noun}s differ"


def plural(number: int, noun: str) -> str:
    """`1 file` or `2 files`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
