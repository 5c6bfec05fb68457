"""The report's plots of training and of what it took."""

from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from soco.report.drawing import Picture
from soco.report.plotting import BLUE, INK, ORANGE, STYLE, WIDTH, as_picture

_SIGNS = {
    "spread": "spread of the vectors (0: collapse)",
    "cosine_apart": "mean cosine between pictures (1: collapse)",
}


def loss_figure(run: dict[str, Any]) -> Picture:
    """The loss of one pretraining above its learning rate and, where the log has them, the signs of collapse.

    Args:
        run: An entry of `pretraining` in the report's content.
    """
    curve = run["curve"]
    ends = " to ".join(
        f"{point['loss']:.2f}" for point in curve[:: max(1, len(curve) - 1)] if point["loss"] is not None
    )
    signs = ", spread and mean cosine apart" if _has_signs(curve) else ""
    alt = f"Loss of pretraining {run['run']} over steps, from {ends}, above its learning rate{signs}."
    with matplotlib.rc_context(STYLE):
        return as_picture(draw_curve(curve, run["loss_floor"]), alt)


def draw_curve(curve: list[dict[str, Any]], floor: float) -> Figure:
    """Panels of a pretraining's log one below the other, in the style that is set.

    Args:
        curve: Its points, from `soco.report.collect.curve_of`.
        floor: The least possible loss.
    """
    steps = [point["step"] for point in curve]
    small = 3 if _has_signs(curve) else 1
    figure = Figure(figsize=(WIDTH, 2.6 + 1.1 * small), layout="constrained")
    loss, *panels = figure.subplots(1 + small, 1, sharex=True, height_ratios=[3, *[1] * small])
    _line(loss, steps, [point["loss"] for point in curve], BLUE)
    loss.axhline(floor, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    loss.set(title=f"loss (dashed: its least possible value, {floor})".replace("-", "\u2212"))
    _line(panels[0], steps, [point["lr"] for point in curve], ORANGE)
    panels[0].set(title="learning rate", ylim=(0, None))
    for panel, (name, title) in zip(panels[1:], _SIGNS.items(), strict=False):
        _line(panel, steps, [point[name] for point in curve], BLUE)
        panel.set(title=title, ylim=(-0.05, 1.05))
    panels[-1].set(xlabel="step")
    return figure


def resources_figure(rules: list[dict[str, Any]]) -> Picture:
    """Total time and peak memory of each rule, as two panels of horizontal bars, the longest rule on top."""
    names = [entry["rule"] for entry in rules]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.9 + 0.27 * len(rules)), layout="constrained")
        seconds, memory = figure.subplots(1, 2, sharey=True)
        _bars(seconds, names, [entry["total_seconds"] for entry in rules], BLUE)
        _bars(memory, names, [entry["peak_rss_mb"] for entry in rules], ORANGE)
        seconds.set(title="seconds, all jobs", xmargin=0.3)
        memory.set(title="peak memory, MB", xmargin=0.3)
        seconds.invert_yaxis()
        longest = f"; the longest is {names[0]}" if names else ""
        return as_picture(figure, f"Bars of each rule's time and peak memory{longest}. The table has the figures.")


def _has_signs(curve: list[dict[str, Any]]) -> bool:
    return bool(curve) and _SIGNS.keys() <= curve[0].keys()


def _line(axes: Axes, steps: list[int], values: list[float | None], colour: str) -> None:
    # A single point has no line to see.
    marker = "o" if len(steps) < 2 else ""
    axes.plot(steps, [np.nan if value is None else value for value in values], color=colour, marker=marker)


def _bars(axes: Axes, names: list[str], values: list[float | None], colour: str) -> None:
    bars = axes.barh(names, [value or 0.0 for value in values], color=colour)
    words = ["not measured" if value is None else f"{value:,.0f}".replace(",", "\u202f") for value in values]
    axes.bar_label(bars, words, padding=3)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
