"""Statistics over seeds: mean, deviation, and the difference from scratch with an interval.

Deviation and interval are those of fine-tuning: all seeds of an initialisation share one
pretraining, so they do not show how much another pretraining would change the AP.
"""

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from scipy import stats

_NO_PROTOCOL = ("seed", "changed")
PARTS = ("box", "mask")
BASELINE = "scratch"
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Group:
    """Evaluations that share a row of the summary.

    Attributes:
        initialisation: What they were initialised from.
        rows: Their metrics, in the order of their files.
        differs: Keys in which the seeds of this initialisation differ, with the value of each seed;
            each seed is then a group of its own.
    """

    initialisation: str
    rows: list[dict[str, Any]]
    differs: dict[str, list[Any]]

    @property
    def label(self) -> str:
        """Its name on the page, unique within a task."""
        seed = f", seed {self.rows[0]['seed']}" if self.differs else ""
        return self.initialisation + seed

    @property
    def seeds(self) -> list[int]:
        """The seeds of the fine-tunings."""
        return [row["seed"] for row in self.rows]


def grouped(rows: Sequence[dict[str, Any]]) -> list[Group]:
    """Group the rows of a task by initialisation; seeds with different protocols stay separate.

    Args:
        rows: Metrics of evaluations, each with `initialisation`, `seed`, `protocol`, `images` and
            `instances`.
    """
    groups = []
    for initialisation in dict.fromkeys(row["initialisation"] for row in rows):
        own = [row for row in rows if row["initialisation"] == initialisation]
        differs = unlike_keys(own)
        parts = [[row] for row in own] if differs else [own]
        groups += [Group(initialisation, part, differs) for part in parts]
    return groups


def unlike_keys(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Keys of the protocol, and of what was scored, that differ between rows.

    Changes from the named protocol count key by key; a key that a row did not change is None there,
    unless its protocol has the key.

    Args:
        rows: Metrics of evaluations.

    Returns:
        The value of each row, by key.
    """
    protocols = [
        (row["protocol"].get("changed") or {})
        | row["protocol"]
        | {name: row[name] for name in ("images", "instances")}
        for row in rows
    ]
    values = {
        key: [protocol.get(key) for protocol in protocols]
        for key in dict.fromkeys(key for protocol in protocols for key in protocol)
        if key not in _NO_PROTOCOL
    }
    return {
        key: of_rows
        for key, of_rows in values.items()
        if any(value != of_rows[0] for value in of_rows)
    }


def summarise(group: Group) -> dict[str, Any]:
    """Summarise a group for report.json.

    Returns:
        `initialisation`, `label`, `n`, `seeds`, `differs`, `protocol` (of the first seed, without
        the seed), and for `box` and `mask` the `mean` and `std` of each metric, see `mean_std`.
    """
    first = group.rows[0]
    return {
        "initialisation": group.initialisation,
        "label": group.label,
        "n": len(group.rows),
        "seeds": group.seeds,
        "differs": group.differs,
        "protocol": {key: value for key, value in first["protocol"].items() if key != "seed"},
    } | {
        part: {name: mean_std(row[part].get(name) for row in group.rows) for name in first[part]}
        for part in PARTS
    }


def mean_std(values: Iterable[float | None]) -> dict[str, float | None]:
    """Mean and sample standard deviation (divided by n - 1) of a metric over the seeds.

    Args:
        values: One per seed; None: not scored.

    Returns:
        `mean`, None without values or if any is None; `std`, None for fewer than two values.
    """
    all_values = list(values)
    known = [value for value in all_values if value is not None]
    if not known or len(known) < len(all_values):
        return {"mean": None, "std": None}
    # fsum is exact: the order of the seeds does not change the last digit.
    mean = math.fsum(known) / len(known)
    if len(known) == 1:
        return {"mean": mean, "std": None}
    squares = math.fsum((value - mean) ** 2 for value in known)
    return {"mean": mean, "std": math.sqrt(squares / (len(known) - 1))}


def from_scratch(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Compare each initialisation of a task with scratch.

    Args:
        groups: The task's evaluations.

    Returns:
        One entry per initialisation except scratch: `label`; `seeds`, its number of seeds and that
        of scratch; `unlike`, the keys of the protocol that differ, with both values; and for `box`
        and `mask` the `difference` of each metric. Empty unless scratch is exactly one group.
    """
    baseline = [group for group in groups if group.initialisation == BASELINE]
    if len(baseline) != 1:
        return []
    return [_against(group, baseline[0]) for group in groups if group is not baseline[0]]


def difference(
    own: Sequence[float | None], other: Sequence[float | None]
) -> dict[str, float | None]:
    """The difference of two means with its 95 % confidence interval (Welch's t).

    Args:
        own: A metric's value for each seed; None: not scored.
        other: The same for the baseline.

    Returns:
        `mean`, None if a seed has no value; `low` and `high`, the interval, None if either side
        has only one seed or if neither side has any variance. The interval covers fine-tuning
        seeds: all seeds of an initialisation share one pretraining.
    """
    if not own or not other or None in (*own, *other):
        return {"mean": None, "low": None, "high": None}
    mean = math.fsum(own) / len(own) - math.fsum(other) / len(other)  # type: ignore[arg-type]
    # Without any variance, Welch's degrees of freedom are 0 / 0.
    if min(len(own), len(other)) < 2 or len(set(own)) == len(set(other)) == 1:
        return {"mean": mean, "low": None, "high": None}
    with warnings.catch_warnings():  # SciPy warns about a side without variance
        warnings.simplefilter("ignore", RuntimeWarning)
        # Welch: difference of the means +- t(0.975, nu) sqrt(s1^2 / n1 + s2^2 / n2), with nu by
        # Satterthwaite's formula. The two variances need not be equal.
        interval = stats.ttest_ind(own, other, equal_var=False).confidence_interval(CONFIDENCE)
    return {"mean": mean, "low": float(interval.low), "high": float(interval.high)}


def _against(group: Group, baseline: Group) -> dict[str, Any]:
    return {
        "label": group.label,
        "seeds": [len(group.rows), len(baseline.rows)],
        "unlike": unlike_keys([group.rows[0], baseline.rows[0]]),
    } | {
        part: {
            name: difference(
                *([row[part].get(name) for row in of.rows] for of in (group, baseline))
            )
            for name in group.rows[0][part]
        }
        for part in PARTS
    }
