"""Samples to a gallery: one PNG, or a folder of a PNG a sample with a page that shows them."""

import html
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from soco.config import PretrainConfig
from soco.errors import printable
from soco.io import atomic_write
from soco.report.drawing.canvas import GROUND
from soco.report.drawing.samples import Sample
from soco.report.drawing.views import compose

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Views of pretraining</title>
<style>body{{font-family:system-ui,sans-serif;margin:1rem}}img{{max-width:100%}}</style>
<h1>Views of pretraining</h1>
<p>A line joins the boxes that the loss compares; a box of level “none” is compared with nothing. Dashed: crops. White
outlines in views: squares cut out.</p>
{figures}
</html>
"""


def write_gallery(
    samples: Iterable[Sample], recipe: PretrainConfig, output: Path, side: int
) -> int:
    """Draw samples one below the other in a PNG, or each in a file of its own beside an index.html.

    Args:
        samples: From `samples_of`.
        recipe: The pretraining that they are of.
        output: A name that ends in .png, or a folder.
        side: Width and height of a drawn view, in pixels.

    Returns:
        How many samples were drawn.
    """
    if output.suffix.lower() == ".png":
        drawn = [compose(sample, recipe, side) for sample in samples]
        _save(_stacked(drawn), output)
        return len(drawn)
    figures = []
    for number, sample in enumerate(samples):
        name = f"{number:03d}.png"
        _save(compose(sample, recipe, side), output / name)
        told = html.escape(printable(f"{sample.name}, epoch {sample.epoch}"))
        figures.append(f'<p><img src="{name}" alt="Views of {told}"></p>')
    with atomic_write(output / "index.html") as temporary:
        temporary.write_text(_PAGE.format(figures="\n".join(figures)), encoding="utf-8")
    return len(figures)


def _stacked(drawn: list[Image.Image]) -> Image.Image:
    canvas = Image.new(
        "RGB", (max(image.width for image in drawn), sum(image.height for image in drawn)), GROUND
    )
    top = 0
    for image in drawn:
        canvas.paste(image, (0, top))
        top += image.height
    return canvas


def _save(image: Image.Image, path: Path) -> None:
    with atomic_write(path) as temporary:
        image.save(temporary, format="PNG", optimize=True)
