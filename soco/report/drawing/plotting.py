"""The style of the plots, and their SVG, which adapts to the reader's colours."""

import base64
import contextlib
import io
import warnings
from collections.abc import Iterable, Iterator

import matplotlib.style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from soco.errors import LONGEST_DRAWN, printable
from soco.report.drawing.marks import PageImage

# A placeholder for the page's text colour, replaced when the SVG is written.
INK = "#010203"
_THEME = "svg{color:#24292f}@media screen and (prefers-color-scheme:dark){svg{color:#d6dbe1}}"
BLUE, ORANGE = "#2f81d6", "#d9822b"
# Colour, marker and line of each series, which can be distinguished without colours too.
SERIES = (
    (BLUE, "o", "-"),
    (ORANGE, "s", "--"),
    ("#9b6bd1", "D", "-."),
    ("#3a9b5c", "^", ":"),
    ("#d1495b", "v", (0, (5, 1))),
    ("#1a9ba8", "P", (0, (3, 1, 1, 1))),
    ("#a0772d", "X", (0, (1, 1))),
    ("#7d8590", "*", (0, (7, 2))),
)
# Inches; a narrow figure stays readable when a phone shrinks it.
WIDTH = 5.4
STYLE = {
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
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "axes.titlecolor", "grid.color"), INK
    ),
    "xtick.color": INK,
    "ytick.color": INK,
}


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """Draw in the report's style: `STYLE` on matplotlib's defaults, not the user's."""
    with matplotlib.style.context(["default", STYLE]), warnings.catch_warnings():
        # The reader's fonts draw the text of an SVG; matplotlib's font need not have every letter.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def add_legend(figure: Figure, handles: Iterable[Artist], names: Iterable[str]) -> None:
    """Add a legend below the figure, also for names that begin with `_`.

    Args:
        figure: The figure.
        handles: The artists.
        names: The name of each.
    """
    shown = [printable(name, LONGEST_DRAWN) for name in names]
    figure.legend(list(handles), shown, loc="outside lower center", ncols=2, frameon=False)


def bars(axes: Axes, names: list[str], values: list[float], words: list[str], colour: str) -> None:
    """Draw horizontal bars, each with words at its end.

    Args:
        axes: Where to draw.
        names: Name of each bar.
        values: Its length.
        words: What is written at its end.
        colour: Colour of all bars.
    """
    axes.bar_label(axes.barh(names, values, color=colour), words, padding=3)
    axes.tick_params(axis="y", length=0)


def as_image(figure: Figure, alt: str) -> PageImage:
    """The figure as SVG in a data URI.

    Args:
        figure: Drawn in `styled`.
        alt: Alternative text.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = (
        buffer.getvalue()
        .replace(INK, "currentColor")
        .replace("'DejaVu Sans'", "system-ui, 'DejaVu Sans'")
    )
    svg = svg[svg.index("<svg") :].replace("<g ", f"<style>{_THEME}</style><g ", 1)
    return PageImage("data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode(), alt)
