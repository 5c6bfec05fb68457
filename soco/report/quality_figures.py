"""The report's plots of proposals: what they are like, where none is left, and what they find."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from soco.report.drawing.marks import PageImage
from soco.report.drawing.plotting import BLUE, ORANGE, SERIES, WIDTH, as_image, styled

_LINES = dict(zip(("soco", "opencv_fast", "opencv_quality", "opencv_single"), SERIES, strict=False))
_MEASURES = {"recall_50": "recall, IoU 0.5", "recall_70": "recall, IoU 0.7", "abo": "best overlap"}
_RATIOS = {1 / 16: "1:16", 1 / 4: "1:4", 1: "1:1", 4: "4:1", 16: "16:1"}


def shape_figure(statistics: dict[str, Any]) -> PageImage:
    """How many boxes an image has, and how large and of what shape they are: four histograms.

    Args:
        statistics: What `soco.proposals.quality.describe_proposals` returned.
    """
    regions, proposals = statistics["regions"], statistics["proposals"]
    with styled():
        figure = Figure(figsize=(WIDTH, 4.4), layout="constrained")
        numbers, shapes = figure.subplots(2, 2)
        for axes, name, boxes, colour in zip(
            numbers, ("regions", "proposals"), (regions, proposals), (ORANGE, BLUE), strict=True
        ):
            shown = boxes["per_image"]
            axes.stairs(shown["counts"], shown["edges"], fill=True, color=colour)
            axes.set(
                title=f"{name} an image",
                ylabel="images" if name == "regions" else "",
                ylim=(0, None),
            )
        for axes, name, title in zip(
            shapes,
            ("relative_size", "aspect_ratio"),
            ("size against the image", "width to height"),
            strict=True,
        ):
            _filled(axes, proposals[name], "proposals")
            _outline(axes, regions[name], "regions")
            axes.set(
                title=title, ylabel="% of boxes" if name == "relative_size" else "", ylim=(0, None)
            )
        shapes[0].set_xlim(0, 1)
        shapes[1].set_xscale("log", base=2)
        shapes[1].set_xticks(list(_RATIOS), labels=list(_RATIOS.values()), minor=False)
        shapes[1].set_xlim(1 / 32, 32)
        figure.legend(
            *shapes[0].get_legend_handles_labels(),
            loc="outside lower center",
            ncols=2,
            frameon=False,
        )
        return as_image(figure, _told(regions, proposals))


def without_figure(statistics: dict[str, Any]) -> PageImage:
    """The share of images without a proposal after the filter and after each fallback: horizontal
    bars.

    Args:
        statistics: What `soco.proposals.quality.describe_proposals` returned.
    """
    steps = statistics["without_proposals"]
    names = [f"{'then ' if number else ''}{step['after']}" for number, step in enumerate(steps)]
    with styled():
        figure = Figure(figsize=(WIDTH, 0.7 + 0.3 * len(steps)), layout="constrained")
        axes = figure.subplots()
        bars = axes.barh(names, [100 * step["share"] for step in steps], color=BLUE)
        words = [
            f"{100 * step['share']:.1f} % ({step['images']:,})".replace(",", "\u202f")
            for step in steps
        ]
        axes.bar_label(bars, words, padding=3)
        axes.set(title="% of images without a proposal after", xmargin=0.3)
        axes.set_xlim(0, max(1.0, axes.get_xlim()[1]))
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
        told = "; ".join(
            f"{word} after {step['after']}" for word, step in zip(words, steps, strict=True)
        )
        return as_image(figure, f"Bars: images without a proposal, {told}.")


def recall_figure(measured: dict[str, Any]) -> PageImage:
    """Recall and average best overlap against the number of proposals drawn: three panels, a line
    an engine.

    Args:
        measured: An entry of `quality.recall` in the report's content.
    """
    drawn = measured["drawn"]
    with styled():
        figure = Figure(figsize=(WIDTH, 2.9), layout="constrained")
        panels = figure.subplots(1, 3, sharey=True)
        for axes, (name, title) in zip(panels, _MEASURES.items(), strict=True):
            for entry in measured["engines"]:
                colour, marker, line = _LINES[entry["engine"]]
                values = entry["proposals"][name]["drawn"]
                axes.plot(
                    drawn,
                    values,
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
        figure.legend(
            *panels[0].get_legend_handles_labels(),
            loc="outside lower center",
            ncols=2,
            frameon=False,
        )
        told = "; ".join(
            f"{entry['engine']} {_recall_words(entry['proposals']['recall_50']['drawn'][0])} to "
            f"{_recall_words(entry['proposals']['recall_50']['all'])}"
            for entry in measured["engines"]
        )
        dataset = measured["dataset"]
        return as_image(
            figure, f"Lines on {dataset}: recall at IoU 0.5 from one proposal to all is {told}."
        )


def _recall_words(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f}"


def _filled(axes: Axes, shown: dict[str, Any], label: str) -> None:
    axes.stairs(_percent(shown["counts"]), shown["edges"], fill=True, color=BLUE, label=label)


def _outline(axes: Axes, shown: dict[str, Any], label: str) -> None:
    axes.stairs(_percent(shown["counts"]), shown["edges"], color=ORANGE, linewidth=1.4, label=label)


def _percent(counts: list[int]) -> np.ndarray:
    return 100 * np.array(counts) / max(1, sum(counts))


def _told(regions: dict[str, Any], proposals: dict[str, Any]) -> str:
    def medians(boxes: dict[str, Any]) -> str:
        values = [boxes[name]["median"] for name in ("per_image", "relative_size", "aspect_ratio")]
        number, size, ratio = (float("nan") if value is None else value for value in values)
        return f"{number:.0f} an image, size {size:.2f} of the image, width over height {ratio:.2f}"

    return (
        f"Four histograms. Medians of regions: {medians(regions)}; of proposals:"
        f" {medians(proposals)}."
    )
