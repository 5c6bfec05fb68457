"""How far each initialisation ends from training from scratch, with what the seeds tell of chance."""

import math
from collections.abc import Sequence
from typing import Any

from scipy import stats

from soco.report.seeds import PARTS, Group, differences

BASELINE = "scratch"
CONFIDENCE = 0.95


def from_scratch(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Each initialisation of a task against scratch.

    Args:
        groups: The task's evaluations.

    Returns:
        One entry an initialisation but scratch: `label`; `seeds`, how many of it and of scratch; `unlike`, the keys of
        the protocol in which they differ, with the values of it and of scratch; and for `box` and `mask` each figure's
        `difference`, see `difference`. Nothing where the task has no such row, or one of several protocols.
    """
    baseline = [group for group in groups if group.initialisation == BASELINE]
    if len(baseline) != 1:
        return []
    return [_against(group, baseline[0]) for group in groups if group is not baseline[0]]


def difference(own: Sequence[float | None], other: Sequence[float | None]) -> dict[str, float | None]:
    """The difference of two means, and the interval that covers it with 95 % confidence (Welch's t).

    Args:
        own: A figure of each seed; None where it was not scored.
        other: The same of what it is compared with.

    Returns:
        `mean`, None where a seed has no figure; `low` and `high`, None too where either has one seed alone, which
        tells nothing of chance. The interval is of fine-tuning seeds: all of an initialisation share one pretraining.
    """
    found, compared = ([value for value in values if value is not None] for values in (own, other))
    if not found or len(found) < len(own) or not compared or len(compared) < len(other):
        return {"mean": None, "low": None, "high": None}
    mean = math.fsum(found) / len(found) - math.fsum(compared) / len(compared)
    if min(len(found), len(compared)) < 2:
        return {"mean": mean, "low": None, "high": None}
    if len({*found}) == len({*compared}) == 1:
        return {"mean": mean, "low": mean, "high": mean}
    interval = stats.ttest_ind(found, compared, equal_var=False).confidence_interval(CONFIDENCE)
    return {"mean": mean, "low": float(interval.low), "high": float(interval.high)}


def _against(group: Group, baseline: Group) -> dict[str, Any]:
    firsts = [group.rows[0], baseline.rows[0]]
    return {"label": group.label, "seeds": [len(group.rows), len(baseline.rows)], "unlike": differences(firsts)} | {
        part: {
            name: difference(*([row[part].get(name) for row in of.rows] for of in (group, baseline)))
            for name in group.rows[0][part]
        }
        for part in PARTS
    }
