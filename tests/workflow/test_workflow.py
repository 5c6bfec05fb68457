import copy
import json
import re

import pyarrow.parquet as pq
import pytest
import safetensors

SEARCH = {"demo_data", "shard_pictures", "search_regions"}
PROPOSALS = {"filter_regions", "fix_up_proposals", "merge_proposals"}
AFTER = {"pretrain_model", "convert_weights", "finetune_detector", "evaluate_detector", "report"}


@pytest.fixture
def again(finished):
    """The finished run, with an overlay that a test may change."""
    kept = copy.deepcopy(finished.overlay)
    yield finished
    finished.overlay = kept


def test_the_whole_line_ends_in_an_ap_and_a_report(finished):
    report = json.loads(finished.path("report", "report.json").read_text())
    html = finished.path("report", "report.html").read_text()
    for task, initialisation in (("coco", "scratch"), ("coco", "soco"), ("lvis", "soco")):
        metrics = json.loads(finished.path("evaluate", task, initialisation, "metrics.json").read_text())
        assert metrics["images"] == 6
        for part in ("box", "mask"):
            assert {"AP", "AP50", "AP75"} <= set(metrics[part])
            assert 0 <= metrics[part]["AP50"] <= 100
        assert f"{task}" in json.dumps(report)
    assert "APr" in json.loads(finished.path("evaluate", "lvis", "soco", "metrics.json").read_text())["box"]
    assert "composed" in html


def test_every_rule_leaves_a_log_and_a_benchmark(finished):
    rules = {"demo_data", *SEARCH, *PROPOSALS, *AFTER}
    for kind in ("logs", "benchmarks"):
        assert {path.stem for path in finished.path(kind).iterdir()} == rules


def test_pretraining_reaches_the_detector(finished):
    loading = json.loads(finished.path("finetune", "coco", "soco", "loading.json").read_text())
    printed = finished.path("logs", "finetune_detector", "coco_soco.log").read_text()
    assert str(loading["taken"]["tensors"]) in printed
    with safetensors.safe_open(finished.path("pretrain", "soco", "weights.safetensors"), "np") as weights:
        assert json.loads(weights.metadata()["soco"])["run"] == "soco"


def test_a_second_run_does_nothing(again):
    assert again.would_run("all") == set()


@pytest.mark.parametrize(
    ("section", "change", "expected"),
    [
        ("filter", {"strategy": "ratio2"}, PROPOSALS | AFTER),
        ("filter", {"fallbacks": ["none"]}, (PROPOSALS - {"filter_regions"}) | AFTER),
        ("pictures", {"max_skipped": 0.5}, {"merge_proposals"} | AFTER),
        ("proposals", {"scale": 200}, {"search_regions"} | PROPOSALS | AFTER),
        ("pretrain", {"soco": {"epochs": 3}}, AFTER),
        ("finetune", {"coco": {"score_threshold": 0.3}}, {"evaluate_detector", "report"}),
    ],
)
def test_a_change_reruns_what_depends_on_it_and_nothing_else(again, section, change, expected):
    overlay = again.overlay.setdefault(section, {})
    for key, value in change.items():
        overlay[key] = {**overlay.get(key, {}), **value} if isinstance(value, dict) else value
    assert again.would_run("all") - {"all"} == expected


def test_a_new_filter_searches_nothing_again(again):
    raw = {path: path.stat().st_mtime_ns for path in again.path("proposals", "raw").iterdir()}
    before = json.loads(again.path("proposals", "summary.json").read_text())
    again.overlay["filter"] = {"strategy": "none"}
    again("proposals")
    after = json.loads(again.path("proposals", "summary.json").read_text())
    assert after["regions"] == before["regions"]
    assert after["proposals_after_filter"] > before["proposals_after_filter"]
    assert {path: path.stat().st_mtime_ns for path in again.path("proposals", "raw").iterdir()} == raw


@pytest.mark.parametrize(
    ("target", "last"),
    [
        ("shards", "shard_pictures"),
        ("proposals", "merge_proposals"),
        ("pretrain", "pretrain_model"),
        ("convert", "convert_weights"),
        ("finetune", "evaluate_detector"),
        ("report", "report"),
    ],
)
def test_every_stage_is_a_target(workflow, target, last):
    rules = workflow.would_run(target)
    assert last in rules
    assert ("report" in rules) == (target == "report")


def test_an_unknown_key_is_told_with_the_nearest(workflow):
    workflow.overlay["pretrain"]["soco"]["epoch"] = 3
    printed = workflow("all", succeeds=False)
    assert "no key 'pretrain.soco.epoch'; did you mean 'epochs'?" in printed


def test_missing_data_are_told_before_anything_starts(workflow):
    workflow.overlay["datasets"] = {"shapes_coco": {"val": {"annotations": "/absent/val.json"}}}
    printed = workflow("all", succeeds=False)
    assert "There is no /absent/val.json, which the key datasets.shapes_coco.val.annotations names" in printed
    assert not workflow.path().exists()
    assert "evaluate_detector" not in workflow.would_run("proposals")


def test_unreadable_pictures_are_skipped_counted_and_listed(workflow, folder_of_pictures):
    workflow.overlay["pictures"] |= {"path": str(folder_of_pictures), "max_skipped": 0.5}
    workflow("proposals")
    skipped = pq.read_table(workflow.path("proposals", "skipped.parquet"))["key"].to_pylist()
    assert skipped == ["e_empty.jpg", "f_cut.jpg"]
    assert json.loads(workflow.path("proposals", "summary.json").read_text())["skipped"] == 2


def test_too_many_unreadable_pictures_stop_with_one_sentence(workflow, folder_of_pictures):
    workflow.overlay["pictures"] |= {"path": str(folder_of_pictures), "max_skipped": 0.1}
    printed = workflow("proposals", succeeds=False)
    assert re.search(r"Error: 2 of 7 pictures could not be read, more than pictures\.max_skipped = 0\.1", printed)
    assert "Traceback" not in printed
