"""The report's plots of training and of what it took."""

from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from soco.drawing.marks import Picture
from soco.drawing.plotting import BLUE, ORANGE, STYLE, WIDTH, as_picture
from soco.drawing.training_curve import draw_curve, has_signs


def loss_figure(run: dict[str, Any]) -> Picture:
    """The loss of one pretraining above its learning rate and, where the log has them, the signs of collapse.

    Args:
        run: An entry of `pretraining` in the report's content.
    """
    curve = run["curve"]
    ends = " to ".join(
        f"{point['loss']:.2f}" for point in curve[:: max(1, len(curve) - 1)] if point["loss"] is not None
    )
    signs = ", spread and mean cosine apart" if has_signs(curve) else ""
    alt = f"Loss of pretraining {run['run']} over steps, from {ends}, above its learning rate{signs}."
    with matplotlib.rc_context(STYLE):
        return as_picture(draw_curve(curve, run["loss_floor"]), alt)


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


def _bars(axes: Axes, names: list[str], values: list[float | None], colour: str) -> None:
    bars = axes.barh(names, [value or 0.0 for value in values], color=colour)
    words = ["not measured" if value is None else f"{value:,.0f}".replace(",", "\u202f") for value in values]
    axes.bar_label(bars, words, padding=3)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
