"""What differs between two nested mappings, key by key."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final


class _Absent:
    """Stands where a side has no such key, which is not the same as a null there."""

    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = _Absent()


@dataclass(frozen=True)
class Change:
    """A key whose value is not the same on both sides.

    Attributes:
        key: Dotted path; places in a list are numbers.
        a: The value in A, or `ABSENT`.
        b: The value in B, or `ABSENT`.
    """

    key: str
    a: Any
    b: Any

    def words(self) -> str:
        """Such as `pretrain.soco.epochs: 6 -> 12`, or `finetune.shapes_lvis.

        Only in A (32 keys)`.
        """
        if self.a is ABSENT or self.b is ABSENT:
            side, value = ("B", self.b) if self.a is ABSENT else ("A", self.a)
            return f"{self.key}: only in {side} ({value_words(value)})"
        return f"{self.key}: {value_words(self.a)} -> {value_words(self.b)}"

    def data(self) -> dict[str, Any]:
        """`key`, and `a` and `b` as far as the sides have it."""
        sides = {
            name: value for name, value in (("a", self.a), ("b", self.b)) if value is not ABSENT
        }
        return {"key": self.key} | sides


def changes(a: Any, b: Any, key: str = "") -> Iterator[Change]:
    """Every key that is not the same, in the order of A and then of B; a section that one side
    lacks is one change.

    Lists of the same length are compared place by place where they hold mappings, and as a whole
    otherwise.
    """
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for name in dict.fromkeys([*a, *b]):
            yield from changes(
                a.get(name, ABSENT), b.get(name, ABSENT), f"{key}.{name}" if key else str(name)
            )
    elif _are_sections(a) and _are_sections(b) and len(a) == len(b):
        for place, (one, other) in enumerate(zip(a, b, strict=True)):
            yield from changes(one, other, f"{key}.{place}")
    elif a != b:
        yield Change(key, a, b)


def value_words(value: Any) -> str:
    """A setting as YAML shows it, in a line; a section by the count of its keys."""
    if isinstance(value, Mapping):
        return f"{_count(value)} keys" if _count(value) != 1 else "1 key"
    if _are_sections(value):
        return f"{len(value)} entries"
    if isinstance(value, str) and value and not any(character.isspace() for character in value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _are_sections(value: Any) -> bool:
    return (
        isinstance(value, list) and bool(value) and all(isinstance(held, Mapping) for held in value)
    )


def _count(value: Any) -> int:
    return sum(map(_count, value.values())) if isinstance(value, Mapping) and value else 1
