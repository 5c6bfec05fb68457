"""The demo's whole line, from images to an AP and a report."""

import json

import safetensors

RULES = {
    *(
        "demo_data",
        "check_dataset",
        "shard_images",
        "search_regions",
        "filter_regions",
        "apply_fallbacks",
    ),
    *(
        "merge_proposals",
        "describe_proposals",
        "measure_recall",
        "pretrain_model",
        "convert_weights",
    ),
    *("finetune_detector", "evaluate_detector", "probe_backbone", "report"),
}


def test_the_whole_line_ends_in_an_ap_and_a_report(finished):
    report = json.loads(finished.path("report", "report.json").read_text())
    rows = [row for task in report["results"] for row in task["rows"]]
    reported = {(row["task"], row["initialisation"], row["seed"]): row for row in rows}
    coco, lvis = "shapes_coco", "shapes_lvis"
    assert set(reported) == {
        (coco, "scratch", 1),
        (coco, "soco", 1),
        (lvis, "soco", 1),
        (lvis, "soco", 2),
    }
    for (task, initialisation, seed), row in reported.items():
        metrics = json.loads(
            finished.path("evaluate", task, initialisation, f"seed_{seed}/metrics.json").read_text()
        )
        assert metrics["protocol"]["seed"] == seed
        assert metrics["images"] == 6
        for part in ("box", "mask"):
            assert metrics[part] == row[part]
            assert {"AP", "AP50", "AP75"} <= set(metrics[part])
            assert metrics[part]["AP50"] is None or 0 <= metrics[part]["AP50"] <= 100
    recall = json.loads(finished.path("quality", "recall", "shapes_coco.json").read_text())
    assert recall.pop("origin")["rule"] == "measure_recall"
    assert recall["images"] == 3
    assert report["quality"]["recall"] == [recall | {"dataset": "shapes_coco"}]
    assert report["quality"]["statistics"]["images"] == report["proposals"]["counts"]["images"]
    assert (
        report["quality"]["statistics"]["regions"]["boxes"]
        == report["proposals"]["counts"]["regions"]
    )
    assert "APr" in reported["shapes_lvis", "soco", 1]["box"]
    assert "embedded demo" in finished.path("report", "report.html").read_text()


def test_every_rule_leaves_a_log_and_a_benchmark(finished):
    for kind in ("logs", "benchmarks"):
        assert {path.stem for path in finished.path(kind).iterdir()} == RULES
        files = [path for path in finished.path(kind).rglob("*.*") if path.is_file()]
        assert [
            path.name for path in files if kind == "benchmarks" and not path.stat().st_size
        ] == []
    assert finished.path("logs", "demo_data.log").read_text()


def test_a_detection_set_without_faults_is_used_byte_for_byte(finished):
    for name, form in (("shapes_coco", "coco"), ("shapes_lvis", "lvis_v1")):
        for half in ("train", "val"):
            given = finished.folder / "data/demo/shapes" / f"{form}_{half}.json"
            assert (
                finished.path("datasets", name, f"{half}.json").read_bytes() == given.read_bytes()
            )


def test_pretraining_reaches_the_detector(finished):
    loading = json.loads(
        finished.path("finetune", "shapes_coco", "soco", "seed_1", "loading.json").read_text()
    )
    printed = finished.path("logs", "finetune_detector", "shapes_coco", "soco", "1.log").read_text()
    carried = ("backbone.bottom_up.", "backbone.fpn_", "roi_heads.box_head.")
    assert loading["taken"]["tensors"] > 100
    assert not [name for name in loading["fresh_names"] if name.startswith(carried)]
    assert all(name in printed for name in loading["fresh_names"])
    with safetensors.safe_open(
        finished.path("pretrain", "soco", "weights.safetensors"), "np"
    ) as weights:
        metadata = json.loads(weights.metadata()["soco"])
        assert metadata["run"] == metadata["origin"]["wildcards"]["run"] == "soco"


def test_a_pretrained_backbone_is_probed(finished):
    found = json.loads(finished.path("probe", "shapes", "soco", "metrics.json").read_text())
    assert (found["probe"], found["initialisation"]) == ("shapes", "soco")
    assert (found["backbone"], found["classes"]) == ("resnet18", 6)
    for half, count in found["images"].items():
        assert (
            count == len(list((finished.folder / "data/demo/classes" / half).rglob("*.png"))) >= 10
        )
    assert 0 <= found["knn"]["top1"] <= 100
    log = finished.path("logs", "probe_backbone", "shapes", "soco.log").read_text()
    assert f"linear  top-1 {found['linear']['top1']:.1f} %" in log
