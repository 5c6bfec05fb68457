"""What a change reruns, and what it does not."""

import json

import pytest

PROPOSALS = {"filter_regions", "apply_fallbacks", "merge_proposals"}
AFTER = {
    "pretrain_model",
    "convert_weights",
    "finetune_detector",
    "evaluate_detector",
    "probe_backbone",
    "report",
}
QUALITY = {"describe_proposals", "measure_recall"}


def test_a_second_run_does_nothing(again):
    assert again.would_run("all") == set()


@pytest.mark.parametrize(
    ("section", "change", "expected"),
    [
        ("filter", {"strategy": "ratio2"}, PROPOSALS | QUALITY | AFTER),
        ("filter", {"fallbacks": ["none"]}, (PROPOSALS - {"filter_regions"}) | QUALITY | AFTER),
        ("images", {"max_skipped": 0.5}, {"merge_proposals"} | AFTER),
        ("proposals", {"scale": 200}, {"search_regions"} | PROPOSALS | QUALITY | AFTER),
        ("quality", {"images": 2}, {"measure_recall", "report"}),
        ("quality", {"engines": ["soco"]}, {"measure_recall", "report"}),
        ("quality", {"recall": []}, {"report"}),
        ("pretrain", {"soco": {"epochs": 3}}, AFTER),
        ("pretrain", {"soco": {"seed": 2}}, AFTER),
        ("pretrain", {"soco": {"seed": 1}}, {"report"}),  # the top-level seed
        ("finetune", {"shapes_coco": {"score_threshold": 0.3}}, {"evaluate_detector", "report"}),
        (
            "pretrain",
            {"soco": {"workers": 1, "log_every": 2, "max_without_proposals": 1.0}},
            {"report"},
        ),
        ("finetune", {"shapes_coco": {"workers": 1, "checkpoint_iterations": 3}}, {"report"}),
        ("finetune", {"shapes_lvis": {"seeds": [1]}}, {"report"}),
        ("images", {"known_as": "imagenet_1k"}, {"report"}),
        ("datasets", {"shapes_coco": {"known_as": "coco_2017"}}, {"report"}),
        (
            "datasets",
            {"shapes_lvis": {"max_train_images": 9}},
            {"check_dataset", "finetune_detector", "evaluate_detector", "report"},
        ),
        (
            "finetune",
            {"shapes_lvis": {"seeds": [2, 3]}},
            {"finetune_detector", "evaluate_detector", "report"},
        ),
        ("probes", {"shapes": {"neighbours": 3}}, {"probe_backbone", "report"}),
        ("probes", {"shapes": {"workers": 1}}, {"report"}),
        ("proposals", {"opencv_mode": "quality"}, {"report"}),
    ],
)
def test_a_change_reruns_what_depends_on_it_and_nothing_else(again, section, change, expected):
    overlay = again.overlay.setdefault(section, {})
    for key, value in change.items():
        overlay[key] = {**overlay.get(key, {}), **value} if isinstance(value, dict) else value
    assert again.would_run("all") - {"all"} == expected


def test_a_new_filter_and_more_epochs_train_again_without_a_search(copied, weights, differing):
    raw = {path: path.stat().st_mtime_ns for path in copied.path("proposals", "raw").iterdir()}
    before, trained = (
        json.loads(copied.path("proposals", "summary.json").read_text()),
        weights(copied),
    )
    copied.overlay["filter"] = {"strategy": "none"}
    copied.overlay["pretrain"]["soco"]["epochs"] = 3
    copied("pretrain")
    after = json.loads(copied.path("proposals", "summary.json").read_text())
    assert after["regions"] == before["regions"]
    assert after["proposals_after_filter"] > before["proposals_after_filter"]
    assert {
        path: path.stat().st_mtime_ns for path in copied.path("proposals", "raw").iterdir()
    } == raw
    assert json.loads(copied.path("pretrain", "soco", "metrics.json").read_text())["steps"] == 9
    assert differing(weights(copied), trained)


def test_another_number_of_shards_gives_the_same_store(copied):
    store = copied.path("proposals", "store.arrow").read_bytes()
    copied.overlay["images"]["shards"] = 1  # its file exists, with half of the images
    copied("proposals")
    assert {"shard_images", "search_regions", "merge_proposals"} <= copied.ran
    assert copied.path("proposals", "store.arrow").read_bytes() == store
    assert copied.would_run("proposals") - {"proposals"} == set()


def test_a_changed_set_is_checked_before_training(copied):
    path = copied.folder / "data/demo/shapes/coco_train.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["id"] = 0
    path.write_text(json.dumps(content))
    copied("results/datasets/shapes_coco/train.json")
    assert copied.ran == {"check_dataset"}
    assert "never matches 0" in copied.path("logs", "check_dataset", "shapes_coco.log").read_text()
    assert copied.would_run("all") - {"all"} == {"finetune_detector", "evaluate_detector", "report"}
    content["categories"][0]["id"] = "disc"
    path.write_text(json.dumps(content))
    printed = copied("finetune", succeeds=False)
    assert "Error: The detection set cannot be used." in printed
    assert "1 ('disc')" in printed
    assert "finetune_detector" not in copied.ran


def test_a_lost_shard_is_made_again(copied):
    store = copied.path("proposals", "store.arrow").read_bytes()
    for name in ("shards/0001.parquet", "proposals/raw/0001.parquet", "proposals/store.arrow"):
        copied.path(name).unlink()
    copied("proposals")
    assert copied.path("proposals", "store.arrow").read_bytes() == store
    assert copied.would_run("proposals") - {"proposals"} == set()
