"""Does pretraining help? Differences between initialisations, paired by fine-tuning seed.

Two detectors with the same seed see the same images in the same order, and draw the same weights
for the layers that no initialisation has. Their difference varies less than the AP of either, so
the interval is that of the differences (Student's t), not of two independent samples.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any, Literal

from scipy import stats

from soco.report.pooling import Arm
from soco.report.seed_statistics import CONFIDENCE, PARTS, mean_std, unlike_keys

METRIC = "AP"
Verdict = Literal["helps", "hurts", "not decided"]


def paired_difference(differences: Sequence[float | None]) -> dict[str, float | None]:
    """Mean of paired differences, with its 95 % confidence interval (Student's t, n - 1).

    Args:
        differences: One per fine-tuning seed; None: not scored.

    Returns:
        `mean`, None without differences or if any is None; `low` and `high`, None for fewer than
        two differences or if all are equal.
    """
    found = mean_std(differences)
    mean, deviation, count = found["mean"], found["std"], len(differences)
    if mean is None or not deviation:
        return {"mean": mean, "low": None, "high": None}
    # d +- t(0.975, n - 1) s / sqrt(n), with s the sample standard deviation.
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * deviation / math.sqrt(count)
    return {"mean": mean, "low": mean - half, "high": mean + half}


def verdict(low: float | None, high: float | None) -> Verdict:
    """What an interval of a difference says; without an interval, nothing is decided."""
    if low is not None and low > 0:
        return "helps"
    return "hurts" if high is not None and high < 0 else "not decided"


def paired_differences(arms: Sequence[Arm]) -> list[dict[str, Any]]:
    """Compare every two initialisations of a task: the later one minus the earlier one.

    Args:
        arms: The task's initialisations; pretrainings of one recipe are one arm.

    Returns:
        One entry per pair with at least two shared seeds, see `_compare`; if either side has
        several pretrainings, `alone` has an entry for each single pretraining, otherwise it is
        empty.
    """
    entries = []
    for baseline, arm in itertools.combinations(arms, 2):
        if len(_shared_seeds(arm, baseline)) < 2:
            continue
        alone = [
            _compare(Arm((own,)), Arm((other,)))
            for own, other in itertools.product(arm.members, baseline.members)
            if arm.is_pooled or baseline.is_pooled
        ]
        entries.append(_compare(arm, baseline) | {"alone": alone})
    return entries


def pretraining_spread(arms: Sequence[Arm]) -> list[dict[str, Any]]:
    """How much the pretrainings of one recipe differ, as AP.

    Args:
        arms: The task's initialisations.

    Returns:
        One entry per arm of several pretrainings: `label`; `n`, its number of fine-tuning seeds;
        `pretrainings`, for each its `initialisation` and the mean `box` and `mask` AP over these
        seeds; and `box` and `mask`: `mean` and sample standard deviation (`std`) of these means.
    """
    return [_spread(arm) for arm in arms if arm.is_pooled]


def _compare(arm: Arm, baseline: Arm) -> dict[str, Any]:
    """One comparison.

    Returns:
        `label` and `baseline`, the two sides; `seeds` (shared by both) and their number `n`;
        `unlike`, the keys of the protocol in which any of their evaluations differ, with the
        values; and for `box` and `mask` AP what `paired_difference` returns, and the `verdict`.
    """
    seeds = _shared_seeds(arm, baseline)
    members = [*arm.members, *baseline.members]
    entry: dict[str, Any] = {
        "label": arm.label,
        "baseline": baseline.label,
        "n": len(seeds),
        "seeds": seeds,
        "unlike": unlike_keys([member.rows[0] for member in members]),
    }
    for part in PARTS:
        pairs = [[side.value(part, METRIC, seed) for side in (arm, baseline)] for seed in seeds]
        found = paired_difference([_minus(own, other) for own, other in pairs])
        entry[part] = found | {"verdict": verdict(found["low"], found["high"])}
    return entry


def _shared_seeds(arm: Arm, baseline: Arm) -> list[int]:
    return [seed for seed in arm.seeds if seed in baseline.seeds]


def _minus(own: float | None, other: float | None) -> float | None:
    return None if own is None or other is None else own - other


def _spread(arm: Arm) -> dict[str, Any]:
    pretrainings: list[dict[str, Any]] = [
        {"initialisation": member.label}
        | {part: _mean(Arm((member,)), part, arm.seeds) for part in PARTS}
        for member in arm.members
    ]
    return {"label": arm.label, "n": len(arm.seeds), "pretrainings": pretrainings} | {
        part: mean_std(each[part] for each in pretrainings) for part in PARTS
    }


def _mean(arm: Arm, part: str, seeds: Sequence[int]) -> float | None:
    return mean_std(arm.value(part, METRIC, seed) for seed in seeds)["mean"]
