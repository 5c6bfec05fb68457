"""The differences between two nested values, key by key: of two runs, or of two files."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from soco.errors import printable

_LONGEST = 60


class _Absent:
    """The value of a key that one side lacks, as opposed to null."""

    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = _Absent()


@dataclass(frozen=True)
class Change:
    """A key whose values differ.

    Attributes:
        key: Dotted path; positions in a list are numbers.
        a: The value in A, or `ABSENT`.
        b: The value in B, or `ABSENT`.
    """

    key: str
    a: Any
    b: Any

    def words(self, a: str = "A", b: str = "B") -> str:
        """Such as `pretrain.soco.epochs: 6 -> 12`, or `finetune.lvis: only in A (32 keys)`."""
        if self.a is ABSENT or self.b is ABSENT:
            side, value = (b, self.b) if self.a is ABSENT else (a, self.a)
            return f"{self.key}: only in {side} ({value_words(value)})"
        return f"{self.key}: {value_words(self.a)} -> {value_words(self.b)}"

    def sentence(self, a: str, b: str) -> str:
        """Such as `filter.min_side is 32 in the report and 16 now`, without a full stop."""
        one, other = (
            "absent" if value is ABSENT else printable(value_words(value), _LONGEST)
            for value in (self.a, self.b)
        )
        return f"{self.key or 'the value'} is {one} {a} and {other} {b}"

    def data(self) -> dict[str, Any]:
        """`key`, with `a` and `b` if the sides have it."""
        sides = {"a": self.a, "b": self.b}
        return {"key": self.key} | {k: value for k, value in sides.items() if value is not ABSENT}


def changes(a: Any, b: Any, key: str = "") -> Iterator[Change]:
    """Yield every difference, in the order of A and then of B.

    A section that one side lacks is one change. Lists of mappings of the same length are compared
    entry by entry, other lists as a whole.

    Args:
        a: The first value.
        b: The second value.
        key: Dotted path of both values, the prefix of each change's key.
    """
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for name in dict.fromkeys([*a, *b]):
            inner = f"{key}.{name}" if key else str(name)
            yield from changes(a.get(name, ABSENT), b.get(name, ABSENT), inner)
    elif _are_sections(a) and _are_sections(b) and len(a) == len(b):
        for index, (one, other) in enumerate(zip(a, b, strict=True)):
            yield from changes(one, other, f"{key}.{index}" if key else str(index))
    elif a != b:
        yield Change(key, a, b)


def value_words(value: Any) -> str:
    """A setting as YAML shows it, on one line; for a section, its number of keys."""
    if isinstance(value, Mapping):
        return plural(_count(value), "key")
    if _are_sections(value):
        return f"{len(value)} entries"
    if isinstance(value, str) and value and not any(character.isspace() for character in value):
        return value
    return json.dumps(value, ensure_ascii=False)


def plural(number: int, noun: str) -> str:
    """`1 file` or `2 files`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _are_sections(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, Mapping) for v in value)


def _count(value: Any) -> int:
    return sum(map(_count, value.values())) if isinstance(value, Mapping) and value else 1
