"""Build the report from the files of a finished run."""

from pathlib import Path

from soco.config import PicturesConfig, PretrainConfig
from soco.pictures import open_source
from soco.report.ap_figures import ap_figure, category_figure
from soco.report.collect import collect
from soco.report.detections import task_detections
from soco.report.figures import cost_figure, loss_figure
from soco.report.gallery import proposal_gallery
from soco.report.html import Pictures, render
from soco.report.inputs import ReportInputs
from soco.report.quality_figures import recall_figure, shape_figure, without_figure
from soco.report.resources import stage_costs
from soco.report.views import run_views
from soco.stores.files import whole_file, write_json
from soco.stores.parquet import read_table
from soco.stores.schema import PROPOSAL_SCHEMA


def build_report(inputs: ReportInputs, html: Path, json: Path) -> None:
    """Write the report.

    Args:
        inputs: The files that it is made of.
        html: Receives one self-contained page: pictures are within it, and it loads nothing.
        json: Receives the same as data; `soco.report.collect.collect` documents its keys.

    Raises:
        UserError: A file is missing or holds something else than its stage writes.
    """
    store = read_table(inputs.store, PROPOSAL_SCHEMA)
    content = collect(inputs, store)
    source = open_source(PicturesConfig.model_validate(inputs.config["pictures"]))
    recipes = {run: PretrainConfig.model_validate(held) for run, held in inputs.config["pretrain"].items()}
    pictures = Pictures(
        curves={run["run"]: loss_figure(run) for run in content["pretraining"]},
        gallery=proposal_gallery(store, source),
        views=[
            run_views(files.run, recipes[files.run], inputs.arrow, source, inputs.config["seed"])
            for files in inputs.pretrain
        ],
        shapes=shape_figure(content["quality"]["statistics"]),
        without=without_figure(content["quality"]["statistics"]),
        recall={entry["dataset"]: recall_figure(entry) for entry in content["quality"]["recall"]},
        categories={task["task"]: category_figure(task) for task in content["results"] if task["categories"]},
        training={task["task"]: ap_figure(task) for task in content["results"] if task["logged"]},
        detections=task_detections(inputs.evaluations),
        cost=cost_figure(stage_costs(content["resources"])) if content["resources"] else None,
    )
    page = render(content, pictures)
    write_json(json, content)
    with whole_file(html) as temporary:
        temporary.write_text(page, encoding="utf-8")
    print(f"Wrote {html} ({len(page) / 1e6:.1f} MB) and {json}.")
