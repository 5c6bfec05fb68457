"""Runs in which there is little or nothing to draw: the page says so."""

import base64
import dataclasses
import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pyarrow as pa
import pytest

from soco.config import FilterConfig, ImagesConfig
from soco.data import open_source
from soco.data.stores.parquet import read_table, write_table
from soco.data.stores.schema import PROPOSAL_SCHEMA, RAW_SCHEMA, SKIPPED_SCHEMA, rect_columns
from soco.proposals.merge_stage import MergeJob, merge_shards
from soco.proposals.quality import describe_proposals
from soco.report.ap_figures import ap_figure, category_figure
from soco.report.drawing.training_curve import curve_of
from soco.report.figures import cost_figure, loss_figure
from soco.report.gallery import proposal_gallery


def is_drawn(image):
    svg = base64.b64decode(image.uri.split(",", 1)[1]).decode()
    return ElementTree.fromstring(svg).tag.endswith("svg") and "nan" not in image.alt


@pytest.fixture
def without_proposals(inputs, tmp_path):
    """Make the store of a search that found nothing on the first few images of the run."""

    def make(images):
        folder = tmp_path / "empty"
        fixed = read_table(inputs.store, PROPOSAL_SCHEMA).slice(0, images)
        none = [np.zeros((0, 4), np.int64)] * images
        columns = {name: fixed[name] for name in PROPOSAL_SCHEMA.names} | rect_columns(none)
        columns |= {"regions": [0] * images, "strategy": [""] * images}
        write_table(folder / "fixed.parquet", pa.table(columns, schema=PROPOSAL_SCHEMA))
        raw = {name: columns[name] for name in RAW_SCHEMA.names if name != "size"}
        sizes = pa.array([[]] * images, pa.list_(pa.int32()))
        write_table(folder / "raw.parquet", pa.table({**raw, "size": sizes}, schema=RAW_SCHEMA))
        write_table(
            folder / "none.parquet", pa.table({"key": [], "reason": []}, schema=SKIPPED_SCHEMA)
        )
        fixed_shard, skipped = [folder / "fixed.parquet"], [folder / "none.parquet"]
        files = {
            name: folder / name
            for name in ("store.parquet", "store.arrow", "skipped.parquet", "summary.json")
        }
        merge_shards(
            MergeJob(fixed_shard, fixed_shard, skipped, FilterConfig(), 0.0, *files.values())
        )
        describe_proposals(
            [folder / "raw.parquet"], [files["store.parquet"]], FilterConfig(), folder / "s.json"
        )
        names = ("store", "arrow", "skipped", "summary")
        return dict(zip(names, files.values(), strict=True)) | {"statistics": folder / "s.json"}

    return make


@pytest.mark.parametrize("images", [1, 5])
def test_a_run_without_any_proposal_has_an_empty_gallery_and_says_so(
    changed, without_proposals, build, parsed, tmp_path, images
):
    fields = without_proposals(images) | {
        "pretrain": (),
        "conversions": (),
        "evaluations": (),
        "recall": (),
    }
    content, page = build(changed(**fields), tmp_path)
    text = " ".join(parsed(page).text.split())
    assert content["proposals"]["proposals_per_image"]["largest"] == 0
    assert (
        "No image has a proposal, so the gallery is empty: training uses each whole image as its"
        " only box." in text
    )
    assert "smaller than filter.min_side, here 16 pixels" in text
    assert "could not be drawn" not in text and 'class="gallery"' not in page


def test_a_pretraining_on_images_without_proposals_shows_its_views(
    changed, without_proposals, build, tmp_path
):
    """The whole image is the one box."""
    fields = without_proposals(40) | {"evaluations": ()}
    _, page = build(changed(**fields), tmp_path)
    assert page.count("1 of its 1 boxes") == 2 * 3  # caption and alternative text of three images


def test_an_empty_gallery_is_a_list_of_none(without_proposals, inputs):
    store = read_table(without_proposals(3)["store"], PROPOSAL_SCHEMA)
    source = open_source(ImagesConfig.model_validate(inputs.config["images"]))
    assert proposal_gallery(store, source) == []


def test_a_gallery_whose_images_are_gone_says_so(changed, inputs, build, parsed, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    config = inputs.config | {
        "images": inputs.config["images"] | {"path": str(tmp_path / "elsewhere")}
    }
    _, page = build(changed(config=config, pretrain=(), evaluations=()), tmp_path)
    assert "None of the images chosen for the gallery could be read" in page


@pytest.mark.parametrize("losses", [[], [-1.5], [None], [None, None, -2.0], [-1.0, -2.0]])
def test_the_loss_of_few_steps_is_drawn(losses):
    lines = [{"step": step, "loss": loss, "lr": 0.1} for step, loss in enumerate(losses)]
    image = loss_figure({"run": "r", "curve": curve_of(lines), "loss_floor": -8})
    assert is_drawn(image)
    words = {
        0: "over steps, above",
        1: "steps, -1.50, above",
        2: "steps, from -1.00 to -2.00, above",
    }
    known = [loss for loss in losses[:: max(1, len(losses) - 1)] if loss is not None]
    assert (words[len(known)] if len(losses) != 3 else "over steps, -2.00, above") in image.alt


def test_a_pretraining_that_logged_nothing_has_a_sentence(changed, inputs, build, tmp_path):
    (tmp_path / "log.jsonl").write_text("")
    runs = (dataclasses.replace(inputs.pretrain[0], log=tmp_path / "log.jsonl"),)
    _, page = build(changed(pretrain=runs), tmp_path)
    assert "Its log has no steps." in page


def test_a_pretraining_of_no_steps_has_neither_curve_nor_views(
    changed, inputs, build, parsed, tmp_path
):
    (run,) = inputs.pretrain
    none = {"epochs": 0.0, "steps": 0, "final_loss": None, "images_per_second": None}
    metrics = json.loads(run.metrics.read_text()) | none | {"seconds": 0.0}
    (tmp_path / "log.jsonl").write_text("")
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    files = {"log": tmp_path / "log.jsonl", "metrics": tmp_path / "metrics.json"}
    config = json.loads(json.dumps(inputs.config))
    config["pretrain"]["soco"]["steps"] = 0
    runs = (dataclasses.replace(run, **files),)
    content, page = build(changed(config=config, pretrain=runs), tmp_path / "out")
    assert content["pretraining"][0]["curve"] == []
    text = " ".join(parsed(page).text.split())
    assert "its weights as they were drawn, no step" in text
    assert "Its steps are 0" in text and "Its log has no steps." not in text
    assert "#views" not in [link["href"] for link in parsed(page).all("a")]


def test_ap_that_was_never_scored_is_drawn_as_a_dash(changed, inputs, build, parsed, tmp_path):
    evaluations = []
    for number, files in enumerate(inputs.evaluations[:4]):
        metrics = json.loads(files.metrics.read_text())
        for part in ("box", "mask"):
            metrics[part] = dict.fromkeys(metrics[part])
        for category in metrics["per_category"].values():
            category |= {"box": None, "mask": None}
        (tmp_path / f"{number}.json").write_text(json.dumps(metrics))
        nothing = dict.fromkeys(("AP", "AP50", "AP75"))
        curve = [{"iteration": 110, "box": nothing, "mask": nothing}]
        (tmp_path / f"{number}.jsonl").write_text(
            "".join(json.dumps(line) + "\n" for line in curve)
        )
        (tmp_path / f"{number}_detections.json").write_text("[]")
        changes = {
            "metrics": f"{number}.json",
            "curve": f"{number}.jsonl",
            "detections": f"{number}_detections.json",
        }
        evaluations.append(
            dataclasses.replace(files, **{name: tmp_path / path for name, path in changes.items()})
        )
    content, page = build(changed(evaluations=tuple(evaluations)), tmp_path)
    assert all(is_drawn(draw(content["results"][0])) for draw in (category_figure, ap_figure))
    shown = parsed(page)
    assert "coco: soco has no box AP; scratch has no box AP." in " ".join(shown.text.split())
    assert len(shown.alts("scratch: nothing")) == 4 and shown.alts("disc not scored scratch")


def test_a_task_without_categories_or_points_is_drawn():
    summary = [{"label": "scratch"}, {"label": "soco"}]
    assert is_drawn(category_figure({"task": "t", "categories": [], "summary": summary}))
    curves = [{"label": label, "seeds": {}, "mean": []} for label in ("scratch", "soco")]
    assert is_drawn(ap_figure({"task": "t", "curves": curves}))


def test_one_stage_that_took_no_time_is_drawn():
    stage = {"stage": "data", "total_seconds": 0.0, "cpu_seconds": 0.0, "peak_rss_mb": 0.0}
    assert is_drawn(cost_figure([stage]))


def test_missing_validation_images_are_mentioned(changed, inputs, build, tmp_path):
    files = [dataclasses.replace(files, images=tmp_path / "gone") for files in inputs.evaluations]
    _, page = build(changed(evaluations=tuple(files)), tmp_path)
    assert page.count("None of the labelled images could be read.") == 2
