"""How far each initialisation ends from training from scratch, with what the seeds tell of chance."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

from scipy import stats

from soco.report.seeds import PARTS, Group, unlike_keys

BASELINE = "scratch"
CONFIDENCE = 0.95


def from_scratch(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Each initialisation of a task against scratch.

    Args:
        groups: The task's evaluations.

    Returns:
        One entry an initialisation but scratch: `label`; `seeds`, how many of it and of scratch;
        `unlike`, the keys of the protocol in which they differ, with the values of it and of
        scratch; and for `box` and `mask` each figure's `difference`, see `difference`. Nothing
        where the task has no such row, or one of several protocols.
    """
    baseline = [group for group in groups if group.initialisation == BASELINE]
    if len(baseline) != 1:
        return []
    return [_against(group, baseline[0]) for group in groups if group is not baseline[0]]


def difference(
    own: Sequence[float | None], other: Sequence[float | None]
) -> dict[str, float | None]:
    """The difference of two means, and the interval that covers it with 95 % confidence (Welch's
    t).

    Args:
        own: A figure of each seed; None where it was not scored.
        other: The same of what it is compared with.

    Returns:
        `mean`, None where a seed has no figure; `low` and `high`, None too where either has one
        seed alone or the seeds of both agree to the digit, which tells nothing of chance. The
        interval is of fine-tuning seeds: all of an initialisation share one pretraining.
    """
    found, compared = ([value for value in values if value is not None] for values in (own, other))
    if not found or len(found) < len(own) or not compared or len(compared) < len(other):
        return {"mean": None, "low": None, "high": None}
    mean = math.fsum(found) / len(found) - math.fsum(compared) / len(compared)
    half = _half_width(found, compared) if min(len(found), len(compared)) > 1 else None
    if not half:
        return {"mean": mean, "low": None, "high": None}
    return {"mean": mean, "low": mean - half, "high": mean + half}


def _half_width(own: Sequence[float], other: Sequence[float]) -> float:
    """Half of Welch's interval; 0 where nothing varies.

    SciPy's own warns of a side that does not.
    """
    errors = [statistics.variance(values) / len(values) for values in (own, other)]
    error = sum(errors)
    if not error:
        return 0.0
    freedom = error**2 / sum(
        part**2 / (len(of) - 1) for part, of in zip(errors, (own, other), strict=True)
    )
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(error)


def _against(group: Group, baseline: Group) -> dict[str, Any]:
    firsts = [group.rows[0], baseline.rows[0]]
    return {
        "label": group.label,
        "seeds": [len(group.rows), len(baseline.rows)],
        "unlike": unlike_keys(firsts),
    } | {
        part: {
            name: difference(
                *([row[part].get(name) for row in of.rows] for of in (group, baseline))
            )
            for name in group.rows[0][part]
        }
        for part in PARTS
    }
