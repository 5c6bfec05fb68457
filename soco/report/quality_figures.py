"""Plots of the proposals: their number, size and shape, images without any, and recall."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from soco.report.drawing.marks import PageImage
from soco.report.drawing.plotting import (
    BLUE,
    ORANGE,
    SERIES,
    WIDTH,
    add_legend,
    as_image,
    bars,
    styled,
)

_LINES = dict(zip(("soco", "opencv_fast", "opencv_quality", "opencv_single"), SERIES, strict=False))
_MEASURES = {"recall_50": "recall, IoU 0.5", "recall_70": "recall, IoU 0.7", "abo": "best overlap"}
_RATIOS = {1 / 16: "1:16", 1 / 4: "1:4", 1: "1:1", 4: "4:1", 16: "16:1"}


def shape_figure(statistics: dict[str, Any]) -> PageImage:
    """Plot histograms of the number of boxes per image, of their sizes and of their shapes.

    Args:
        statistics: What `soco.proposals.quality.describe_proposals` measured.
    """
    regions, proposals = statistics["regions"], statistics["proposals"]
    with styled():
        figure = Figure(figsize=(WIDTH, 4.4), layout="constrained")
        numbers, (sizes, ratios) = figure.subplots(2, 2)
        for axes, name, colour in zip(
            numbers, ("regions", "proposals"), (ORANGE, BLUE), strict=True
        ):
            shown = statistics[name]["per_image"]
            axes.stairs(shown["counts"], shown["edges"], fill=True, color=colour)
            axes.set(title=f"{name} per image", ylim=(0, None))
        numbers[0].set_ylabel("images")
        for axes, name in ((sizes, "relative_size"), (ratios, "aspect_ratio")):
            _stairs(axes, proposals[name], fill=True, color=BLUE, label="proposals")
            _stairs(axes, regions[name], color=ORANGE, linewidth=1.4, label="regions")
            axes.set(ylim=(0, None))
        sizes.set(title="size relative to the image", ylabel="% of boxes", xlim=(0, 1))
        ratios.set_title("width to height")
        ratios.set_xscale("log", base=2)
        ratios.set_xticks(list(_RATIOS), labels=list(_RATIOS.values()), minor=False)
        ratios.set_xlim(1 / 32, 32)
        add_legend(figure, *sizes.get_legend_handles_labels())
        words = f"Medians of regions: {_medians(regions)}; of proposals: {_medians(proposals)}."
        return as_image(figure, f"Four histograms. {words}")


def without_figure(statistics: dict[str, Any]) -> PageImage:
    """Plot the share of images without a proposal, after the filter and after each fallback.

    Args:
        statistics: What `soco.proposals.quality.describe_proposals` measured.
    """
    steps = statistics["without_proposals"]
    names = [f"{'then ' if number else ''}{step['after']}" for number, step in enumerate(steps)]
    words = [
        f"{100 * step['share']:.1f} % ({step['images']:,})".replace(",", "\u202f") for step in steps
    ]
    with styled():
        figure = Figure(figsize=(WIDTH, 0.7 + 0.3 * len(steps)), layout="constrained")
        axes = figure.subplots()
        bars(axes, names, [100 * step["share"] for step in steps], words, BLUE)
        axes.set(title="% of images without a proposal after", xmargin=0.3)
        axes.set_xlim(0, max(1.0, axes.get_xlim()[1]))
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        shares = "; ".join(
            f"{word} after {step['after']}" for word, step in zip(words, steps, strict=True)
        )
        return as_image(figure, f"Bars: images without a proposal, {shares}.")


def recall_figure(measured: dict[str, Any]) -> PageImage:
    """Plot recall and average best overlap against the number of proposals drawn, per engine.

    Args:
        measured: An entry of `quality.recall` in report.json.
    """
    engines = measured["engines"]
    with styled():
        figure = Figure(figsize=(WIDTH, 2.9), layout="constrained")
        panels = figure.subplots(1, 3, sharey=True)
        for axes, (name, title) in zip(panels, _MEASURES.items(), strict=True):
            for entry in engines:
                colour, marker, line = _LINES[entry["engine"]]
                axes.plot(
                    measured["drawn"],
                    entry["proposals"][name]["drawn"],
                    linestyle=line,
                    color=colour,
                    marker=marker,
                    markersize=4,
                    label=entry["engine"],
                )
            axes.set(title=title, ylim=(0, 1), xscale="log")
            axes.set_xticks([1, 10, 100, 1000], labels=["1", "10", "100", "1000"])
            axes.minorticks_off()
        panels[1].set_xlabel("proposals drawn")
        add_legend(figure, *panels[0].get_legend_handles_labels())
        words = "; ".join(
            f"{entry['engine']} {_recall_words(entry['proposals']['recall_50']['drawn'][0])} to "
            f"{_recall_words(entry['proposals']['recall_50']['all'])}"
            for entry in engines
        )
        alt = (
            f"Lines on {measured['dataset']}: recall at IoU 0.5 from one proposal to all: {words}."
        )
        return as_image(figure, alt)


def _stairs(axes: Axes, histogram: dict[str, Any], **style: Any) -> None:
    counts = np.array(histogram["counts"])
    axes.stairs(100 * counts / max(1, sum(histogram["counts"])), histogram["edges"], **style)


def _recall_words(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f}"


def _medians(boxes: dict[str, Any]) -> str:
    values = [boxes[name]["median"] for name in ("per_image", "relative_size", "aspect_ratio")]
    number, size, ratio = (float("nan") if value is None else value for value in values)
    return f"{number:.0f} per image, size {size:.2f} of the image, width over height {ratio:.2f}"
