"""Average precision of each category, as means over the seeds."""

from collections.abc import Sequence
from typing import Any

from soco.report.seeds import PARTS, Group, mean_std

DRAWN = 30
LISTED = 200


def by_category(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """The categories of one task, those with the most instances first.

    Args:
        groups: The task's evaluations, whose `per_category` are read.

    Returns:
        One entry a category: `category`, `instances`, `frequency` (`r`, `c`, `f`, or None for a set
        that has none) and `ap`, by the label of each group its `box` and `mask` AP, None where a
        seed has none.
    """
    entries: dict[str, dict[str, Any]] = {}
    for group in groups:
        for name, first in (
            (name, held) for row in group.rows for name, held in row["per_category"].items()
        ):
            seen = {
                "category": name,
                "instances": first["instances"],
                "frequency": first.get("frequency"),
                "ap": {},
            }
            entries.setdefault(name, seen)
    for name, entry in entries.items():
        for group in groups:
            held = [row["per_category"].get(name, {}) for row in group.rows]
            entry["ap"][group.label] = {
                part: mean_std(each.get(part) for each in held)["mean"] for part in PARTS
            }
    return sorted(entries.values(), key=lambda entry: -entry["instances"])
