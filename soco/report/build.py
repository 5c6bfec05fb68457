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
from soco.report.drawn import Drawer, Undrawn
from soco.report.figures import cost_figure, loss_figure
from soco.report.gallery import proposal_gallery
from soco.report.html import PageImages, render
from soco.report.inputs import ReportInputs
from soco.report.quality_figures import recall_figure, shape_figure, without_figure
from soco.report.reading import read_back
from soco.report.resources import stage_costs
from soco.report.views import run_views

INCOMPLETE = "incomplete"
"""Folder beside the report that receives a page with figures missing.

Snakemake removes the outputs of a failed job.
"""


def build_report(inputs: ReportInputs, html: Path, json: Path) -> None:
    """Write the report.

    A figure that cannot be drawn is replaced by its reason. Then page and data are written to the
    folder `incomplete` beside `html`, the data with the list `failed_figures` (`figure` and
    `reason` of each), and the report fails.

    Args:
        inputs: The files that it is made of.
        html: Receives one self-contained page: images are within it, and it loads nothing.
        json: Receives the same as data; `soco.report.collect.collect` documents its keys.

    Raises:
        UserError: A file is missing or holds something else than its stage writes, or a figure
            cannot be drawn.
    """
    store = read_table(inputs.store, PROPOSAL_SCHEMA)
    content = collect(inputs, store)
    page, failed = make_page(inputs, store, content)
    folder = html.parent / INCOMPLETE
    if failed:
        content["failed_figures"] = [figure.data() for figure in failed]
        _write(page, content, folder / html.name, folder / json.name)
        raise UserError(_said(failed, folder / html.name))
    _write(page, content, html, json)
    _remove(folder, html.name, json.name)
    print(f"Wrote {html} ({len(page) / 1e6:.1f} MB) and {json}.")


def make_page(
    inputs: ReportInputs, store: pa.Table, content: Mapping[str, Any]
) -> tuple[str, list[Undrawn]]:
    """Make the page of a report: the same files and content give the same page, in whatever order
    its keys are.

    Args:
        inputs: The files that the figures are drawn from.
        store: The merged proposals, already read.
        content: What `report.json` holds.

    Returns:
        HTML, and the figures that are missing in it.

    Raises:
        UserError: A file that a figure is drawn from is missing or holds something else.
    """
    drawer, told = Drawer(), read_back(content)
    return render(told, _images(inputs, store, told, drawer)), drawer.failed


def _images(
    inputs: ReportInputs, store: pa.Table, content: dict[str, Any], drawer: Drawer
) -> PageImages:
    draw, quality, results = drawer.draw, content["quality"], content["results"]
    source = open_source(ImagesConfig.model_validate(inputs.config["images"]))
    recipes = {
        run: PretrainConfig.model_validate(held) for run, held in inputs.config["pretrain"].items()
    }
    seed, tasks = (
        inputs.config["seed"],
        dict.fromkeys(files.task for files in inputs.evaluations if files.detections),
    )
    return PageImages(
        curves={
            run["run"]: draw(f"loss of {run['run']}", loss_figure, run)
            for run in content["pretraining"]
            if run["curve"]
        },
        gallery=draw("gallery of proposals", proposal_gallery, store, source),
        views=[
            draw(
                f"views of {files.run}",
                run_views,
                files.run,
                recipes[files.run],
                inputs.arrow,
                source,
                seed,
            )
            for files in inputs.pretrain
        ],
        shapes=draw("number, size and shape of boxes", shape_figure, quality["statistics"]),
        without=draw("images without a proposal", without_figure, quality["statistics"]),
        recall={
            entry["dataset"]: draw(f"recall on {entry['dataset']}", recall_figure, entry)
            for entry in quality["recall"]
        },
        categories={
            task["task"]: draw(f"AP by category of {task['task']}", category_figure, task)
            for task in results
            if task["categories"]
        },
        training={
            task["task"]: draw(f"AP while training of {task['task']}", ap_figure, task)
            for task in results
            if task["logged"]
        },
        detections=[
            draw(
                f"detections of {task}",
                task_detections,
                [of for of in inputs.evaluations if of.task == task],
            )
            for task in tasks
        ],
        cost=draw("cost", cost_figure, stage_costs(content["resources"]))
        if content["resources"]
        else None,
    )


def _write(page: str, content: dict[str, Any], html: Path, json: Path) -> None:
    write_json(json, content)
    with atomic_write(html) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _said(failed: list[Undrawn], page: Path) -> str:
    names = "; ".join(f"{one.figure} ({one.reason})" for one in failed)
    count = "1 figure" if len(failed) == 1 else f"{len(failed)} figures"
    return (
        f"{count} of the report could not be drawn: {names}; all else is kept in {page}: remove the"
        " cause, which the log tells in full, and run the same command again."
    )


def _remove(folder: Path, *names: str) -> None:
    """Remove what an earlier attempt left."""
    if folder.is_dir():
        for name in names:
            (folder / name).unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()
