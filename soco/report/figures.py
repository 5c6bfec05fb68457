"""Plots of a pretraining's log and of the cost of the stages."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from soco.report.drawing.marks import PageImage
from soco.report.drawing.plotting import BLUE, ORANGE, WIDTH, as_image, bars, styled
from soco.report.drawing.training_curve import draw_curve, has_signs


def loss_figure(run: dict[str, Any]) -> PageImage:
    """Plot loss and learning rate of one pretraining and, if logged, the signs of collapse.

    Args:
        run: An entry of `pretraining` in report.json.
    """
    curve = run["curve"]
    ends = [
        f"{point['loss']:.2f}"
        for point in curve[:: max(1, len(curve) - 1)]
        if point["loss"] is not None
    ]
    words = f", from {' to '.join(ends)}" if len(ends) > 1 else "".join(f", {end}" for end in ends)
    signs = ", spread and mean cosine between images" if has_signs(curve) else ""
    alt = f"Loss of pretraining {run['run']} over steps{words}, above its learning rate{signs}."
    with styled():
        return as_image(draw_curve(curve, run["loss_floor"]), alt)


def cost_figure(stages: list[dict[str, Any]]) -> PageImage:
    """Plot time, CPU time and peak memory of each stage as horizontal bars, in stage order.

    Args:
        stages: From `soco.report.provenance.stage_costs`.
    """
    names = [entry["stage"] for entry in stages]
    unit, seconds = _unit(max(entry["cpu_seconds"] for entry in stages))
    times = [entry["total_seconds"] / seconds for entry in stages]
    with styled():
        figure = Figure(figsize=(WIDTH, 0.9 + 0.3 * len(stages)), layout="constrained")
        time, cpu, memory = figure.subplots(1, 3, sharey=True)
        _panel(time, f"time, {unit}", names, times, BLUE)
        cpu_times = [entry["cpu_seconds"] / seconds for entry in stages]
        _panel(cpu, f"CPU time, {unit}", names, cpu_times, BLUE)
        gigabytes = [entry["peak_rss_mb"] / 1000 for entry in stages]
        _panel(memory, "peak memory, GB", names, gigabytes, ORANGE)
        time.invert_yaxis()
        words = "; ".join(
            f"{name} {value:.1f} {unit}" for name, value in zip(names, times, strict=True)
        )
        return as_image(
            figure, f"Bars of each stage's time, CPU time and peak memory. Time: {words}."
        )


def _unit(seconds: float) -> tuple[str, float]:
    return ("h", 3600.0) if seconds >= 7200 else ("min", 60.0) if seconds >= 120 else ("s", 1.0)


def _short(value: float) -> str:
    return "<0.1" if 0 < value < 0.05 else f"{value:,.1f}".replace(",", "\u202f")


def _panel(axes: Axes, title: str, names: list[str], values: list[float], colour: str) -> None:
    bars(axes, names, values, [_short(value) for value in values], colour)
    # Room for the number at the end of the longest bar.
    axes.set_xlim(0, 1.45 * max(*values, 1e-9))
    axes.set(title=title)
    axes.xaxis.set_visible(False)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
