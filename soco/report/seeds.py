"""Figures of several fine-tunings that differ in their seed alone, as mean and standard deviation.

The deviation is that of fine-tuning: all seeds of an initialisation start from one pretraining, so
it does not tell how much another pretraining would change the figures.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_NO_PROTOCOL = ("seed", "changed")
PARTS = ("box", "mask")


@dataclass(frozen=True)
class Group:
    """Evaluations that are told as one.

    Attributes:
        initialisation: What they started from.
        rows: Their metrics, in the order of their files.
        differs: Keys in which this initialisation's seeds differ, with the value of each seed in
            turn; then each seed is a group of its own.
    """

    initialisation: str
    rows: list[dict[str, Any]]
    differs: dict[str, list[Any]]

    @property
    def label(self) -> str:
        """What the page calls it; no two of a task share it."""
        return (
            f"{self.initialisation}, seed {self.rows[0]['seed']}"
            if self.differs
            else self.initialisation
        )

    @property
    def seeds(self) -> list[int]:
        """Of the fine-tunings."""
        return [row["seed"] for row in self.rows]


def grouped(rows: Sequence[dict[str, Any]]) -> list[Group]:
    """The rows of a task by initialisation; seeds of unlike protocol stay apart.

    Args:
        rows: Metrics of evaluations, each with `initialisation`, `seed`, `protocol`, `images` and
            `instances`.
    """
    groups = []
    for initialisation in dict.fromkeys(row["initialisation"] for row in rows):
        own = [row for row in rows if row["initialisation"] == initialisation]
        differs = unlike_keys(own)
        groups += [
            Group(initialisation, part, differs)
            for part in ([[row] for row in own] if differs else [own])
        ]
    return groups


def unlike_keys(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Keys of the protocol, and of what was scored, that are not the same in all rows, with each
    row's value.

    What was changed from the named protocol counts key by key; a key that one row did not change is
    None there, unless the protocol tells it.
    """
    told = [
        (row["protocol"].get("changed") or {})
        | row["protocol"]
        | {name: row[name] for name in ("images", "instances")}
        for row in rows
    ]
    keys = [
        key
        for key in dict.fromkeys(key for protocol in told for key in protocol)
        if key not in _NO_PROTOCOL
    ]
    values = {key: [protocol.get(key) for protocol in told] for key in keys}
    return {
        key: found for key, found in values.items() if any(value != found[0] for value in found)
    }


def summarise(group: Group) -> dict[str, Any]:
    """A group for `report.json`.

    Returns:
        `initialisation`, `label`, `n`, `seeds`, `differs`, `protocol` (that of the first seed,
        without it), and for `box` and `mask` each figure's `mean` and `std`, see `mean_std`.
    """
    first = group.rows[0]
    figures = {
        part: {name: mean_std([row[part].get(name) for row in group.rows]) for name in first[part]}
        for part in PARTS
    }
    protocol = {key: value for key, value in first["protocol"].items() if key != "seed"}
    return {
        "initialisation": group.initialisation,
        "label": group.label,
        "n": len(group.rows),
        "seeds": group.seeds,
        "differs": group.differs,
        "protocol": protocol,
    } | figures


def mean_std(values: Iterable[float | None]) -> dict[str, float | None]:
    """Mean and sample standard deviation (of n - 1) of a figure over the seeds.

    Args:
        values: One a seed; None where it was not scored.

    Returns:
        `mean`, None where there is no value or any is None; `std`, None with it and for a single
        value.
    """
    found = list(values)
    known = [value for value in found if value is not None]
    if not known or len(known) < len(found):
        return {"mean": None, "std": None}
    mean = math.fsum(known) / len(known)
    if len(known) == 1:
        return {"mean": mean, "std": None}
    return {
        "mean": mean,
        "std": math.sqrt(math.fsum((value - mean) ** 2 for value in known) / (len(known) - 1)),
    }
