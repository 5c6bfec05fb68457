"""The report as a whole: its JSON against the inputs, its page against what a reader needs."""

import dataclasses
import json
import re

import pyarrow as pa
from user_errors import refused

from soco.data.stores.parquet import read_table, write_table
from soco.data.stores.schema import SKIPPED_SCHEMA


def test_json_has_the_stages_own_values(built, inputs):
    content, _ = built
    rows = {
        (row["task"], row["initialisation"], row["seed"]): row
        for task in content["results"]
        for row in task["rows"]
    }
    for files in inputs.evaluations:
        row = rows[files.task, files.initialisation, files.seed]
        assert content["artefacts"][row["artefact"]]["path"] == str(files.metrics)
        assert row == json.loads(files.metrics.read_text()) | {"artefact": row["artefact"]}
    assert content["proposals"]["counts"] == json.loads(inputs.summary.read_text())
    assert content["config"] == json.loads(json.dumps(inputs.config))
    assert (content["seed"], content["demo"]) == (1, True)


def test_json_has_the_pretraining_with_nan_as_null(built, inputs):
    run = built[0]["pretraining"][0]
    metrics = json.loads(inputs.pretrain[0].metrics.read_text())
    assert {key: run[key] for key in metrics if key != "more"} == {
        k: v for k, v in metrics.items() if k != "more"
    }
    assert (run["more"], run["pairs"], run["loss_floor"]) == (None, 2, -8)
    assert [point["step"] for point in run["curve"]] == list(range(5, 151, 5))


def test_json_has_conversion_and_loading(built):
    content, _ = built
    assert [
        (entry["run"], entry["kind"], entry["converted"]) for entry in content["conversion"]
    ] == [("soco", "fpn_head", 199), ("soco", "c4", 199)]
    keys = ("task", "initialisation", "seed")
    assert {
        tuple(entry[key] for key in keys): entry["taken"]["tensors"] for entry in content["loading"]
    } == {
        ("coco", "scratch", 1): 0,
        ("coco", "scratch", 2): 0,
        ("coco", "soco", 1): 199,
        ("coco", "soco", 2): 199,
        ("lvis", "scratch", 1): 0,
        ("lvis", "soco", 1): 199,
    }


def test_page_loads_nothing(built, parsed):
    page = parsed(built[1])
    for _, attrs in page.tags:
        assert not {"srcset", "poster", "data", "background"} & attrs.keys()
        assert (attrs.get("src") or "data:").startswith("data:")
    assert not page.all("script") and not page.all("link") and not page.all("iframe")
    assert all(re.match("#|https://", attrs["href"]) for attrs in page.all("a"))
    assert not re.search(r"url\(|@import", built[1])
    assert len(built[1]) < 3_000_000


def test_every_image_is_within_the_page_and_described(built, parsed):
    images = parsed(built[1]).all("img")
    # Loss, cost, shapes, images without proposals and recall; AP while training for one task and by
    # category for two; the gallery; three images with three views; four images of three columns for
    # each of two tasks.
    assert len(images) == 5 + 3 + 8 + 3 * (1 + 3) + 2 * 4 * 3
    assert all(attrs["src"].startswith("data:image/") and attrs["alt"].strip() for attrs in images)


def test_links_within_the_page_lead_somewhere(built, parsed):
    page = parsed(built[1])
    names = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    assert {attrs["href"][1:] for attrs in page.all("a") if attrs["href"].startswith("#")} <= names


def test_sections_follow_the_stages(built, parsed):
    page = parsed(built[1])
    words = "summary claim data proposals recall views pretraining loading training categories"
    ids = [*words.split(), "detections", "probes", "cost", "provenance", "audit"]
    assert [attrs["id"] for attrs in page.all("section")] == ids
    assert [attrs["href"][1:] for attrs in page.all("a") if attrs["href"].startswith("#")][
        : len(ids)
    ] == ids


def test_the_summary_says_what_was_trained_on_what(built, parsed):
    text = parsed(built[1]).text
    summary = text[text.index("are the embedded demo’s") : text.index("AP in percent")]
    counts = built[0]["proposals"]["counts"]
    for words in (
        f"{counts['images']} without labels from",
        f"{counts['proposals_after_fallbacks']:,}".replace(",", "\u202f") + ", ",
        "soco: ResNet-18-FPN, 10 epochs, 150 steps of 32 images, 3 min 34 s on cpu",
        (
            "coco: Mask R-CNN on shapes_coco, 6 labelled images, 220 iterations of 8 images;"
            " evaluated on 6 validation images with 12"
        ),
    ):
        assert words in summary


def test_an_audit_is_explained_with_its_command(built, inputs, parsed):
    text = parsed(built[1]).text
    assert f"soco audit {inputs.config['results']}/report/report.json" in text
    assert built[0]["redo"][-1] in text


def test_paper_rows_are_marked(built, parsed):
    text = parsed(built[1]).text
    assert text.count("Paper: SoCo*") == 3  # COCO, LVIS, and against COCO's scratch
    assert text.count("The paper’s results, not comparable with the rows above") == 2
    assert "43.2" in text and "R50-FPN" in text and "R50-C4" not in text


def test_the_demos_notice_is_the_demos_alone(built, changed, inputs, tmp_path, build):
    comparing = "The images and labels are the embedded demo’s."
    notice = "it shows that every stage works, not that pretraining helps"
    assert comparing in built[1] and notice not in built[1]
    one_seed = tuple(files for files in inputs.evaluations if files.task == "lvis")
    _, page = build(changed(evaluations=one_seed), tmp_path / "one")
    assert notice in page and comparing not in page
    content, page = build(changed(config=inputs.config | {"demo": None}), tmp_path)
    assert (
        not content["demo"]
        and notice not in page
        and comparing not in page
        and "comparable only under the same protocol" in page
    )


def test_recall_has_a_table_and_a_plot(built, inputs, parsed):
    content, page = built
    measured = json.loads(inputs.recall[0].recall.read_text())
    assert content["quality"]["recall"] == [measured | {"dataset": "shapes_coco"}]
    shown = parsed(page)
    assert "Recall of proposals" in shown.text and "8 objects in 4 images" in shown.text
    for entry in measured["engines"]:
        for kind in ("proposals", "regions"):
            for name in ("recall_50", "recall_70", "abo"):
                assert f"{entry[kind][name]['drawn'][1]:.3f}" in shown.text
                assert f"{entry[kind][name]['all']:.3f}" in shown.text
    assert [
        attrs
        for attrs in shown.all("img")
        if (attrs["alt"] or "").startswith("Lines on shapes_coco: recall")
    ]


def test_statistics_are_shown(built, inputs, parsed):
    content, page = built
    assert content["quality"]["statistics"] == json.loads(inputs.statistics.read_text())
    alts = [attrs["alt"] for attrs in parsed(page).all("img")]
    assert any(alt.startswith("Four histograms. Medians of regions") for alt in alts)
    assert any("after ratio3size0308" in alt and "after none" in alt for alt in alts)


def test_a_run_without_recall_has_no_such_section(changed, tmp_path, build):
    content, page = build(changed(recall=()), tmp_path)
    assert content["quality"]["recall"] == []
    assert 'id="recall"' not in page and 'href="#recall"' not in page and "Four histograms" in page


def test_skipped_images_are_listed(built, inputs, parsed):
    content, page = built
    rows = read_table(inputs.skipped, SKIPPED_SCHEMA).to_pylist()
    assert content["proposals"]["skipped"] == 2
    assert content["proposals"]["skipped_first"] == rows
    assert all(
        row["key"] in parsed(page).text and row["reason"] in parsed(page).text for row in rows
    )


def test_of_many_skipped_images_the_first_are_listed(changed, tmp_path, build):
    rows = [{"key": f"{number:03d}.png", "reason": "empty"} for number in range(60)]
    write_table(tmp_path / "skipped.parquet", pa.Table.from_pylist(rows, schema=SKIPPED_SCHEMA))
    content, page = build(changed(skipped=tmp_path / "skipped.parquet"), tmp_path)
    assert (content["proposals"]["skipped"], len(content["proposals"]["skipped_first"])) == (60, 50)
    assert "60 skipped images, the first 50" in page and "049.png" in page and "050.png" not in page


def test_special_characters_are_escaped(built, changed, inputs, tmp_path, parsed, build):
    assert "<b>one" not in built[1]
    hostile = '"><script>alert("$x$")</script>'
    evaluations = tuple(
        dataclasses.replace(files, initialisation=hostile) for files in inputs.evaluations[:1]
    )
    _, page = build(changed(evaluations=evaluations), tmp_path)
    assert "<script" not in page
    assert hostile in parsed(page).text


def test_a_run_of_nothing_but_proposals_is_reported(changed, tmp_path, build):
    empty = changed(pretrain=(), conversions=(), evaluations=(), origins=())
    content, page = build(empty, tmp_path)
    assert content["results"] == content["pretraining"] == content["resources"] == []
    assert "has no pretraining" in page and "no job records" in page


def test_a_missing_file_is_named(changed, tmp_path, build):
    with refused("report.file_missing", path=tmp_path / "gone.json"):
        build(changed(summary=tmp_path / "gone.json"), tmp_path)
