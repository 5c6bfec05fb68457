"""What each initialisation came to, task by task."""

from collections.abc import Sequence
from typing import Any

from soco.report.categories import by_category
from soco.report.curves import curve_lines, read_curve, was_logged
from soco.report.differences import from_scratch
from soco.report.inputs import EvaluationFiles
from soco.report.reading import read_object
from soco.report.seeds import grouped, summarise

_KEYS = ("dataset", "format", "box", "mask", "per_category", "protocol", "images", "instances")


def task_results(evaluations: Sequence[EvaluationFiles]) -> list[dict[str, Any]]:
    """Gather the figures of all evaluations.

    Returns:
        One entry a task:

        * `task`, `dataset`, `format`.
        * `rows`: each evaluation's metrics.json.
        * `summary`: one entry an initialisation, see `soco.report.seeds.summarise`; where its seeds
          differ in more than the seed, one entry each.
        * `differences`: see `soco.report.differences.from_scratch`.
        * `categories`: see `soco.report.categories.by_category`.
        * `curves`: see `soco.report.curves.curve_lines`, and `logged`, whether they hold more than
          the end.

    Raises:
        UserError: A file is missing or holds something else.
    """
    tasks: dict[str, list[EvaluationFiles]] = {}
    for files in evaluations:
        tasks.setdefault(files.task, []).append(files)
    return [_task(task, files) for task, files in tasks.items()]


def _task(task: str, evaluations: list[EvaluationFiles]) -> dict[str, Any]:
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
    of_groups = [
        [curves[row["initialisation"], row["seed"]] for row in group.rows] for group in groups
    ]
    lines = curve_lines(groups, of_groups)
    return {
        "task": task,
        "dataset": rows[0]["dataset"],
        "format": rows[0]["format"],
        "rows": rows,
        "summary": [summarise(group) for group in groups],
        "differences": from_scratch(groups),
        "categories": by_category(groups),
        "curves": lines,
        "logged": was_logged(lines),
    }
