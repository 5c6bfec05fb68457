"""The report's plots of training and of what it took."""

from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from soco.report.drawing import Picture
from soco.report.plotting import BLUE, INK, ORANGE, STYLE, WIDTH, as_picture


def loss_figure(run: dict[str, Any]) -> Picture:
    """The loss of one pretraining above its learning rate, over steps.

    Args:
        run: An entry of `pretraining` in the report's content.
    """
    steps = [point["step"] for point in run["curve"]]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 3.7), layout="constrained")
        loss, rate = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        _line(loss, steps, [point["loss"] for point in run["curve"]], BLUE)
        loss.axhline(run["loss_floor"], color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
        loss.set(title=f"loss (dashed: its least possible value, {run['loss_floor']})".replace("-", "\u2212"))
        _line(rate, steps, [point["lr"] for point in run["curve"]], ORANGE)
        rate.set(title="learning rate", xlabel="step", ylim=(0, None))
        ends = " to ".join(
            f"{point['loss']:.2f}" for point in run["curve"][:: max(1, len(steps) - 1)] if point["loss"] is not None
        )
        return as_picture(figure, f"Loss of pretraining {run['run']} over steps, from {ends}, above its learning rate.")


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
