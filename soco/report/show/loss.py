"""The curve of a pretraining's loss, from its log."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from soco.errors import UserError
from soco.io import atomic_write
from soco.pretrain.travel import median_cosine
from soco.report.drawing.plotting import styled
from soco.report.drawing.training_curve import curve_of, draw_curve
from soco.report.reading import read_lines

_DOTS_PER_INCH = 110


def show_loss(log: Path, pairs: int, output: Path) -> str:
    """Draw a log as the report does: loss, learning rate and signs of collapse.

    Args:
        log: log.jsonl of a run, finished or not.
        pairs: Pairs of views that the run compares; each lowers the lowest possible loss by 4.
        output: Receives the PNG.

    Returns:
        The last loss and, if they were logged, the loss of a constant answer and how far the
        weights moved, in one line.

    Raises:
        UserError: The log is missing, has no step, or a line is malformed.
    """
    lines = [
        line
        for line in read_lines(log)
        if line.get("loss") is not None and {"step", "lr"} <= line.keys()
    ]
    if not lines:
        raise UserError("show.no_step", "{log} has no step yet; wait for the first one.", log=log)
    with styled(), atomic_write(output) as temporary:
        draw_curve(curve_of(lines), -4 * pairs).savefig(temporary, format="png", dpi=_DOTS_PER_INCH)
    loss, step = lines[-1]["loss"], lines[-1]["step"]
    words = f"loss {loss:.3f} at step {step}: a mean cosine of {-loss / (4 * pairs):.2f}"
    if lines[-1].get("constant") is not None:
        words += f", a constant answer reaches {lines[-1]['constant']:.3f}"
    return words + _travel_words(lines)


def _travel_words(lines: Sequence[Mapping[str, Any]]) -> str:
    """The last measurement of how far the weights moved; empty if there is none."""
    for line in reversed(lines):
        cosine = median_cosine(line.get("travel") or {})
        if cosine is not None:
            return f"; weights and first weights have a median cosine of {cosine:.3f}"
    return ""
