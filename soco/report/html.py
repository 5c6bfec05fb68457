"""Render the report's content and images as one page that loads nothing."""

import functools
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import yaml
from markupsafe import Markup, escape

from soco.errors import printable, printable_lines
from soco.report.detections import TaskDetections
from soco.report.drawing.marks import PageImage
from soco.report.drawn import Undrawn
from soco.report.sentences import commit_words, signed, summary_sentences
from soco.report.tables import ap_table, files_shown, loading_lists
from soco.report.views import RunViews

_FOLDER = Path(__file__).parent
_DASH = "–"


@dataclass(frozen=True)
class PageImages:
    """All that the page shows beside words and numbers; an `Undrawn` stands in the place of a
    figure that failed.

    Attributes:
        curves: The loss of each pretraining that logged a step, by run.
        gallery: Images with proposals.
        views: Images with the views taken of them, one entry a pretraining.
        shapes: Histograms of number, size and shape of regions and proposals.
        without: Bars of images without a proposal.
        recall: Recall against the number of boxes, by detection set.
        categories: AP of each category, by task.
        training: AP against iterations, by task; only tasks that measured it.
        detections: Images with detections, one entry a task.
        cost: Bars of time and memory; None where no job left a record.
    """

    curves: dict[str, PageImage | Undrawn]
    gallery: list[PageImage] | Undrawn
    views: list[RunViews | Undrawn]
    shapes: PageImage | Undrawn
    without: PageImage | Undrawn
    recall: dict[str, PageImage | Undrawn]
    categories: dict[str, PageImage | Undrawn]
    training: dict[str, PageImage | Undrawn]
    detections: list[list[TaskDetections] | Undrawn]
    cost: PageImage | Undrawn | None


def render(content: dict[str, Any], images: PageImages) -> str:
    """Render the page.

    Args:
        content: What `soco.report.collect.collect` gathered.
        images: What goes with it.
    """
    config = yaml.safe_dump(content["config"], allow_unicode=True, width=100)
    style = Markup((_FOLDER / "style.css").read_text())
    shown = {
        "images": images,
        "config_yaml": config,
        "style": style,
        "tables": [ap_table(task, content) for task in content["results"]],
        "sentences": [
            sentence for task in content["results"] for sentence in summary_sentences(task)
        ],
        "given_weights": [
            name
            for name in content["config"]["weights"]
            if any(
                name == row["initialisation"] for task in content["results"] for row in task["rows"]
            )
        ],
        "commits": commit_words(content["git"], [held["code"] for held in content["environments"]]),
        "report_file": shlex.quote(f"{content['config']['results']}/report/report.json"),
        "loading_lists": loading_lists(content["loading"]),
        **files_shown(content),
    }
    return _environment().get_template("page.html").render(content | shown)


def number(value: float | int | None, digits: int = 0) -> str:
    """A number with thin thousands; a dash for None.

    Args:
        value: The number.
        digits: Decimals.
    """
    return (
        _DASH
        if value is None
        else f"{value:,.{digits}f}".replace(",", "\u202f").replace("-", "\u2212")
    )


def duration(seconds: float | None) -> str:
    """A time that one reads at a glance: `4.1 s`, `2 min 05 s`, `3 h 07 min`."""
    if seconds is None:
        return _DASH
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(count: int) -> str:
    """A file's size: `812 B`, `3.4 kB`, `1.2 GB`."""
    value, units = float(count), iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while value >= 999.5 and unit != "TB":
        value, unit = value / 1000, next(units)
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "template"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters |= {
        "number": number,
        "duration": duration,
        "signed": signed,
        "size": size,
        "lines": _lines,
    }
    environment.tests |= {"undrawn": lambda figure: isinstance(figure, Undrawn)}
    return environment


def _shown(value: Any) -> Any:
    """What the page says of any value.

    A text in one line of characters that every browser can show.
    """
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _lines(text: str) -> Markup:
    """A text whose lines stay lines."""
    return escape(printable_lines(text))
