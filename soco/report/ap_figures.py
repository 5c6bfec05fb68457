"""Plots of average precision: by category, and during training."""

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from soco.errors import printable
from soco.report.drawing.marks import PageImage
from soco.report.drawing.plotting import SERIES, WIDTH, add_legend, as_image, styled
from soco.report.seed_statistics import PARTS

DRAWN = 30
_LETTERS = 22
_MOST_IN_ALT = 6


def category_figure(task: dict[str, Any]) -> PageImage:
    """Box AP of the first thirty categories: a row per category, a mark per initialisation.

    Args:
        task: An entry of `results` in report.json.
    """
    shown = task["categories"][:DRAWN]
    labels = [entry["label"] for entry in task["summary"]]
    rows = np.arange(len(shown))
    with styled():
        figure = Figure(figsize=(WIDTH, 1.1 + 0.24 * len(shown)), layout="constrained")
        axes = figure.subplots()
        handles = []
        for index, (label, style) in enumerate(zip(labels, _series(len(labels)), strict=True)):
            values = [_number(entry["ap"][label]["box"]) for entry in shown]
            # Slightly shifted, so that equal values do not cover one another.
            shift = 0.5 * (index + 0.5) / len(labels) - 0.25
            handles += axes.plot(
                values, rows + shift, style[1], color=style[0], markersize=6, alpha=0.85
            )
        axes.set_yticks(rows, labels=[printable(entry["category"], _LETTERS) for entry in shown])
        axes.set(title="box AP", ylim=(len(shown) - 0.4, -0.6))
        axes.set_xlim(0, None)
        axes.tick_params(axis="y", length=0)
        add_legend(figure, handles, labels)
        return as_image(figure, _category_words(task, labels))


def ap_figure(task: dict[str, Any]) -> PageImage:
    """Box and mask AP against iterations: two panels, a line per initialisation.

    Args:
        task: An entry of `results` in report.json.
    """
    lines = task["curves"]
    with styled():
        figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
        panels = figure.subplots(2, 1, sharex=True)
        for axes, part in zip(panels, PARTS, strict=True):
            handles = [
                _draw_line(axes, line, style, part)
                for line, style in zip(lines, _series(len(lines)), strict=True)
            ]
            axes.set(title=f"{part} AP")
            axes.set_ylim(0, None)
            axes.set_xlim(0, None)
        panels[-1].set(xlabel="iteration")
        add_legend(figure, handles, [line["label"] for line in lines])
        return as_image(
            figure, f"Lines of {task['task']}, box AP against iterations: {_line_words(lines)}."
        )


def _draw_line(axes: Axes, line: dict[str, Any], style: tuple[Any, Any, Any], part: str) -> Artist:
    colour, marker, dashes = style
    if len(line["seeds"]) > 1:
        for points in line["seeds"].values():
            axes.plot(*_points(points, part), color=colour, linewidth=0.7, alpha=0.55)
    (drawn,) = axes.plot(
        *_points(line["mean"], part),
        color=colour,
        linestyle=dashes,
        marker=marker,
        markersize=4.5,
        linewidth=1.7,
    )
    return drawn


def _points(points: list[dict[str, Any]], part: str) -> tuple[list[int], list[float]]:
    return [point["iteration"] for point in points], [_number(point[part]) for point in points]


def _series(count: int) -> list[tuple[Any, Any, Any]]:
    return [SERIES[index % len(SERIES)] for index in range(count)]


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _ap_words(value: float | None) -> str:
    return "not scored" if value is None else f"{value:.1f}"


def _category_words(task: dict[str, Any], labels: list[str]) -> str:
    words = "; ".join(
        f"{entry['category']} "
        + ", ".join(f"{_ap_words(entry['ap'][label]['box'])} {label}" for label in labels)
        for entry in task["categories"][:_MOST_IN_ALT]
    )
    more = ". The table has the others" if len(task["categories"]) > _MOST_IN_ALT else ""
    return f"Dots of {task['task']}, box AP by category: {words}{more}."


def _line_words(lines: list[dict[str, Any]]) -> str:
    ends = ((line["label"], line["mean"][0], line["mean"][-1]) for line in lines if line["mean"])
    return "; ".join(
        f"{label} from {_ap_words(first['box'])} at {first['iteration']} to"
        f" {_ap_words(last['box'])} at {last['iteration']}"
        for label, first, last in ends
    )
