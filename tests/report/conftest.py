"""A finished run in small: every file that a report reads, written as its stage writes it."""

import dataclasses
import json
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import skimage.data
from PIL import Image

from soco.config import FilterConfig, ProposalsConfig, QualityConfig, SplitConfig, load_config
from soco.proposals.merge_stage import merge_shards
from soco.quality import describe_proposals, measure_recall
from soco.report import ConversionFiles, EvaluationFiles, PretrainFiles, RecallFiles, ReportInputs
from soco.stores.parquet import read_table, write_table
from soco.stores.schema import PROPOSAL_SCHEMA, RAW_SCHEMA, SKIPPED_SCHEMA, rect_columns, rects_of

ROOT = Path(__file__).parents[2]
PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket", "retina", "hubble_deep_field")
SKIPPED = [("broken/<b>one</b>.jpg", "not in a known picture format"), ("empty.png", "the file is missing")]
BENCHMARK = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


@pytest.fixture(scope="session")
def inputs(tmp_path_factory) -> ReportInputs:
    """The demo's configuration with the files of a run of it."""
    return write_run(tmp_path_factory.mktemp("run"))


def write_run(root: Path) -> ReportInputs:
    random = np.random.default_rng(5)
    config = load_config(ROOT / "config.yaml").model_dump(mode="json")
    config["pictures"]["path"] = str(root / "pictures")
    summary, store, skipped = _proposals(root, random)
    run = _pretraining(root, random)
    evaluations = tuple(
        _evaluation(root, random, task, start) for task in config["finetune"] for start in ("scratch", "soco")
    )
    conversions = tuple(_conversion(root, kind) for kind in ("fpn_head", "c4"))
    benchmarks = _benchmarks(root)
    quality = _quality(root, store)
    return ReportInputs(config, summary, store, skipped, *quality, (run,), conversions, evaluations, benchmarks)


def _proposals(root: Path, random: np.random.Generator) -> tuple[Path, Path, Path]:
    rows, rects = [], []
    for number in range(48):
        name = sorted(PHOTOGRAPHS)[number // 8]
        key = f"{name}/{number:03d}.jpg"
        picture = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
        left, top = (int(random.integers(0, side // 3 + 1)) for side in picture.size)
        cut = picture.crop((left, top, left + picture.width * 2 // 3, top + picture.height * 2 // 3)).resize((256, 192))
        (root / "pictures" / name).mkdir(parents=True, exist_ok=True)
        cut.save(root / "pictures" / key)
        count = 0 if number == 7 else int(random.integers(3, 70))
        corner, size = random.integers(0, 90, (count, 2)), random.integers(32, 100, (count, 2))
        rects.append(np.concatenate([corner, size], axis=1))
        strategy = "" if count == 0 else "ratio3" if number % 11 == 0 else "ratio3size0308"
        rows.append((key, 256, 192, int(count * 3.5) + 2, strategy))
    names = ("key", "width", "height", "regions", "strategy")
    places = {
        "container": [""] * len(rows),
        "offset": [0] * len(rows),
        "bytes": [1] * len(rows),
        "content": [0] * len(rows),
    }
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)) | places | rect_columns(rects)
    fixed = pa.table(columns, schema=PROPOSAL_SCHEMA)
    left_out = pa.table([pa.array(column) for column in zip(*SKIPPED, strict=True)], schema=SKIPPED_SCHEMA)
    write_table(root / "shard.parquet", fixed)
    write_table(root / "shard_skipped.parquet", left_out)
    folder = root / "results" / "proposals"
    paths = (folder / "summary.json", folder / "store.parquet", folder / "skipped.parquet")
    shard, shard_skipped = [root / "shard.parquet"], [root / "shard_skipped.parquet"]
    merge_shards(shard, shard, shard_skipped, FilterConfig(), 0.5, paths[1], folder / "store.arrow", paths[2], paths[0])
    return paths


def _quality(root: Path, store: Path) -> tuple[Path, tuple[RecallFiles, ...]]:
    """The statistics of the store, its proposals standing for the regions too, and recall of soco and opencv_fast."""
    folder = root / "results" / "quality"
    fixed = read_table(store, PROPOSAL_SCHEMA)
    rects = rects_of(fixed)
    sizes = pa.array([of_picture.prod(axis=1) for of_picture in rects], pa.list_(pa.int32()))
    columns = {name: fixed[name] for name in RAW_SCHEMA.names if name != "size"}
    write_table(root / "raw.parquet", pa.table({**columns, "size": sizes}, schema=RAW_SCHEMA))
    describe_proposals([root / "raw.parquet"], [store], FilterConfig(), folder / "statistics.json")
    measured = folder / "recall" / "shapes_coco.json"
    annotations, images = _validation_half(root)
    split = SplitConfig(images=str(images), annotations=str(annotations))
    engines = QualityConfig(engines=("soco", "opencv_fast"), pictures=4)
    measure_recall(split, engines, ProposalsConfig(), FilterConfig(), 1, measured)
    return folder / "statistics.json", (RecallFiles("shapes_coco", measured),)


def _pretraining(root: Path, random: np.random.Generator) -> PretrainFiles:
    folder = root / "results" / "pretrain" / "soco"
    folder.mkdir(parents=True)
    files = PretrainFiles("soco", folder / "log.jsonl", folder / "metrics.json", folder / "weights.safetensors")
    steps = range(5, 151, 5)
    loss = [-6 * (1 - np.exp(-step / 50)) + 0.15 * random.normal() for step in steps]
    lines = [
        {"step": step, "epoch": step / 15, "loss": value, "lr": 0.125 * min(1, step / 15) * (1 - step / 152)}
        for step, value in zip(steps, loss, strict=True)
    ]
    files.log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    metrics = {
        "run": "soco", "architecture": "fpn", "epochs": 10, "steps": 150, "pictures": 480, "total_batch": 32,
        "peak_lr": 0.125, "final_loss": loss[-1], "seconds": 213.7, "images_per_second": 22.46, "precision": "bf16",
        "device": "cpu", "processes": 1, "seed": 1, "parameters": 17_300_000, "more": float("nan"),
    }  # fmt: skip
    files.metrics.write_text(json.dumps(metrics))
    files.weights.write_bytes(random.bytes(5000))
    return files


def _conversion(root: Path, kind: str) -> ConversionFiles:
    folder = root / "results" / "convert" / "soco"
    folder.mkdir(parents=True, exist_ok=True)
    files = ConversionFiles("soco", kind, folder / f"detectron2_{kind}.json", folder / f"detectron2_{kind}.pkl")
    files.weights.write_bytes(pickle.dumps({"model": {}}))
    reason = "only the pretraining loss uses the projector"
    summary = {
        "kind": kind, "converted": 199, "numbers": 12_345_678, "left_behind_by_reason": {reason: 2},
        "names": {"encoder.conv1.weight": "stem.conv1.weight"},
        "left_behind": {"projector.0.weight": reason, "projector.0.bias": reason},
    }  # fmt: skip
    files.summary.write_text(json.dumps(summary))
    return files


def _evaluation(root: Path, random: np.random.Generator, task: str, start: str) -> EvaluationFiles:
    folder = root / "results" / "evaluate" / task / start
    folder.mkdir(parents=True)
    annotations, images = _validation_half(root)
    names = ["AP", "AP50", "AP75", "APs", "APm", "APl"] + (["APr", "APc", "APf"] if task == "lvis" else [])
    metrics = {
        "task": task, "dataset": f"shapes_{task}", "format": task, "initialisation": start,
        "box": {name: float(random.uniform(2, 14)) for name in names} | {"APs": None},
        "mask": {name: float(random.uniform(2, 14)) for name in names},
        "iterations": 300, "batch_size": 8, "base_lr": 0.02, "weight_decay": 2.5e-5, "norm": "SyncBN",
        "detectron2": "0.6", "seed": 1, "images": 6, "instances": 12,
    }  # fmt: skip
    (folder / "metrics.json").write_text(json.dumps(metrics))
    content = json.loads(annotations.read_text())
    found = [
        {"image_id": entry["image_id"], "category_id": int(random.integers(1, 4)), "score": float(random.uniform(0, 1)),
         "bbox": [value + float(random.normal(0, 4)) for value in entry["bbox"]],
         "segmentation": {"size": [128, 128], "counts": "PPYo1"}}
        for entry in content["annotations"] * 3
    ]  # fmt: skip
    (folder / "detections.json").write_text(json.dumps(found))
    fresh = [f"roi_heads.mask_head.mask_fcn{n}.weight" for n in range(1, 5)]
    taken = {"tensors": 0, "numbers": 0} if start == "scratch" else {"tensors": 199, "numbers": 12_345_678}
    loading = {
        "weights": None if start == "scratch" else "results/convert/soco/detectron2_fpn_head.pkl", "taken": taken,
        "fresh": {"tensors": 4, "numbers": 147_456}, "fresh_names": fresh, "taken_names": [], "unused_names": [],
    }  # fmt: skip
    (folder / "loading.json").write_text(json.dumps(loading))
    (folder / "weights.pth").write_bytes(random.bytes(1000))
    files = (folder / name for name in ("metrics.json", "detections.json", "loading.json", "weights.pth"))
    scores, detections, loaded, weights = files
    return EvaluationFiles(task, start, scores, annotations, images, detections, loaded, weights)


def _validation_half(root: Path) -> tuple[Path, Path]:
    """Six pictures of 128 pixels with two labelled boxes each."""
    annotations, images = root / "val.json", root / "val"
    if annotations.exists():
        return annotations, images
    images.mkdir()
    for number, name in enumerate(PHOTOGRAPHS):
        photograph = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
        photograph.resize((128, 128)).save(images / f"{number}.png")
    boxes = ([20, 24, 40, 36], [70, 60, 44, 50])
    entries = [
        {"id": number * 2 + place, "image_id": number, "category_id": (number + place) % 3 + 1, "bbox": box}
        for number in range(len(PHOTOGRAPHS))
        for place, box in enumerate(boxes)
    ]
    content = {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 128, "height": 128} for n in range(len(PHOTOGRAPHS))],
        "annotations": entries,
        "categories": [{"id": n, "name": name} for n, name in ((1, "disc"), (2, "ring"), (3, "star"))],
    }
    annotations.write_text(json.dumps(content))
    return annotations, images


def _benchmarks(root: Path) -> Path:
    folder = root / "results" / "benchmarks"
    jobs = {
        "demo_data": (11.2, "310.5"), "search_proposals/0": (61.5, "512.25"), "search_proposals/1": (58.5, "530.75"),
        "filter_proposals/0": (0.3, "NA"), "merge_proposals": (1.4, "210.0"), "pretrain/soco": (214.0, "2950.4"),
        "convert/soco_fpn_head": (3.4, "640.1"), "finetune/coco_scratch": (188.4, "2101.9"),
        "finetune/coco_soco": (191.3, "2140.0"), "evaluate/coco_soco": (22.1, "1890.0"), "report": (9.9, "200.0"),
    }  # fmt: skip
    for name, (seconds, memory) in jobs.items():
        path = folder / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        cpu = "NA" if memory == "NA" else str(seconds * 1.5)
        path.write_text(BENCHMARK + f"{seconds}\t0:00:01\t{memory}\t1\t1\t1\t0\t0\t150\t{cpu}\n")
    return folder


@pytest.fixture
def changed(inputs):
    """Give a copy of the inputs with some fields replaced."""
    return lambda **fields: dataclasses.replace(inputs, **fields)
