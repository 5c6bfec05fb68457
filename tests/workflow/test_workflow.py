import copy
import json
import os
import re
import shutil
import signal
import time

import pyarrow.parquet as pq
import pytest
import safetensors
import safetensors.numpy
import torch
import torchvision
from PIL import Image

SEARCH = {"demo_data", "shard_pictures", "search_regions"}
PROPOSALS = {"filter_regions", "fix_up_proposals", "merge_proposals"}
AFTER = {"pretrain_model", "convert_weights", "finetune_detector", "evaluate_detector", "probe_backbone", "report"}
QUALITY = {"describe_proposals", "measure_recall"}


@pytest.fixture
def again(finished):
    """The finished run, with an overlay that a test may change."""
    kept = copy.deepcopy(finished.overlay)
    yield finished
    finished.overlay = kept


def test_the_whole_line_ends_in_an_ap_and_a_report(finished):
    report = json.loads(finished.path("report", "report.json").read_text())
    rows = [row for task in report["results"] for row in task["rows"]]
    reported = {(row["task"], row["initialisation"], row["seed"]): row for row in rows}
    coco, lvis = "shapes_coco", "shapes_lvis"
    assert set(reported) == {(coco, "scratch", 1), (coco, "soco", 1), (lvis, "soco", 1), (lvis, "soco", 2)}
    for (task, initialisation, seed), row in reported.items():
        metrics = json.loads(finished.path("evaluate", task, initialisation, f"seed_{seed}/metrics.json").read_text())
        assert metrics["protocol"]["seed"] == seed
        assert metrics["images"] == 6
        for part in ("box", "mask"):
            assert metrics[part] == row[part]
            assert {"AP", "AP50", "AP75"} <= set(metrics[part])
            assert metrics[part]["AP50"] is None or 0 <= metrics[part]["AP50"] <= 100
    recall = json.loads(finished.path("quality", "recall", "shapes_coco.json").read_text())
    assert recall.pop("origin")["rule"] == "measure_recall"
    assert recall["pictures"] == 3
    assert report["quality"]["recall"] == [recall | {"dataset": "shapes_coco"}]
    assert report["quality"]["statistics"]["pictures"] == report["proposals"]["counts"]["pictures"]
    assert report["quality"]["statistics"]["regions"]["boxes"] == report["proposals"]["counts"]["regions"]
    assert "APr" in reported["shapes_lvis", "soco", 1]["box"]
    assert "composed" in finished.path("report", "report.html").read_text()


def test_every_rule_leaves_a_log_and_a_benchmark(finished):
    rules = {"demo_data", "check_dataset", *SEARCH, *PROPOSALS, *QUALITY, *AFTER}
    for kind in ("logs", "benchmarks"):
        assert {path.stem for path in finished.path(kind).iterdir()} == rules
        files = [path for path in finished.path(kind).rglob("*.*") if path.is_file()]
        assert [path.name for path in files if kind == "benchmarks" and not path.stat().st_size] == []
    assert finished.path("logs", "demo_data.log").read_text()


def test_a_sound_detection_set_is_used_byte_for_byte(finished):
    for name, form in (("shapes_coco", "coco"), ("shapes_lvis", "lvis_v1")):
        for half in ("train", "val"):
            given = finished.folder / "data/demo/shapes" / f"{form}_{half}.json"
            assert finished.path("datasets", name, f"{half}.json").read_bytes() == given.read_bytes()


def test_pretraining_reaches_the_detector(finished):
    loading = json.loads(finished.path("finetune", "shapes_coco", "soco", "seed_1", "loading.json").read_text())
    printed = finished.path("logs", "finetune_detector", "shapes_coco", "soco", "1.log").read_text()
    carried = ("backbone.bottom_up.", "backbone.fpn_", "roi_heads.box_head.")
    assert loading["taken"]["tensors"] > 100
    assert not [name for name in loading["fresh_names"] if name.startswith(carried)]
    assert all(name in printed for name in loading["fresh_names"])
    with safetensors.safe_open(finished.path("pretrain", "soco", "weights.safetensors"), "np") as weights:
        told = json.loads(weights.metadata()["soco"])
        assert told["run"] == told["origin"]["wildcards"]["run"] == "soco"


def test_a_pretrained_backbone_is_probed(finished):
    found = json.loads(finished.path("probe", "shapes", "soco", "metrics.json").read_text())
    assert (found["probe"], found["initialisation"]) == ("shapes", "soco")
    assert (found["backbone"], found["classes"]) == ("resnet18", 6)
    for half, count in found["pictures"].items():
        assert count == len(list((finished.folder / "data/demo/classes" / half).rglob("*.png"))) >= 10
    assert 0 <= found["knn"]["top1"] <= 100
    log = finished.path("logs", "probe_backbone", "shapes", "soco.log").read_text()
    assert f"linear  top-1 {found['linear']['top1']:.1f} %" in log


def test_a_second_run_does_nothing(again):
    assert again.would_run("all") == set()


@pytest.mark.parametrize(
    ("section", "change", "expected"),
    [
        ("filter", {"strategy": "ratio2"}, PROPOSALS | QUALITY | AFTER),
        ("filter", {"fallbacks": ["none"]}, (PROPOSALS - {"filter_regions"}) | QUALITY | AFTER),
        ("pictures", {"max_skipped": 0.5}, {"merge_proposals"} | AFTER),
        ("proposals", {"scale": 200}, {"search_regions"} | PROPOSALS | QUALITY | AFTER),
        ("quality", {"pictures": 2}, {"measure_recall", "report"}),
        ("quality", {"engines": ["soco"]}, {"measure_recall", "report"}),
        ("quality", {"recall": []}, {"report"}),
        ("pretrain", {"soco": {"epochs": 3}}, AFTER),
        ("finetune", {"shapes_coco": {"score_threshold": 0.3}}, {"evaluate_detector", "report"}),
        ("pretrain", {"soco": {"workers": 1, "log_every": 2}}, {"report"}),
        ("finetune", {"shapes_coco": {"workers": 1, "checkpoint_iterations": 3}}, {"report"}),
        ("finetune", {"shapes_lvis": {"seeds": [1]}}, {"report"}),
        ("pictures", {"known_as": "imagenet_1k"}, {"report"}),
        ("datasets", {"shapes_coco": {"known_as": "coco_2017"}}, {"report"}),
        ("finetune", {"shapes_lvis": {"seeds": [2, 3]}}, {"finetune_detector", "evaluate_detector", "report"}),
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


@pytest.fixture
def copied(finished, workflow):
    """A copy of the finished run, to be changed."""
    shutil.copytree(finished.folder, workflow.folder, dirs_exist_ok=True)
    return workflow


def weights(workflow):
    return safetensors.numpy.load_file(workflow.path("pretrain", "soco", "weights.safetensors"))


def differing(ours, theirs):
    return [name for name, tensor in ours.items() if (tensor != theirs[name]).any()]


def test_a_new_filter_searches_nothing_again_and_trains_anew(copied):
    raw = {path: path.stat().st_mtime_ns for path in copied.path("proposals", "raw").iterdir()}
    before, trained = json.loads(copied.path("proposals", "summary.json").read_text()), weights(copied)
    copied.overlay["filter"] = {"strategy": "none"}
    copied("pretrain")
    after = json.loads(copied.path("proposals", "summary.json").read_text())
    assert after["regions"] == before["regions"]
    assert after["proposals_after_filter"] > before["proposals_after_filter"]
    assert {path: path.stat().st_mtime_ns for path in copied.path("proposals", "raw").iterdir()} == raw
    assert differing(weights(copied), trained)


def test_another_number_of_shards_gives_the_same_store(copied):
    store = copied.path("proposals", "store.arrow").read_bytes()
    copied.overlay["pictures"]["shards"] = 3
    copied("proposals")
    assert {"shard_pictures", "search_regions", "merge_proposals"} <= copied.ran
    assert copied.path("proposals", "store.arrow").read_bytes() == store
    assert copied.would_run("proposals") - {"proposals"} == set()


def test_a_set_that_is_changed_is_checked_before_it_is_trained_on(copied):
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
    assert "Error: The detection set is refused. Category ids that are no whole numbers: 1 ('disc')" in printed
    assert "finetune_detector" not in copied.ran


def test_a_shard_that_was_lost_is_made_again(copied):
    store = copied.path("proposals", "store.arrow").read_bytes()
    for name in ("shards/0001.parquet", "proposals/raw/0001.parquet", "proposals/store.arrow"):
        copied.path(name).unlink()
    copied("proposals")
    assert copied.path("proposals", "store.arrow").read_bytes() == store
    assert copied.would_run("proposals") - {"proposals"} == set()


def test_more_epochs_train_anew(copied):
    trained = weights(copied)
    copied.overlay["pretrain"]["soco"]["epochs"] = 3
    copied("pretrain")
    assert json.loads(copied.path("pretrain", "soco", "metrics.json").read_text())["steps"] == 9
    assert differing(weights(copied), trained)


def wait_for_a_checkpoint(folder):
    deadline = time.monotonic() + 120
    while not list(folder.glob("step-*.pt")) and time.monotonic() < deadline:
        time.sleep(0.02)


def test_a_pretraining_asked_to_stop_is_started_again_by_snakemake(copied):
    trained = weights(copied)
    running = copied.start("pretrain", options=("--forcerun", "pretrain_model", "--retries", "1"))
    checkpoints = copied.path("checkpoints", "pretrain", "soco")
    wait_for_a_checkpoint(checkpoints)
    os.kill(int(re.match(r"process (\d+) on", (checkpoints / "lock").read_text())[1]), signal.SIGTERM)
    printed, _ = running.communicate()
    assert running.returncode == 0, printed
    assert "Trying to restart job" in printed
    log = copied.path("logs", "pretrain_model", "soco.log").read_text()
    assert "goes on from results/checkpoints/pretrain/soco/step-" in log
    assert not differing(weights(copied), trained)


def test_a_killed_pretraining_goes_on_and_ends_with_the_same_bits(copied):
    trained = weights(copied)
    running = copied.start("pretrain", options=("--forcerun", "pretrain_model"))
    checkpoints = copied.path("checkpoints", "pretrain", "soco")
    wait_for_a_checkpoint(checkpoints)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert list(checkpoints.glob("step-*.pt"))
    assert not copied.path("pretrain", "soco", "metrics.json").exists()
    copied(options=("--unlock",))
    copied("pretrain", options=("--rerun-incomplete",))
    assert "goes on from" in copied.path("logs", "pretrain_model", "soco.log").read_text()
    assert not differing(weights(copied), trained)
    assert not checkpoints.exists()


@pytest.mark.parametrize(
    ("target", "last"),
    [
        ("shards", "shard_pictures"),
        ("proposals", "merge_proposals"),
        ("quality", "measure_recall"),
        ("pretrain", "pretrain_model"),
        ("convert", "convert_weights"),
        ("finetune", "evaluate_detector"),
        ("probes", "probe_backbone"),
        ("report", "report"),
    ],
)
def test_every_stage_is_a_target(workflow, target, last):
    rules = workflow.would_run(target)
    assert last in rules
    assert ("report" in rules) == (target == "report")


@pytest.mark.slow
def test_an_added_picture_is_probed_anew(workflow, folder_of_pictures):
    (folder_of_pictures / "e_empty.jpg").unlink()
    (folder_of_pictures / "f_cut.jpg").unlink()
    torch.save(torchvision.models.resnet18().state_dict(), workflow.folder / "given.pth")
    workflow.overlay["weights"] = {"given": {"path": "given.pth"}}
    mine = {key: str(folder_of_pictures) for key in ("train", "val")}
    sizes = {"short_side": 32, "crop": 32, "epochs": 1, "base_lrs": [0.1], "workers": 0}
    workflow.overlay["probes"] = {"shapes": None, "mine": {**mine, **sizes, "initialisations": ["scratch", "given"]}}
    workflow("probes")
    assert workflow.ran - {"probes"} == {"probe_backbone"}
    found = [json.loads(workflow.path("probe/mine", name, "metrics.json").read_text()) for name in ("scratch", "given")]
    assert [each["pictures"] for each in found] == [{"train": 4, "val": 4}] * 2
    assert workflow.would_run("probes") - {"probes"} == set()
    shutil.copy(folder_of_pictures / "d.bmp", folder_of_pictures / "c" / "new.bmp")
    assert workflow.would_run("probes") - {"probes"} == {"probe_backbone"}


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


@pytest.fixture(scope="module")
def finished_on_own(run_workflow, tmp_path_factory, readable_pictures):
    """A finished pretraining on a folder of pictures, which lies in the run's own."""
    workflow = run_workflow(tmp_path_factory.mktemp("own"))
    readable_pictures(workflow.folder / "pictures")
    workflow.overlay["pictures"] |= {"path": "pictures", "shards": 3}
    workflow("convert")
    return workflow


@pytest.fixture
def of_own_pictures(finished_on_own, workflow):
    """A copy of that run, to be changed, and its folder of pictures."""
    shutil.copytree(finished_on_own.folder, workflow.folder, dirs_exist_ok=True)
    workflow.overlay = copy.deepcopy(finished_on_own.overlay)
    return workflow, workflow.folder / "pictures"


def searched(workflow):
    """When each shard was searched."""
    return {path.stem: path.stat().st_mtime_ns for path in workflow.path("proposals", "raw").iterdir()}


def test_a_changed_picture_redoes_its_own_shard_and_what_follows_from_it(of_own_pictures):
    workflow, pictures = of_own_pictures
    shard = {
        row["key"]: f"{row['shard']:04d}"
        for row in pq.read_table(workflow.path("shards", "manifest.parquet")).to_pylist()
    }
    before, store = searched(workflow), workflow.path("proposals", "store.arrow").read_bytes()
    Image.open(pictures / "b/two two.png").transpose(Image.Transpose.ROTATE_180).save(pictures / "b/two two.png")
    workflow("convert")
    after = searched(workflow)
    assert {key for key in before if after[key] != before[key]} == {shard["b/two two.png"]}
    assert "pretrain_model" in workflow.ran
    assert workflow.path("proposals", "store.arrow").read_bytes() != store
    assert workflow.would_run("convert") - {"convert"} == set()


def test_an_added_picture_below_a_sub_folder_is_noticed(of_own_pictures):
    workflow, pictures = of_own_pictures
    before = searched(workflow)
    shutil.copy(pictures / "d.bmp", pictures / "c" / "new.bmp")
    workflow("proposals")
    after = searched(workflow)
    assert len({key for key in before if after[key] != before[key]}) == 1
    assert "c/new.bmp" in pq.read_table(workflow.path("proposals", "store.parquet"))["key"].to_pylist()


def test_pictures_that_were_touched_are_listed_again_and_nothing_else(of_own_pictures):
    workflow, pictures = of_own_pictures
    (pictures / "d.bmp").touch()
    workflow("convert")
    assert workflow.ran - {"convert"} == {"shard_pictures"}


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


def test_boxes_of_others_take_the_place_of_the_search(workflow, folder_of_pictures, tmp_path):
    (tmp_path / "boxes.json").write_text('{"d.bmp": [[1, 2, 90, 80]]}')
    workflow.overlay["pictures"] |= {"path": str(folder_of_pictures), "max_skipped": 0.5}
    workflow.overlay["proposals"] = {"engine": "imported", "file": str(tmp_path / "boxes.json")}
    workflow.overlay["filter"] = {"strategy": {"low": 0.25}, "fallbacks": [{}]}
    workflow("proposals")
    summary = json.loads(workflow.path("proposals", "summary.json").read_text())
    assert summary["pictures_by_strategy"] == {"no proposals": 5, "size0.25-": 1}
    assert summary["pictures_without_proposals_after"] == [["size0.25-", 5], ["none", 5]]
    assert not workflow.path("logs", "search_regions").exists()
    assert "6 pictures have no entry" in workflow.path("logs", "import_regions.log").read_text()


def test_a_file_of_boxes_that_is_absent_is_told_at_once(workflow):
    workflow.overlay["proposals"] = {"engine": "imported", "file": "absent.json"}
    assert "There is no absent.json, which the key proposals.file names" in workflow("proposals", succeeds=False)
