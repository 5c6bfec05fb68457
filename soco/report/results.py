"""The AP of each fine-tuning: rows, means over seeds, by category and during training."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from soco.errors import UserError
from soco.report.inputs import EvaluationFiles
from soco.report.paired import paired_differences, pretraining_spread
from soco.report.pooling import arms_of
from soco.report.reading import read_lines, read_object
from soco.report.seed_statistics import PARTS, Group, from_scratch, grouped, mean_std, summarise

_KEYS = ("dataset", "format", "box", "mask", "per_category", "protocol", "images", "instances")


def task_results(
    evaluations: Sequence[EvaluationFiles], recipes: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Collect the results of all evaluations.

    Args:
        evaluations: Their files.
        recipes: Which pretrainings differ only in their seed, see `recipes_of`; None: none do.

    Returns:
        One entry per task: its name, `dataset` and `format`; `rows`, the metrics.json of each
        evaluation; `summary`, see `summarise`, one entry per group of `grouped`; `differences`, see
        `from_scratch` (all three in `seed_statistics`); `paired`, see `paired_differences`;
        `pretrainings`, see `pretraining_spread`; `categories`, see `by_category`; `curves`, see
        `curve_lines`, and `logged`, see `was_logged`.

    Raises:
        UserError: A file is missing or malformed.
    """
    tasks: dict[str, list[EvaluationFiles]] = {}
    for files in evaluations:
        tasks.setdefault(files.task, []).append(files)
    return [_task(task, files, recipes or {}) for task, files in tasks.items()]


def by_category(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """AP of each category as means over the seeds, the category with the most instances first.

    Args:
        groups: The task's evaluations, with `per_category`.

    Returns:
        One entry per category: `category`, `instances`, `frequency` (`r`, `c`, `f`; None unless the
        format is LVIS's) and `ap`: by group label, its `box` and `mask` AP, None if a seed has
        none.
    """
    rows = [row["per_category"] for group in groups for row in group.rows]
    first = {name: entry for row in reversed(rows) for name, entry in row.items()}
    entries = [
        {
            "category": name,
            "instances": first[name]["instances"],
            "frequency": first[name].get("frequency"),
            "ap": {
                group.label: {
                    part: mean_std(
                        row["per_category"].get(name, {}).get(part) for row in group.rows
                    )["mean"]
                    for part in PARTS
                }
                for group in groups
            },
        }
        for name in dict.fromkeys(name for row in rows for name in row)
    ]
    return sorted(entries, key=lambda entry: -entry["instances"])


def read_curve(path: Path | None, row: dict[str, Any]) -> list[dict[str, Any]]:
    """Read AP during one fine-tuning.

    Args:
        path: JSONL, per line an `iteration` and `box` and `mask` AP; None: not measured.
        row: The evaluation's metrics, which give the last point.

    Returns:
        `iteration`, box AP and mask AP of each point, in order. If a resumed training logged an
        iteration twice, the later line counts.

    Raises:
        UserError: The file is missing or malformed.
    """
    end = row["protocol"]["iterations"]
    logged = read_lines(path) if path else []
    if any(not {"iteration", *PARTS} <= line.keys() for line in logged):
        raise UserError(
            "report.curve_without_ap",
            "A line of {path} lacks iteration, box or mask; delete the file and run the"
            " fine-tuning again.",
            path=path,
        )
    lines = {line["iteration"]: line for line in logged if line["iteration"] < end}
    points = [lines[iteration] for iteration in sorted(lines)] + [row | {"iteration": end}]
    return [
        {"iteration": point["iteration"]} | {part: point[part]["AP"] for part in PARTS}
        for point in points
    ]


def curve_lines(
    groups: Sequence[Group], curves: Sequence[Sequence[list[dict[str, Any]]]]
) -> list[dict[str, Any]]:
    """The lines of one task's plot of AP during training.

    Args:
        groups: The task's evaluations.
        curves: For each group, the points of each of its rows.

    Returns:
        One entry per group: `label`, `seeds` (the points by seed) and `mean`, the mean over the
        seeds at the iterations that all of them measured.
    """
    return [
        {
            "label": group.label,
            "seeds": dict(zip(map(str, group.seeds), of, strict=True)),
            "mean": _mean(of),
        }
        for group, of in zip(groups, curves, strict=True)
    ]


def was_logged(lines: Sequence[dict[str, Any]]) -> bool:
    """Whether AP was measured before the end of training."""
    return any(len(points) > 1 for line in lines for points in line["seeds"].values())


def _task(
    task: str, evaluations: list[EvaluationFiles], recipes: Mapping[str, str]
) -> dict[str, Any]:
    rows = [
        read_object(files.metrics, *_KEYS)
        | {"initialisation": files.initialisation, "seed": files.seed}
        for files in evaluations
    ]
    curves = {
        (row["initialisation"], row["seed"]): read_curve(files.curve, row)
        for files, row in zip(evaluations, rows, strict=True)
    }
    groups = grouped(rows)
    arms = arms_of(groups, recipes)
    lines = curve_lines(
        groups,
        [[curves[row["initialisation"], row["seed"]] for row in group.rows] for group in groups],
    )
    return {
        "task": task,
        "dataset": rows[0]["dataset"],
        "format": rows[0]["format"],
        "rows": rows,
        "summary": [summarise(group) for group in groups],
        "differences": from_scratch(groups),
        "paired": paired_differences(arms),
        "pretrainings": pretraining_spread(arms),
        "categories": by_category(groups),
        "curves": lines,
        "logged": was_logged(lines),
    }


def _mean(curves: Sequence[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    by_iteration = [{point["iteration"]: point for point in points} for points in curves]
    shared = sorted(set.intersection(*map(set, by_iteration)))
    return [
        {"iteration": iteration}
        | {
            part: mean_std(points[iteration][part] for points in by_iteration)["mean"]
            for part in PARTS
        }
        for iteration in shared
    ]
