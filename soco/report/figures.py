"""The report's plots, as SVG that takes the reader's light or dark colours."""

import base64
import io
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from soco.report.drawing import Picture
from soco.report.spread import Counts

# Stands for the page's text colour until the drawing is written; no plot uses it for anything else.
_INK = "#010203"
_THEME = "svg{color:#24292f}@media(prefers-color-scheme:dark){svg{color:#d6dbe1}}"
_BLUE, _ORANGE = "#2f81d6", "#d9822b"
_BINS = 30
# Inches; a narrow figure keeps its words readable where a phone shrinks it.
_WIDTH = 5.4
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "soco",
    "text.parse_math": False,
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.15,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "axes.titlecolor", "grid.color"), _INK),
    "xtick.color": _INK,
    "ytick.color": _INK,
}


def loss_figure(run: dict[str, Any]) -> Picture:
    """The loss of one pretraining above its learning rate, over steps.

    Args:
        run: An entry of `pretraining` in the report's content.
    """
    steps = [point["step"] for point in run["curve"]]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, 3.7), layout="constrained")
        loss, rate = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        _line(loss, steps, [point["loss"] for point in run["curve"]], _BLUE)
        loss.axhline(run["loss_floor"], color=_INK, linewidth=0.8, linestyle=(0, (4, 3)))
        loss.set(title=f"loss (dashed: its least possible value, {run['loss_floor']})".replace("-", "\u2212"))
        _line(rate, steps, [point["lr"] for point in run["curve"]], _ORANGE)
        rate.set(title="learning rate", xlabel="step", ylim=(0, None))
        ends = " to ".join(
            f"{point['loss']:.2f}" for point in run["curve"][:: max(1, len(steps) - 1)] if point["loss"] is not None
        )
        return _picture(figure, f"Loss of pretraining {run['run']} over steps, from {ends}, above its learning rate.")


def spread_figure(regions: Counts, proposals: Counts) -> Picture:
    """How many regions selective search found a picture, and how many proposals were kept: two histograms."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, 2.3), layout="constrained")
        panels = zip(figure.subplots(1, 2), ("regions", "proposals"), (regions, proposals), strict=True)
        for axes, name, counts in panels:
            axes.hist(counts, bins=_edges(counts), color=_BLUE)
            axes.set(title=f"{name} a picture", ylabel="pictures" if name == "regions" else "")
        alt = (
            f"Two histograms over the pictures: regions a picture, median {np.median(regions):.0f}; "
            f"proposals a picture, median {np.median(proposals):.0f}."
        )
        return _picture(figure, alt)


def resources_figure(rules: list[dict[str, Any]]) -> Picture:
    """Total time and peak memory of each rule, as two panels of horizontal bars, the longest rule on top."""
    names = [entry["rule"] for entry in rules]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, 0.9 + 0.27 * len(rules)), layout="constrained")
        seconds, memory = figure.subplots(1, 2, sharey=True)
        _bars(seconds, names, [entry["total_seconds"] for entry in rules], _BLUE)
        _bars(memory, names, [entry["peak_rss_mb"] for entry in rules], _ORANGE)
        seconds.set(title="seconds, all jobs", xmargin=0.3)
        memory.set(title="peak memory, MB", xmargin=0.3)
        seconds.invert_yaxis()
        longest = f"; the longest is {names[0]}" if names else ""
        return _picture(figure, f"Bars of each rule's time and peak memory{longest}. The table has the figures.")


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


def _edges(counts: Counts) -> np.ndarray:
    """Edges of at most 30 bins, each of as many whole numbers as the others."""
    low, high = int(counts.min()), int(counts.max())
    width = max(1, -(-(high - low + 1) // _BINS))
    return np.arange(low, high + width + 1, width) - 0.5


def _picture(figure: Figure, alt: str) -> Picture:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue().replace(_INK, "currentColor").replace("'DejaVu Sans'", "system-ui, 'DejaVu Sans'")
    svg = svg[svg.index("<svg") :].replace("<g ", f"<style>{_THEME}</style><g ", 1)
    return Picture("data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode(), alt)
