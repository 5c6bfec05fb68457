"""Build the report from the files of a finished run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from soco.config import ImagesConfig, PretrainConfig
from soco.data import open_source
from soco.data.stores.parquet import read_table
from soco.data.stores.schema import PROPOSAL_SCHEMA
from soco.errors import UserError
from soco.io import atomic_write, write_json
from soco.report.ap_figures import ap_figure, category_figure
from soco.report.collect import collect
from soco.report.detections import task_detections
from soco.report.drawing.marks import PageImage
from soco.report.drawn import Drawer, Undrawn
from soco.report.figures import cost_figure, loss_figure
from soco.report.gallery import proposal_gallery
from soco.report.html import render
from soco.report.inputs import EvaluationFiles, ReportInputs
from soco.report.provenance import stage_costs
from soco.report.quality_figures import recall_figure, shape_figure, without_figure
from soco.report.reading import read_back
from soco.report.views import run_views

INCOMPLETE = "incomplete"
"""Folder next to the report for a page with missing figures.

The page is not an output, because Snakemake removes the outputs of a failed job.
"""


def build_report(inputs: ReportInputs, html: Path, json: Path) -> None:
    """Write the report.

    If a figure cannot be drawn, the reason replaces it. Page and data are then written to the
    folder `incomplete` next to `html`, the data with the list `failed_figures` (`figure` and
    `reason`), and the report fails.

    Args:
        inputs: The files that it is made of.
        html: Receives one self-contained page: it embeds its images and loads nothing.
        json: Receives the same content as data, see `soco.report.schema.Report`.

    Raises:
        UserError: A file is missing or malformed, or a figure cannot be drawn.
    """
    store = read_table(inputs.store, PROPOSAL_SCHEMA)
    content = collect(inputs, store)
    page, failed = make_page(inputs, store, content)
    folder = html.parent / INCOMPLETE
    if failed:
        content["failed_figures"] = [vars(figure) for figure in failed]
        _write(page, content, folder / html.name, folder / json.name)
        raise UserError(
            "report.figures_failed",
            "{count} of the report could not be drawn: {figures}. The rest of the report is in"
            " {page}. Fix the cause, which the log gives in full, and run the same command again.",
            count="1 figure" if len(failed) == 1 else f"{len(failed)} figures",
            figures="; ".join(f"{figure.figure} ({figure.reason})" for figure in failed),
            page=folder / html.name,
        )
    _write(page, content, html, json)
    _remove(folder, html.name, json.name)
    print(f"Wrote {html} ({len(page) / 1e6:.1f} MB) and {json}.")


def make_page(
    inputs: ReportInputs, store: pa.Table, content: Mapping[str, Any]
) -> tuple[str, list[Undrawn]]:
    """Make the page of a report; it does not depend on the order of the content's keys.

    Args:
        inputs: The files that the figures are drawn from.
        store: The merged proposals, already read.
        content: The content of report.json.

    Returns:
        HTML, and the figures that are missing in it.

    Raises:
        UserError: A file that a figure is drawn from is missing or malformed.
    """
    drawer, read = Drawer(), read_back(content)
    return render(read, _images(inputs, store, read, drawer)), drawer.failed


def _images(
    inputs: ReportInputs, store: pa.Table, content: dict[str, Any], drawer: Drawer
) -> dict[str, Any]:
    """The images of the page by section; if there is one per run, set or task, also by its name."""
    draw, config, statistics = drawer.draw, inputs.config, content["quality"]["statistics"]
    source = open_source(ImagesConfig.model_validate(config["images"]))
    costs = stage_costs(content["resources"], content["jobs"])
    detected: dict[str, list[EvaluationFiles]] = {}
    for files in inputs.evaluations:
        if files.detections:
            detected.setdefault(files.task, []).append(files)

    recipes = {
        files.run: PretrainConfig.model_validate(config["pretrain"][files.run])
        for files in inputs.pretrain
    }

    def views(recipe: PretrainConfig) -> list[list[PageImage]]:
        return run_views(recipe, inputs.arrow, source, recipe.seed_or(config["seed"]))

    return {
        "curves": {
            run["run"]: draw(f"loss of {run['run']}", loss_figure, run)
            for run in content["pretraining"]
            if run["curve"]
        },
        "gallery": draw("gallery of proposals", proposal_gallery, store, source),
        "views": {
            run: draw(f"views of {run}", views, recipe)
            for run, recipe in recipes.items()
            if recipe.steps != 0  # a run of no steps saw none
        },
        "shapes": draw("number, size and shape of boxes", shape_figure, statistics),
        "without": draw("images without a proposal", without_figure, statistics),
        "recall": {
            entry["dataset"]: draw(f"recall on {entry['dataset']}", recall_figure, entry)
            for entry in content["quality"]["recall"]
        },
        "categories": {
            task["task"]: draw(f"AP by category of {task['task']}", category_figure, task)
            for task in content["results"]
            if task["categories"]
        },
        "training": {
            task["task"]: draw(f"AP during training of {task['task']}", ap_figure, task)
            for task in content["results"]
            if task["logged"]
        },
        "detections": {
            task: draw(f"detections of {task}", task_detections, files)
            for task, files in detected.items()
        },
        "cost": draw("cost", cost_figure, costs) if costs else None,
    }


def _write(page: str, content: dict[str, Any], html: Path, json: Path) -> None:
    write_json(json, content)
    with atomic_write(html) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _remove(folder: Path, *names: str) -> None:
    """Remove the files of an earlier attempt, and the folder if it is then empty."""
    if folder.is_dir():
        for name in names:
            (folder / name).unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()
