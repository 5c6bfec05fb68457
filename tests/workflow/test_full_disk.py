"""Every stage on a disk that is too small for its results, then with more room."""

import shutil

import pytest
from small_disks import fill, mounted

STAGES = {
    "shard_images": ("shards/manifest.parquet", 1),
    "search_regions": ("proposals/raw/0000.parquet", 1),
    "filter_regions": ("proposals/filtered/0000.parquet", 1),
    "apply_fallbacks": ("proposals/fixed/0000.parquet", 1),
    "merge_proposals": ("proposals/store.arrow", 4),
    "describe_proposals": ("quality/statistics.json", 1),
    "measure_recall": ("quality/recall/shapes_coco.json", 1),
    "pretrain_model": ("pretrain/soco/weights.safetensors", 6000),
    "convert_weights": ("convert/soco/detectron2_c4.pkl", 1000),
    "check_dataset": ("datasets/shapes_coco/train.json", 4),
    "finetune_detector": ("finetune/shapes_coco/scratch/seed_1/weights.pth", 6000),
    "evaluate_detector": ("evaluate/shapes_coco/scratch/seed_1/metrics.json", 4),
    "probe_backbone": ("probe/shapes/soco/metrics.json", 1),
    "report": ("report/report.json", 8),
}
QUICK = ("filter_regions", "check_dataset")
TIMED = {"pretrain/soco/metrics.json", "pretrain/soco/log.jsonl", "quality/recall/shapes_coco.json"}


@pytest.fixture
def on_small_disk(copied):
    """A copy of a finished run, with its results on a small disk."""
    kept = copied.path().rename(copied.folder / "kept")
    with mounted(copied.path(), "size=1g"):
        shutil.copytree(kept, copied.path(), dirs_exist_ok=True)
        yield copied


@pytest.mark.parametrize(
    "rule",
    [rule if rule in QUICK else pytest.param(rule, marks=pytest.mark.slow) for rule in STAGES],
)
def test_a_stage_on_a_full_disk_can_be_repeated(on_small_disk, rule):
    name, room = STAGES[rule]
    run, path = on_small_disk, on_small_disk.path(name)
    before = path.read_bytes()
    path.unlink()
    path.with_name("detections.json").unlink(missing_ok=True)  # as Snakemake does, which makes room
    filler = fill(run.path(), room * 1024)
    options = ("--forcerun", rule, "--rerun-triggers", "mtime")
    printed = run(f"results/{name}", succeeds=False, options=options)
    sentences = [
        line for line in printed.splitlines() if line.startswith("Error: The disk is full: ")
    ]
    assert sentences, printed
    assert all("make room there and run it again" in line for line in sentences)
    assert "Traceback" not in printed
    assert not path.exists()
    filler.unlink()
    run(f"results/{name}", options=options)
    assert not list(run.path().rglob("*.part"))
    if name not in TIMED and rule != "report":
        assert path.read_bytes() == before
