"""Plots of a pretraining's log: loss, that of a constant answer, rate and signs of collapse."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from soco.proposals.choice import evenly
from soco.report.drawing.plotting import BLUE, INK, ORANGE, WIDTH

POINTS = 400
_KEYS = ("step", "loss", "constant", "lr", "spread", "cosine_apart")
_SIGNS = {
    "spread": "spread of the vectors (0: collapse)",
    "cosine_apart": "mean cosine between images (1: collapse)",
}


def curve_of(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The points of a log to draw: at most 400 lines, each with all keys that any line has."""
    keys = [key for key in _KEYS if any(key in line for line in lines)]
    return [{key: line.get(key) for key in keys} for line in evenly(lines, POINTS)]


def has_signs(curve: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the signs of collapse were logged."""
    return bool(curve) and _SIGNS.keys() <= curve[0].keys()


def draw_curve(curve: Sequence[Mapping[str, Any]], floor: float) -> Figure:
    """Draw a log in the current style, its panels below one another.

    Args:
        curve: Points from `curve_of`.
        floor: The lowest possible loss.
    """
    steps = [point["step"] for point in curve]
    small = 3 if has_signs(curve) else 1
    figure = Figure(figsize=(WIDTH, 2.6 + 1.1 * small), layout="constrained")
    loss, *panels = figure.subplots(1 + small, 1, sharex=True, height_ratios=[3, *[1] * small])
    _line(loss, steps, [point["loss"] for point in curve], BLUE)
    loss.axhline(floor, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    title = f"dashed: lowest possible, {floor}"
    if curve and "constant" in curve[0]:
        _line(loss, steps, [point["constant"] for point in curve], ORANGE)
        title += "; orange: constant answer"
    loss.set(title=f"loss ({title})".replace("-", "\u2212"))
    _line(panels[0], steps, [point["lr"] for point in curve], ORANGE)
    panels[0].set(title="learning rate", ylim=(0, None))
    for panel, (name, title) in zip(panels[1:], _SIGNS.items(), strict=False):
        _line(panel, steps, [point[name] for point in curve], BLUE)
        panel.set(title=title, ylim=(-0.05, 1.05))
    panels[-1].set(xlabel="step")
    return figure


def _line(axes: Axes, steps: list[int], values: list[float | None], colour: str) -> None:
    # A single point has no visible line.
    marker = "o" if len(steps) < 2 else ""
    axes.plot(
        steps, [np.nan if value is None else value for value in values], color=colour, marker=marker
    )
