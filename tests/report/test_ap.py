"""AP on the page: tables, categories and curves."""

import base64
import dataclasses
import json
import re

import pytest
from user_errors import refused

from soco.report.ap_figures import ap_figure, category_figure
from soco.report.paper import PAPER_ROWS, paper_rows
from soco.report.protocol import value_words
from soco.report.results import by_category, curve_lines, read_curve, task_results, was_logged
from soco.report.schema import Report
from soco.report.seed_statistics import grouped, summarise
from soco.report.tables import ap_table

PAPER = {"paper": {key: {"rows": [], "protocol": ""} for key in ("coco", "lvis")}, "findings": []}


def svg_of(image):
    return base64.b64decode(image.uri.split(",", 1)[1]).decode()


def point(iteration, box, mask=1.0):
    return {"iteration": iteration, "box": {"AP": box, "AP50": 0, "AP75": 0}, "mask": {"AP": mask}}


def write(path, *points):
    path.write_text("".join(json.dumps(line) + "\n" for line in points))
    return path


@pytest.fixture
def evaluations(inputs, metrics, tmp_path):
    """Make the evaluations of one task.

    `(initialisation, seed, box AP, curve, changes of the protocol)` each.
    """

    def make(*runs, form="coco"):
        found = []
        for init, seed, ap, curve, protocol in runs:
            path = tmp_path / f"{init}-{seed}"
            row = metrics(
                "t", init, seed, {"AP": ap, "AP50": ap + 20, "AP75": ap + 5}, form, **protocol
            )
            path.with_suffix(".json").write_text(json.dumps(row))
            files = {
                "metrics": path.with_suffix(".json"),
                "curve": write(path.with_suffix(".jsonl"), *curve),
            }
            named = {"task": "t", "initialisation": init, "seed": seed, "detections": None}
            found.append(dataclasses.replace(inputs.evaluations[0], **named, **files))
        return tuple(found)

    return make


def test_mean_and_deviation_are_in_the_table(evaluations, build, parsed, changed, tmp_path):
    # 42.5 and 43.5: mean 43, deviation 1 / sqrt(2) = 0.707.
    runs = ("scratch", 1, 31.0, (), {}), ("soco", 1, 42.5, (), {}), ("soco", 2, 43.5, (), {})
    content, page = build(changed(evaluations=evaluations(*runs)), tmp_path)
    text = parsed(page).text
    assert re.search(
        r"soco\s*43\.00 ± 0\.71\s+63\.00 ± 0\.71\s+48\.00 ± 0\.71\s+41\.00 ± 0\.71", text
    )
    assert re.search(r"scratch\s*31\.0\s+51\.0\s+36\.0\s+29\.0", text)
    words = (
        "coco_fpn_1x, changed: base_lr 0.08, iterations 220 · fpn, 4 conv + 1 fc, SyncBN over 1"
        " process"
    )
    assert f"2 seeds: 1, 2 · {words}" in text and f"seed 1 · {words}" in text
    assert "deviation over fine-tuning seeds, which all share one pretraining" in text
    summary = {entry["initialisation"]: entry for entry in content["results"][0]["summary"]}
    assert summary["soco"]["box"]["AP"] == {"mean": 43.0, "std": pytest.approx(0.5**0.5)}
    assert [row["seed"] for row in content["results"][0]["rows"]] == [1, 1, 2]
    assert "weight_decay" in text and "precise_bn_batches" in text


@pytest.mark.parametrize(("form", "standard"), [("coco", 100), ("lvis", 300)])
def test_a_limit_other_than_the_formats_is_mentioned(evaluations, form, standard):
    def table(limit):
        task = task_results(
            evaluations(("soco", 1, 42.5, (), {"detections_per_image": limit}), form=form)
        )[0]
        return ap_table(task | {"format": form}, PAPER)

    own = f"where {form.upper()}'s own evaluation counts {standard}."
    for limit in (standard // 2, 5 * standard):
        sentence = f"AP counts at most {limit} detections per image (`detections_per_image`), {own}"
        assert table(limit)["limits"] == [sentence]
        assert (
            f"at most {value_words(limit)} detections per image"
            in table(limit)["lines"][0]["words"][-1]
        )
    assert table(standard)["limits"] == []


def test_more_objects_than_detections_are_mentioned_on_the_page(
    evaluations, build, parsed, changed, tmp_path
):
    files = evaluations(("soco", 1, 42.5, (), {}), ("soco", 2, 43.5, (), {}))
    for each in files:
        row = json.loads(each.metrics.read_text())
        each.metrics.write_text(json.dumps(row | {"over_limit": {"images": 2, "most": 31}}))
    content, page = build(changed(evaluations=files), tmp_path)
    text = parsed(page).text
    sentence = (
        "2 of 6 validation images have more than 20 objects, up to 31, so AP cannot reach 100;"
        " raise finetune.t.detections_per_image to report them all."
    )
    assert text.count(sentence) == 1
    assert (
        "AP counts at most 20 detections per image (detections_per_image), where COCO's own" in text
    )
    Report.model_validate(content)


def test_an_ap_of_0_is_a_number_and_no_objects_are_a_dash(
    evaluations, metrics, build, parsed, changed, tmp_path
):
    (files,) = evaluations(("soco", 1, 0.0, (), {}))
    found = {"AP": 0.0, "AP50": 0.0, "AP75": 0.0, "APs": None}
    files.metrics.write_text(
        json.dumps(metrics("t", "soco", 1, found) | {"mask": dict.fromkeys(found)})
    )
    _, page = build(changed(evaluations=(files,)), tmp_path)
    text = parsed(page).text
    assert re.search(r"soco\s*0\.0\s+0\.0\s+0\.0\s+–\s+–\s+–", text)
    assert "t: soco reaches box AP 0.0." in text
    assert "a dash means no such objects." in text


def test_seeds_with_different_protocols_are_not_averaged(
    evaluations, build, parsed, changed, tmp_path
):
    runs = (
        ("soco", 1, 42.5, (), {}),
        ("soco", 2, 43.5, (), {"base_lr": 0.02, "changed": {"rois_per_image": 32}}),
    )
    _, page = build(changed(evaluations=evaluations(*runs)), tmp_path)
    text = parsed(page).text
    assert "The seeds of soco have different protocols and are not averaged: " in text
    assert "not averaged: base_lr 0.08 and 0.02; rois_per_image – and 32." in text
    assert re.search(r"soco, seed 1\s*42\.5\s", text) and re.search(r"soco, seed 2\s*43\.5\s", text)
    assert "±" not in text


def test_the_papers_detector_follows_the_protocol(evaluations, built):
    task = task_results(
        evaluations(("soco", 1, 30.0, (), {"architecture": "c4", "head": "res5 + norm"}))
    )[0]
    table = ap_table(task, built[0] | {"findings": []})
    assert {row["detector"] for row in table["paper_rows"]} == {"R50-C4"}
    assert table["paper_rows"][0]["box"]["AP"] == {"mean": 26.4, "std": None}
    assert {
        row["detector"] for row in ap_table(built[0]["results"][0], built[0])["paper_rows"]
    } == {"R50-FPN"}


def test_categories_are_means_over_the_seeds(metrics):
    rows = [metrics("t", "soco", seed, {"AP": 1.0}, "lvis") for seed in (1, 2)]
    found = by_category(grouped(rows))
    # The fixture: disc, ring, star have 2, 4, 6 instances and box AP 0, 10, 20 plus the seed; no
    # mask AP for star.
    assert [(entry["category"], entry["instances"], entry["frequency"]) for entry in found] == [
        ("star", 6, "f"),
        ("ring", 4, "c"),
        ("disc", 2, "r"),
    ]
    assert (
        found[0]["ap"] == {"soco": {"box": 21.5, "mask": None}}
        and found[1]["ap"]["soco"]["mask"] == 5.0
    )


def test_of_many_categories_those_with_the_most_instances_are_shown(built, metrics):
    row = metrics("many", "soco", 1, {"AP": 1.0})
    row["per_category"] = {
        f"thing {n:03d}": {"box": 1.0 * n, "mask": None, "instances": n} for n in range(205)
    }
    groups = grouped([row])
    task = {"task": "many", "dataset": "d", "format": "coco", "categories": by_category(groups)}
    task |= {
        "summary": [summarise(group) for group in groups],
        "differences": [],
        "paired": [],
        "rows": groups[0].rows,
    }
    svg = svg_of(category_figure(task))
    assert "thing 204" in svg and "thing 175" in svg and "thing 174" not in svg
    table = ap_table(task, built[0])
    assert (table["drawn"], len(table["listed"]), table["left"]) == (30, 200, 5)
    assert table["listed"][-1]["category"] == "thing 005"


def test_every_initialisation_is_in_the_category_figure_and_table(built, parsed):
    content, page = built
    shown = parsed(page)
    alt = shown.alts("Dots of coco, box AP by category")[0]
    assert "star 21.5 scratch, 21.5 soco; ring 11.5 scratch, 11.5 soco; disc 1.5 scratch" in alt
    assert "lvis: box AP of its 3 categories, sorted by number of labelled objects." in shown.text
    assert re.search(r"star\s*6\s*frequent\s*21\.0\s*–", shown.text)
    task = content["results"][0]
    svg = svg_of(category_figure(task))
    assert "scratch" in svg and "soco" in svg and "currentColor" in svg


def test_a_curve_ends_in_the_final_ap(metrics, tmp_path):
    row = metrics("t", "soco", 1, {"AP": 9.0})
    # Logged twice: the later line counts. Beyond the end or at it: the evaluation counts.
    path = write(
        tmp_path / "ap.jsonl",
        point(110, 1.0),
        point(165, 2.0),
        point(110, 5.0, 4.0),
        point(220, 7.0),
    )
    assert read_curve(path, row) == [
        {"iteration": 110, "box": 5.0, "mask": 4.0},
        {"iteration": 165, "box": 2.0, "mask": 1.0},
        {"iteration": 220, "box": 9.0, "mask": 7.0},
    ]
    assert read_curve(None, row) == [{"iteration": 220, "box": 9.0, "mask": 7.0}]
    with refused("report.curve_without_ap", path=tmp_path / "bad.jsonl"):
        read_curve(write(tmp_path / "bad.jsonl", {"iteration": 110}), row)


def test_lines_are_means_where_every_seed_was_measured(evaluations):
    first, second = (point(110, 4.0), point(165, 8.0)), (point(110, 5.0),)
    (task,) = task_results(evaluations(("soco", 1, 10.0, first, {}), ("soco", 2, 11.0, second, {})))
    (line,) = task["curves"]
    assert task["logged"] and line["mean"] == [
        {"iteration": 110, "box": 4.5, "mask": 1.0},
        {"iteration": 220, "box": 10.5, "mask": 8.5},
    ]
    assert [len(points) for points in line["seeds"].values()] == [3, 2]
    image = ap_figure(task)
    assert "soco from 4.5 at 110 to 10.5 at 220" in image.alt
    assert "box AP" in svg_of(image) and "mask AP" in svg_of(image)


def test_a_single_point_is_not_a_curve(metrics):
    groups = grouped([metrics("t", "soco", 1, {"AP": 9.0})])
    assert not was_logged(curve_lines(groups, [[[{"iteration": 220, "box": 9.0, "mask": 7.0}]]]))


def test_a_task_without_a_curve_says_how_to_get_one(built, parsed):
    content, page = built
    shown = parsed(page)
    assert {task["task"]: task["logged"] for task in content["results"]} == {
        "coco": True,
        "lvis": False,
    }
    assert len(shown.alts("Lines of coco, box AP against iterations")) == 1
    assert not shown.alts("Lines of lvis, box AP against iterations")
    assert "The AP of lvis was measured only at the end" in shown.text
    assert (
        "finetune.lvis.evaluate_every" in shown.text
        and "finetune.coco.evaluate_every" not in shown.text
    )


def test_rows_are_the_papers_tables():
    counts = {(row.format, row.detector) for row in PAPER_ROWS}
    assert len(PAPER_ROWS) == 11 and len(counts) == 3
    assert all(
        figures[0] < 50 and figures[1] > figures[0]
        for row in PAPER_ROWS
        for figures in (row.box, row.mask)
    )


def test_rows_are_spelled_as_metrics_are():
    supervised, star = paper_rows("lvis")
    assert supervised["box"] == {"AP": 20.4, "AP50": 32.9, "AP75": 21.7}
    assert (star["initialisation"], star["epochs"], star["mask"]["AP"]) == ("SoCo*", 400, 25.0)
