"""How much each initialisation differs from training from scratch, with confidence intervals."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

from scipy import stats

from soco.report.seeds import PARTS, Group, unlike_keys

BASELINE = "scratch"
CONFIDENCE = 0.95


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
    if min(len(own), len(other)) < 2 or len(set(own)) == len(set(other)) == 1:
        return {"mean": mean, "low": None, "high": None}
    with warnings.catch_warnings():  # SciPy warns about a side without variance
        warnings.simplefilter("ignore", RuntimeWarning)
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
