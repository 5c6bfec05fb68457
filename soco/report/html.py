"""Render the report's content and images as one page that loads nothing."""

import functools
import shlex
from pathlib import Path
from typing import Any

import humanize
import jinja2
import yaml
from markupsafe import Markup, escape

from soco.errors import printable, printable_lines
from soco.pretrain.travel import PARTS, stayed
from soco.report.drawn import Undrawn
from soco.report.sentences import commit_words, signed, summary_sentences
from soco.report.tables import ap_table, files_shown, loading_lists

_FOLDER = Path(__file__).parent
_DASH = "–"


def render(content: dict[str, Any], images: dict[str, Any]) -> str:
    """Render the page.

    Args:
        content: The content of report.json.
        images: Its images by name, see `soco.report.build`.
    """
    results, config = content["results"], content["config"]
    used = {row["initialisation"] for task in results for row in task["rows"]}
    context = {
        "images": images,
        "config_yaml": yaml.safe_dump(config, allow_unicode=True, width=100),
        "style": Markup((_FOLDER / "style.css").read_text()),
        "tables": [ap_table(task, content) for task in results],
        "claimed": any(task["paired"] for task in results),
        "sentences": [sentence for task in results for sentence in summary_sentences(task)],
        "given_weights": [name for name in config["weights"] if name in used],
        "commits": commit_words(content["git"], [each["code"] for each in content["environments"]]),
        "report_file": shlex.quote(f"{config['results']}/report/report.json"),
        "parts": PARTS,
        "stayed": [
            run["run"]
            for run in content["pretraining"]
            if run.get("steps") and stayed(run.get("travel") or {})
        ],
        "loading_lists": loading_lists(content["loading"]),
        **files_shown(content),
    }
    return _environment().get_template("page.html").render(content | context)


def number(value: float | int | None, digits: int = 0) -> str:
    """A number with thin spaces between thousands; a dash for None.

    Args:
        value: The number.
        digits: Decimals.
    """
    if value is None:
        return _DASH
    return f"{value:,.{digits}f}".replace(",", "\u202f").replace("-", "\u2212")


def duration(seconds: float | None) -> str:
    """A duration for people to read: `4.1 s`, `2 min 05 s`, `3 h 07 min`."""
    # humanize.precisedelta writes "2 minutes and 5 seconds", too wide for the tables.
    if seconds is None:
        return _DASH
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "template"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    environment.filters |= {
        "number": number,
        "duration": duration,
        "signed": signed,
        "size": humanize.naturalsize,
        "lines": lambda text: escape(printable_lines(text)),
    }
    environment.tests |= {"undrawn": lambda figure: isinstance(figure, Undrawn)}
    return environment


def _printable(value: Any) -> Any:
    """Convert text to one line of characters that every browser can show."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
