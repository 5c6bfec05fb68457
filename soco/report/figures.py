"""The report's plots of training and of what it took."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from soco.report.drawing.marks import PageImage
from soco.report.drawing.plotting import BLUE, ORANGE, WIDTH, as_image, styled
from soco.report.drawing.training_curve import draw_curve, has_signs


def loss_figure(run: dict[str, Any]) -> PageImage:
    """The loss of one pretraining above its learning rate and, where the log has them, the signs of
    collapse.

    Args:
        run: An entry of `pretraining` in the report's content.
    """
    curve = run["curve"]
    ends = [
        f"{point['loss']:.2f}"
        for point in curve[:: max(1, len(curve) - 1)]
        if point["loss"] is not None
    ]
    told = f", from {' to '.join(ends)}" if len(ends) > 1 else f", {ends[0]}" if ends else ""
    signs = ", spread and mean cosine apart" if has_signs(curve) else ""
    alt = f"Loss of pretraining {run['run']} over steps{told}, above its learning rate{signs}."
    with styled():
        return as_image(draw_curve(curve, run["loss_floor"]), alt)


def cost_figure(stages: list[dict[str, Any]]) -> PageImage:
    """Time, CPU time and peak memory of each stage, as panels of horizontal bars in the order of
    the work.

    Args:
        stages: From `soco.report.resources.stage_costs`.
    """
    names = [entry["stage"] for entry in stages]
    unit, seconds = _unit(max(entry["cpu_seconds"] for entry in stages))
    with styled():
        figure = Figure(figsize=(WIDTH, 0.9 + 0.3 * len(stages)), layout="constrained")
        time, cpu, memory = figure.subplots(1, 3, sharey=True)
        _bars(time, names, [entry["total_seconds"] / seconds for entry in stages], BLUE)
        _bars(cpu, names, [entry["cpu_seconds"] / seconds for entry in stages], BLUE)
        _bars(memory, names, [entry["peak_rss_mb"] / 1000 for entry in stages], ORANGE)
        time.set(title=f"time, {unit}")
        cpu.set(title=f"CPU time, {unit}")
        memory.set(title="peak memory, GB")
        time.invert_yaxis()
        told = "; ".join(
            f"{entry['stage']} {entry['total_seconds'] / seconds:.1f} {unit}" for entry in stages
        )
        return as_image(
            figure, f"Bars of each stage's time, CPU time and peak memory. Time: {told}."
        )


def _unit(seconds: float) -> tuple[str, float]:
    return ("h", 3600.0) if seconds >= 7200 else ("min", 60.0) if seconds >= 120 else ("s", 1.0)


def _short(value: float) -> str:
    return "<0.1" if 0 < value < 0.05 else f"{value:,.1f}".replace(",", "\u202f")


def _bars(axes: Axes, names: list[str], values: list[float], colour: str) -> None:
    bars = axes.barh(names, values, color=colour)
    axes.bar_label(bars, [_short(value) for value in values], padding=3)
    # Room for the figure at the end of the longest bar.
    axes.set_xlim(0, 1.45 * max(*values, 1e-9))
    axes.xaxis.set_visible(False)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="y", length=0)
