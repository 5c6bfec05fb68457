"""Average precision while a detector is fine-tuned."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from soco.errors import UserError
from soco.report.reading import read_lines
from soco.report.seeds import PARTS, Group, mean_std


def read_curve(path: Path | None, row: dict[str, Any]) -> list[dict[str, Any]]:
    """The measured points of one fine-tuning, in order.

    Args:
        path: JSONL with an `iteration` and the `box` and `mask` figures a line; None where nothing
            was logged.
        row: The evaluation's metrics, which give the last point.

    Returns:
        `iteration`, `box` and `mask` (both AP alone) of each point. A training that was resumed may
        have logged an iteration twice: the later line counts. The evaluation itself stands for the
        end.

    Raises:
        UserError: The file is missing or no JSONL.
    """
    end = row["protocol"]["iterations"]
    lines = {line["iteration"]: line for line in _logged(path) if line["iteration"] < end}
    points = [lines[iteration] for iteration in sorted(lines)] + [row | {"iteration": end}]
    return [
        {"iteration": point["iteration"]} | {part: point[part]["AP"] for part in PARTS}
        for point in points
    ]


def _logged(path: Path | None) -> list[dict[str, Any]]:
    lines = read_lines(path) if path else []
    if any(not {"iteration", *PARTS} <= line.keys() for line in lines):
        raise UserError(
            f"A line of {path} lacks iteration, box or mask; remove it and run the fine-tuning"
            " again."
        )
    return lines


def curve_lines(
    groups: Sequence[Group], curves: Sequence[Sequence[list[dict[str, Any]]]]
) -> list[dict[str, Any]]:
    """The lines of one task.

    Args:
        groups: Its evaluations.
        curves: For each group, the points of each of its rows.

    Returns:
        One entry a group: `label`, `seeds` (by seed its points) and `mean`, the points over all
        seeds at those iterations that each of them measured.
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
    """Whether anything beside the end was measured."""
    return any(len(points) > 1 for line in lines for points in line["seeds"].values())


def _mean(curves: Sequence[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    found = [{point["iteration"]: point for point in points} for points in curves]
    shared = sorted(set.intersection(*(set(points) for points in found)))
    return [
        {"iteration": iteration}
        | {part: mean_std(points[iteration][part] for points in found)["mean"] for part in PARTS}
        for iteration in shared
    ]
